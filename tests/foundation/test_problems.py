"""Errors that a caller sees: RFC 9457, a stable type, Vietnamese and English, and nothing about a person."""

import re

import httpx
import orjson
import pytest
from fastapi import FastAPI

from foundation.chassis import web
from foundation.chassis.problems import TEXTS, FieldError, Problem
from foundation.chassis.web import decode_cursor, encode_cursor, field_errors, parse_instant, parse_plain_uuid

STABLE = {
    "unauthorized": 401, "forbidden": 403, "not-found": 404, "method-not-allowed": 405, "conflict": 409,
    "signal-id-used": 409, "too-large": 413, "unsupported-media-type": 415, "invalid": 422, "busy": 503,
    "unavailable": 503, "unexpected": 500,
}  # fmt: skip


def test_the_types_are_stable() -> None:
    """Programs decide by them: one may be added, none may change or go."""
    assert STABLE.items() <= {code: status for code, (status, _, _) in TEXTS.items()}.items()


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_every_problem_is_told_in_two_languages(code: str) -> None:
    answer = Problem(code).response()
    body = orjson.loads(answer.body)
    assert answer.media_type == "application/problem+json"
    assert (body["type"], body["status"]) == (f"urn:vonggac:problem:{code}", answer.status_code)
    assert re.search(r"[ạảãàáâậầấẩẫăắằặẳẵóòọõỏôộổỗồốơờớợởỡéèẻẹẽêếềệểễúùụủũưựữửừứíìịỉĩýỳỷỵỹđ]", body["title"])
    assert body["title_en"].isascii()
    assert body["detail"]
    assert body["detail_en"]
    assert ("Retry-After" in answer.headers) == (answer.status_code == 503)


def test_what_is_said_more_exactly_stands_beside_it() -> None:
    problem = Problem("invalid", "Thiếu.", "Missing.", [FieldError("position.lat", "Sai.", "Wrong.")], {"more": 1})
    body = orjson.loads(problem.response().body)
    assert (body["detail"], body["detail_en"], body["more"]) == ("Thiếu.", "Missing.", 1)
    assert body["errors"] == [{"field": "position.lat", "detail": "Sai.", "detail_en": "Wrong."}]


def test_a_conflict_says_the_present_state() -> None:
    body = orjson.loads(Problem.conflict("Đã xong.", "It is over.", incident_status="resolved").response().body)
    assert (body["status"], body["incident_status"]) == (409, "resolved")


def test_a_field_error_never_quotes_the_value() -> None:
    given = [{"loc": ("body", "note"), "type": "string_too_long", "msg": "too long", "input": "ông Ba"}]
    assert field_errors(given) == [FieldError("note", "Giá trị không hợp lệ.", "too long")]
    assert field_errors([{"loc": ("body",), "type": "missing", "msg": "Field required"}]) == [
        FieldError("body", "Thiếu trường này.", "Field required")
    ]


async def test_a_framework_that_refuses_by_itself_speaks_our_language() -> None:
    app = FastAPI()
    for kind, handler in ((web.RequestValidationError, web._invalid), (web.HTTPException, web._http_exception)):
        app.add_exception_handler(kind, handler)

    @app.get("/number/{number}")
    async def number(number: int) -> int:
        return number

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as client:
        for method, path, code in (
            ("GET", "/nowhere", "not-found"), ("POST", "/number/1", "method-not-allowed"),
            ("GET", "/number/x", "invalid"),
        ):  # fmt: skip
            answer = await client.request(method, path)
            assert answer.status_code == STABLE[code]
            assert answer.json()["type"] == f"urn:vonggac:problem:{code}"


def test_a_cursor_comes_back_as_it_was_and_another_lists_does_not() -> None:
    key, at = "b6f0d3c2-2b5e-4b9e-8a39-6b1d5a0f3a11", "2026-11-24T08:00:00.123456Z"
    cursor = encode_cursor(at, key)
    assert re.fullmatch(r"[\w-]+", cursor)
    assert decode_cursor(cursor, parse_instant, parse_plain_uuid) == [parse_instant(at), parse_plain_uuid(key)]
    assert decode_cursor(None, parse_instant) is None
    for wrong in (encode_cursor(key), encode_cursor(1, 2), "x", "", "é", encode_cursor(at, key, 3)):
        with pytest.raises(Problem) as refused:
            decode_cursor(wrong, parse_instant, parse_plain_uuid)
        assert [error.field for error in refused.value.errors] == ["cursor"]
