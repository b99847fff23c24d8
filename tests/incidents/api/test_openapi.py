"""What integrators read: the doors are described, and the pages about them come from our own origin."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.incidents.station import Station

ELSEWHERE = re.compile(r"""(?:src|href|url|import)\s*[=(:]?\s*["'(]?\s*(?:https?:)?//(?!incidents)[^"'\s)]*""")


@pytest.fixture
def document(desk: Station) -> dict[str, Any]:
    described: dict[str, Any] = desk.app.openapi()
    return described


async def test_the_document_names_every_door_of_the_interface(desk: Station, document: dict[str, Any]) -> None:
    assert (await desk.http.get("/openapi.json")).json() == document
    for path, ways in {
        "/v1/signals": {"post"}, "/v1/signals/{signal_id}": {"get"}, "/v1/incidents": {"get"},
        "/v1/incidents/{incident_id}": {"get"}, "/v1/incidents/{incident_id}/confirm": {"post"},
        "/v1/incidents/{incident_id}/resolve": {"post"}, "/v1/incidents/{incident_id}/cancel": {"post"},
        "/v1/sites": {"get", "post"}, "/v1/sites/{site_id}": {"get", "patch"}, "/v1/posts": {"get", "post"},
        "/v1/posts/{post_id}": {"get", "patch"}, "/v1/devices": {"get", "post"},
        "/v1/devices/{device_id}": {"get", "patch"}, "/v1/devices/{device_id}/revoke": {"post"},
        "/v1/events": {"get"}, "/health/live": {"get"}, "/health/ready": {"get"},
    }.items():  # fmt: skip
        assert set(document["paths"].get(path, {})) == ways, path


async def test_a_real_signal_and_its_answer_are_as_described(desk: Station, document: dict[str, Any]) -> None:
    door = document["paths"]["/v1/signals"]["post"]

    def check(value: object, schema: dict[str, Any]) -> None:
        Draft202012Validator({**schema, "components": document["components"]}).validate(value)

    body = desk.signal(note="Cửa bị cạy", zone="kho", position={"lat": 16.8, "lon": 107.1})
    check(body, door["requestBody"]["content"]["application/json"]["schema"])
    answer = await desk.send(await desk.device(), body)
    check(answer.json(), door["responses"]["201"]["content"]["application/json"]["schema"])


async def test_every_reference_of_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = re.findall(r"'\$ref': '#/components/schemas/(\w+)'", repr(document))
    assert references
    assert set(references) <= set(document["components"]["schemas"])


async def test_the_pages_and_their_assets_come_from_our_own_origin(desk: Station) -> None:
    page = await desk.http.get("/docs")
    assert page.status_code == 200
    assert ELSEWHERE.findall('<script src="https://cdn.example/x.js"></script>'), "a planted one is caught"
    assert not ELSEWHERE.findall(page.text)
    assets = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    assert any(asset.endswith(".js") for asset in assets)
    assert any(asset.endswith(".css") for asset in assets)
    for asset in assets:
        answer = await desk.http.get(asset)
        assert answer.status_code == 200, asset
        assert answer.content
    assert "/openapi.json" in page.text


async def test_metrics_can_be_scraped(desk: Station) -> None:
    await desk.send(await desk.device(), kind="fire")
    page = await desk.http.get("/metrics")
    assert page.status_code == 200
    assert 'vonggac_signals_total{decided="raised",kind="fire"}' in page.text
    assert 'vonggac_http_requests_total{method="POST",route="/v1/signals",status="201"}' in page.text
