"""Random JSON, random bytes and random addresses at every door: an answer below 500, and a problem with a type."""

import base64
import json
import re
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.incidents.station import Device, Station

WORDS = ["id", "kind", "occurred_at", "sent_at", "event", "zone", "note", "position", "lat", "name", "type", "site_id",
         "post_id", "commune_code", "active", "result", "reason", "former_district", "address", "drill"]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["fire", "alarm", "true", "panel", "school", "19333", "2026-11-24T08:00:00Z", str(uuid4())]),
    st.text(st.sampled_from("\0\x1f\ud800\u202e\U0001d160é'\";%\\"), max_size=8),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | TEXTS, inner, max_size=6),
    max_leaves=12,
)
QUERIES = ["cursor", "limit", "status", "kind", "site_id", "commune_code", "from", "to", "topic", "area", "after"]
CURSORS = JSON.map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("="))
FUZZ = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


GETS = [
    "/health/live", "/health/ready", "/v1/devices", "/v1/devices/{id}", "/v1/events", "/v1/incidents",
    "/v1/incidents/{id}", "/v1/kinds", "/v1/posts", "/v1/posts/{id}", "/v1/signals/{id}", "/v1/sites", "/v1/sites/{id}",
    "/v1/status",
]  # fmt: skip
POSTS = [
    "/v1/devices", "/v1/devices/{id}/revoke", "/v1/devices/{id}/rotate", "/v1/incidents/{id}/cancel",
    "/v1/incidents/{id}/confirm", "/v1/incidents/{id}/resolve", "/v1/posts", "/v1/signals", "/v1/sites",
]  # fmt: skip
PATCHES = ["/v1/devices/{id}", "/v1/posts/{id}", "/v1/sites/{id}"]


def test_no_door_is_forgotten(desk: Station) -> None:
    paths = {re.sub(r"{\w+}", "{id}", path): ways for path, ways in desk.app.openapi()["paths"].items()}
    for method, known in (("get", GETS), ("post", POSTS), ("patch", PATCHES)):
        assert sorted(path for path, ways in paths.items() if method in ways) == known
    assert {way for ways in paths.values() for way in ways} == {"get", "post", "patch"}


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text[:500]
    assert answer.status_code != 401, "the door was not reached"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"].startswith("urn:vonggac:problem:")
        assert problem["status"] == answer.status_code
        assert problem["title"]
        assert problem["detail_en"]


@pytest.fixture(scope="session")
async def device(desk: Station) -> Device:
    return await desk.device()


@pytest.fixture(scope="session")
async def known(desk: Station) -> dict[str, str]:
    """The id of something that there is, by the collection in a path."""
    victim = await desk.device()
    incident_id = await desk.incident_of(victim, kind="fire")
    ids = {"devices": victim.id, "posts": victim.post_id, "sites": victim.site_id, "incidents": incident_id}
    return {name: str(value) for name, value in ids.items()}


def headers_for(desk: Station, device: Device, path: str) -> dict[str, str]:
    return device.headers if path == "/v1/signals" else desk.operator()


def path_of(pattern: str, known: dict[str, str]) -> str:
    """The path with the id of something that there is."""
    return pattern.replace("{id}", known.get(pattern.split("/")[2], str(uuid4())))


@pytest.mark.parametrize(("method", "path"), [("POST", p) for p in POSTS] + [("PATCH", p) for p in PATCHES])
@FUZZ
@given(body=JSON | st.dictionaries(st.sampled_from(WORDS), JSON, max_size=8))
async def test_any_json(
    desk: Station, device: Device, known: dict[str, str], method: str, path: str, body: Any
) -> None:
    headers = headers_for(desk, device, path) | {"content-type": "application/json"}
    content = json.dumps(body).encode()
    check(await desk.http.request(method, path_of(path, known), content=content, headers=headers))


@pytest.mark.parametrize(("method", "path"), [("POST", p) for p in POSTS] + [("PATCH", p) for p in PATCHES])
@FUZZ
@given(content=st.binary(max_size=300) | st.binary(max_size=100).map(lambda raw: b'{"note": "' + raw + b'"}'))
async def test_any_bytes(
    desk: Station, device: Device, known: dict[str, str], method: str, path: str, content: bytes
) -> None:
    headers = headers_for(desk, device, path) | {"content-type": "application/json"}
    if content:
        check(await desk.http.request(method, path_of(path, known), content=content, headers=headers))


@FUZZ
@given(st.data())
async def test_a_signal_with_one_field_of_anything(desk: Station, device: Device, data: Any) -> None:
    body = desk.signal() | {data.draw(st.sampled_from(WORDS)): data.draw(JSON)}
    headers = device.headers | {"content-type": "application/json"}
    check(await desk.http.post("/v1/signals", content=json.dumps(body).encode(), headers=headers))


@FUZZ
@given(st.text(max_size=2000), st.text(max_size=64))
async def test_a_signal_with_any_text(desk: Station, device: Device, note: str, zone: str) -> None:
    """Whatever the database can keep is kept; the answer is the same when it is sent again."""
    body = desk.signal() | {"note": note, "zone": zone}
    try:
        content = orjson.dumps(body)
    except orjson.JSONEncodeError:
        content = json.dumps(body).encode()
    headers = device.headers | {"content-type": "application/json"}
    first = await desk.http.post("/v1/signals", content=content, headers=headers)
    check(first)
    if first.status_code == 201:
        again = await desk.http.post("/v1/signals", content=content, headers=headers)
        assert (again.status_code, again.content) == (200, first.content)


@pytest.mark.parametrize("path", GETS)
@FUZZ
@given(st.dictionaries(st.sampled_from(QUERIES), TEXTS | CURSORS, max_size=5), st.none() | st.text(max_size=40))
async def test_any_address(
    desk: Station, known: dict[str, str], path: str, query: dict[str, str], part: str | None
) -> None:
    def escaped(text: str) -> str:
        return quote(text.encode("utf-8", "surrogatepass"), safe="")

    address = path.replace("{id}", escaped(part)) if part is not None else path_of(path, known)
    address += "?" + "&".join(f"{name}={escaped(value)}" for name, value in query.items())
    check(await desk.http.get(address, headers=desk.operator()))


@FUZZ
@given(st.binary(max_size=80))
async def test_any_credential(desk: Station, raw: bytes) -> None:
    for path in ("/v1/incidents", "/v1/signals"):
        header = {b"authorization": b"Bearer " + raw.replace(b"\n", b"").replace(b"\r", b"")}
        answer = await desk.http.request("POST" if path == "/v1/signals" else "GET", path, headers=header)
        assert answer.status_code in (401, 403)
