"""The guard before every door: what may come in, how large, and in what form."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
import sqlalchemy.exc
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from foundation.chassis.body import DRAIN_BYTES, MAX_BODY_BYTES, MAX_DEPTH, DirectDoors, Guard, as_problem, parse_json
from foundation.chassis.problems import NoStream, Problem

JSON = {"content-type": "application/json"}


def nested(depth: int, way: str) -> bytes:
    """A value of so many arrays, objects or both inside one another."""
    opening, closing = {"[": (b"[", b"]"), "{": (b'{"a":', b"}"), "[{": (b'[{"a":', b"}]")}[way]
    levels = depth if way != "[{" else depth // 2
    return opening * levels + b"1" + closing * levels


def code_of(body: bytes) -> str:
    try:
        parse_json(body)
    except Problem as problem:
        return problem.code if [error.field for error in problem.errors] == ["body"] else "unnamed"
    return "accepted"


@pytest.mark.parametrize("way", ["[", "{", "[{"])
def test_twenty_levels_are_accepted_and_no_more(way: str) -> None:
    assert code_of(nested(MAX_DEPTH, way)) == "accepted"
    assert code_of(nested(MAX_DEPTH + 2, way)) == "invalid"
    assert code_of(nested(MAX_DEPTH + 1, "[")) == "invalid"
    assert code_of(nested(MAX_DEPTH + 1, "{")) == "invalid"
    assert code_of(nested(30_000, way)) == "invalid"


def test_wide_is_not_deep() -> None:
    assert code_of(orjson.dumps([[]] * 20_000)) == "accepted"
    assert code_of(orjson.dumps({str(n): {} for n in range(5_000)})) == "accepted"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nul", b"{'a': 1}", b'{"a": 1,}', b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}',
        b'{"a": 1e999}', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"\xff"', b'"\x00"', b'"\\u0000"',
        b'{"\\u0000": 1}', b'{"a": [{"b": "x\\u0000"}]}', b"\xef\xbb\xbf{}", b"{}{}", b'"\\x"', b"01", b"\x00",
        "{}".encode("utf-16"),
    ],
)  # fmt: skip
def test_what_could_hurt_later_is_refused(body: bytes) -> None:
    assert code_of(body) == "invalid"


def test_an_escaped_backslash_before_u0000_is_only_text() -> None:
    assert parse_json(b'"\\\\u0000"') == "\\u0000"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_problem(body: bytes) -> None:
    assert code_of(body) in ("accepted", "invalid")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(VALUES)
def test_ordinary_values_come_through_as_they_were(value: Any) -> None:
    assert parse_json(orjson.dumps(value)) == value


async def echo(request: Request) -> Response:
    return JSONResponse({"json": getattr(request.state, "json", "nothing"), "bytes": len(await request.body())})


async def app(scope: Any, receive: Any, send: Any) -> None:
    await (await echo(Request(scope, receive)))(scope, receive, send)


Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Guard(app)), base_url="http://door") as client:

        async def asked(content: Any = None, headers: dict[str, str] = JSON, method: str = "POST") -> httpx.Response:
            return await client.request(method, "/", content=content, headers=headers)

        yield asked


async def test_the_door_sees_the_parsed_value_and_the_same_bytes(ask: Ask) -> None:
    answer = await ask(b'{"a": 1}')
    assert answer.json() == {"json": {"a": 1}, "bytes": 8}


async def test_64_kib_are_accepted_and_not_a_byte_more(ask: Ask) -> None:
    whole = b'"' + b"a" * (MAX_BODY_BYTES - 2) + b'"'
    assert (await ask(whole)).status_code == 200
    refused = await ask(whole + b" ")
    assert refused.status_code == 413
    assert refused.json()["type"] == "urn:vonggac:problem:too-large"


async def test_a_body_in_pieces_without_a_length_is_measured_too(ask: Ask) -> None:
    sent = 0

    async def pieces(size: int) -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'"'
        for _ in range(size // 1000):
            sent += 1000
            yield b"a" * 1000
        yield b'"'

    assert (await ask(pieces(60_000))).json()["bytes"] == 60_002
    assert (await ask(pieces(70_000))).status_code == 413
    sent = 0
    assert (await ask(pieces(100 * DRAIN_BYTES))).status_code == 413
    assert sent <= DRAIN_BYTES + 2000, "no more is read than is stated"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": 'Application/JSON; charset="UTF-8"'}, 200),
        ({"content-type": "application/json", "content-encoding": "identity"}, 200),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": "application/jsonp"}, 415),
        ({"content-type": ""}, 415),
        ({}, 415),
    ],
)
async def test_only_json_in_utf_8(ask: Ask, headers: dict[str, str], status: int) -> None:
    assert (await ask(b"{}", headers)).status_code == status


async def test_nothing_needs_no_type(ask: Ask) -> None:
    assert (await ask(None, {})).json() == {"json": "nothing", "bytes": 0}


async def test_reading_needs_no_body_and_no_nul_in_the_address() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Guard(app)), base_url="http://door") as client:
        assert (await client.get("/", params={"a": "b"})).status_code == 200
        assert (await client.get("/?a=%00")).status_code == 422
        assert (await client.get("/%00")).status_code == 422


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Problem("conflict"), "conflict"),
        (ConnectionRefusedError(), "unavailable"),
        (TimeoutError(), "unavailable"),
        (asyncpg.TooManyConnectionsError("x"), "unavailable"),
        (asyncpg.DeadlockDetectedError("x"), "unavailable"),
        (asyncpg.DiskFullError("x"), "unavailable"),
        (asyncpg.AdminShutdownError("x"), "unavailable"),
        (asyncpg.UndefinedTableError("x"), "unavailable"),
        (asyncpg.InterfaceError("connection is closed"), "unavailable"),
        (sqlalchemy.exc.TimeoutError("no connection in the pool became free"), "unavailable"),
        (asyncpg.CharacterNotInRepertoireError("x"), "invalid"),
        (asyncpg.NumericValueOutOfRangeError("x"), "invalid"),
        (asyncpg.CheckViolationError("payload"), "invalid"),
        (NoStream("vonggac.sites/99"), "forbidden"),
        (KeyError("a mistake of ours"), "unexpected"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_what_a_failure_is_told_as(error: Exception, code: str) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise error

    assert as_problem(error).code == code
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Guard(failing)), base_url="http://door") as client:
        answer = await client.get("/")
    assert answer.json()["type"] == f"urn:vonggac:problem:{code}"
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)


def test_an_error_wrapped_by_the_query_builder_is_seen_through() -> None:
    def wrapped(cause: Exception) -> sqlalchemy.exc.DBAPIError:
        inner = Exception("of the adapter")
        inner.__cause__ = cause
        return sqlalchemy.exc.DBAPIError("SELECT 1", {}, inner)

    assert as_problem(wrapped(asyncpg.ConnectionDoesNotExistError("x"))).code == "unavailable"
    assert as_problem(wrapped(asyncpg.CharacterNotInRepertoireError("x"))).code == "invalid"
    assert as_problem(wrapped(ValueError("x"))).code == "unexpected"


async def test_a_hot_door_is_behind_the_guard_too() -> None:
    doors = DirectDoors(Guard(app), {("POST", "/hot"): echo})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(doors), base_url="http://door") as client:
        assert (await client.post("/hot", json={"a": 1})).json()["json"] == {"a": 1}
        assert (await client.post("/hot", content=b"{", headers=JSON)).status_code == 422
        assert (await client.post("/hot", content=b"x" * 70_000, headers=JSON)).status_code == 413
