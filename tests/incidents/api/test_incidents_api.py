"""What operators read of incidents and do to them."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from foundation.chassis.web import parse_instant
from foundation.contracts.alerts import AlertState, UnitRef
from foundation.contracts.events import Event
from foundation.contracts.fields import SiteRef, rfc3339
from foundation.contracts.incidents import IncidentState
from foundation.streams.consumer import Batch
from services.incidents.consumers.alerts import on_alerts
from tests.incidents.station import COMMUNE, Device, Station


async def pages(station: Station, path: str, *, limit: int, **query: object) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(200):
        page = (await station.get(path, limit=limit, **query, **({"cursor": cursor} if cursor else {}))).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items
    raise AssertionError("the list does not end")


async def test_a_signal_is_answered_and_its_incident_can_be_read(desk: Station) -> None:
    device = await desk.device(kind="phone")
    body = desk.signal("break_in", ago_s=90, note="Kính vỡ", zone="kho", position={"lat": 16.81, "lon": 107.1})
    answer = await desk.send(device, body)
    assert answer.status_code == 201
    assert list(answer.json()) == ["signal_id", "incident_id", "incident_status", "received_at"]
    assert (answer.json()["signal_id"], answer.json()["incident_status"]) == (body["id"], "open")
    incident = (await desk.get(f"/v1/incidents/{answer.json()['incident_id']}")).json()
    assert IncidentState.model_validate(incident | {"signals": 1}).id == incident["id"]
    assert incident["site"]["id"] == incident["site_id"] == str(device.site_id)
    assert (incident["kind"], incident["severity"], incident["status"]) == ("break_in", 2, "open")
    assert (incident["version"], incident["signals"][0]["id"]) == (1, body["id"])
    assert (incident["validation_level"], incident["notes"]) == (2, ["Kính vỡ"])
    travelled = parse_instant(incident["effective_at"]) - parse_instant(body["occurred_at"])
    assert timedelta() <= travelled < timedelta(seconds=5), "the time on the way is ours"
    assert [entry["type"] for entry in incident["timeline"]] == ["raised"]
    signal = (await desk.get(f"/v1/signals/{body['id']}")).json()
    assert signal == incident["signals"][0]
    assert signal["position"] == body["position"]
    assert all(instant.endswith("Z") for name, instant in incident.items() if name.endswith("_at") and instant)


async def test_the_timeline_tells_what_happened_in_order(station: Station) -> None:
    """Signals, what an operator did, and what the police did as heard over Kafka."""
    first, second = await station.devices(2)
    incident_id = await station.incident_of(first, kind="tamper")
    station.clock.advance(seconds=10)
    await station.send(second, kind="tamper")
    station.clock.advance(seconds=10)
    now = station.clock.now()
    raised_at = now - timedelta(seconds=15)
    await hear(station, alert(incident_id, raised_at, acknowledged_at=now, acknowledged_by="Trung úy An"))
    station.clock.advance(seconds=10)
    await station.post(f"/v1/incidents/{incident_id}/resolve", {"result": "test", "reason": "thử máy"})
    incident = (await station.get(f"/v1/incidents/{incident_id}")).json()
    told = [entry["type"] for entry in incident["timeline"]]
    assert told == ["raised", "alerted", "confirmed", "acknowledged", "resolved"]
    by_type = {entry["type"]: entry for entry in incident["timeline"]}
    assert by_type["acknowledged"]["unit"] == {"code": f"CAX-{COMMUNE}", "name": "Công an xã"}
    assert by_type["acknowledged"]["by"] == "Trung úy An"
    assert (by_type["resolved"]["result"], by_type["resolved"]["reason"]) == ("test", "thử máy")
    assert (incident["signals"][0]["device_id"], len(incident["signals"])) == (str(first.id), 2)


async def test_a_restoral_that_ends_an_incident_is_told_as_its_end(desk: Station) -> None:
    device = await desk.device()
    incident_id = await desk.incident_of(device, kind="tamper")
    await desk.send(device, kind="tamper", event="restoral")
    incident = (await desk.get(f"/v1/incidents/{incident_id}")).json()
    assert (incident["status"], incident["end_reason"]) == ("resolved", "restoral")
    assert [entry["type"] for entry in incident["timeline"]] == ["raised", "resolved"]


def alert(incident_id: str, raised_at: datetime, **fields: Any) -> AlertState:
    """A state of the alert of the commune's police, raised then."""
    return AlertState(
        id=str(UUID(int=1)), version=1, area="44", cause="raised", incident_id=incident_id, incident_version=1,
        incident_status="open", unit=UnitRef(code=f"CAX-{COMMUNE}", name="Công an xã", kind="commune_police"),
        status="raised", reason="kind:tamper", kind="tamper", severity=3,
        site=SiteRef(id=str(UUID(int=2)), name="x", kind="school", commune_code=COMMUNE), rang_at=raised_at,
        raised_at=raised_at, effective_at=raised_at, received_at=raised_at, changed_at=raised_at, **fields,
    )  # fmt: skip


async def hear(station: Station, *alerts: AlertState) -> None:
    """As if these alerts had come over Kafka."""
    events = [
        Event("vonggac.alerts", "44", 1, number, one.id, "vn.vonggac.alert.changed.v1", one.version,
              rfc3339(one.changed_at), one.model_dump_json().encode())
        for number, one in enumerate(alerts, 1)
    ]  # fmt: skip
    async with station.database.transaction() as connection:
        await on_alerts(connection, Batch("44", events, behind=False))


async def test_what_the_police_did_is_told_once_however_often_it_is_heard(station: Station) -> None:
    incident_id = await station.incident_of(await station.device())
    now = station.clock.now()
    done = {"acknowledged_at": now, "acknowledged_by": "An", "dispatched_at": now + timedelta(seconds=5)}
    states = [
        alert(incident_id, now),
        alert(incident_id, now, **done),
        alert(incident_id, now, **done, on_scene_at=now + timedelta(seconds=9)),
        alert(incident_id, now, **done, rings=2),
    ]
    await hear(station, *states[1:])
    for _ in range(2):
        await hear(station, *states)
    timeline = (await station.get(f"/v1/incidents/{incident_id}")).json()["timeline"]
    told = sorted(entry["type"] for entry in timeline)
    assert told == ["acknowledged", "alerted", "dispatched", "on_scene", "raised", "rung_again"]
    events = await station.value("SELECT count(*) FROM ledger WHERE topic = 'vonggac.incidents'")
    assert events == 1, "what is heard is never published again"


@pytest.mark.parametrize(
    ("way", "body", "status", "result"),
    [
        ("confirm", None, "confirmed", None),
        ("confirm", {}, "confirmed", None),
        ("resolve", None, "resolved", "true"),
        ("resolve", {"result": "attempt", "reason": "bỏ chạy"}, "resolved", "attempt"),
        ("cancel", {}, "cancelled", "other"),
        ("cancel", {"result": "false_by_device"}, "cancelled", "false_by_device"),
    ],
)
async def test_an_operator_confirms_resolves_and_cancels(
    desk: Station, way: str, body: dict[str, str] | None, status: str, result: str | None
) -> None:
    incident_id = await desk.incident_of(await desk.device())
    answer = await desk.post(f"/v1/incidents/{incident_id}/{way}", body, desk.operator(sub="Đại úy Bình"))
    assert answer.status_code == 200
    after = answer.json()
    assert (after["status"], after["result"], after["version"]) == (status, result, 2)
    assert after["ended_by"] == ("Đại úy Bình" if status != "confirmed" else None)
    assert (after["ended_at"] is None) == (status == "confirmed")
    said = await desk.rows("SELECT version, payload FROM ledger WHERE key = $1 ORDER BY sequence", incident_id)
    assert [row["version"] for row in said] == [1, 2]
    assert after == (await desk.get(f"/v1/incidents/{incident_id}")).json()
    assert IncidentState.model_validate_json(said[1]["payload"]).status == status


@pytest.mark.parametrize(("first", "second"), [("confirm", "confirm"), ("resolve", "confirm"), ("resolve", "cancel"),
                                               ("cancel", "resolve"), ("cancel", "cancel")])  # fmt: skip
async def test_what_cannot_be_done_now_is_409_with_the_present_state(desk: Station, first: str, second: str) -> None:
    incident_id = await desk.incident_of(await desk.device())
    before = (await desk.post(f"/v1/incidents/{incident_id}/{first}")).json()
    answer = await desk.post(f"/v1/incidents/{incident_id}/{second}")
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"] == "urn:vonggac:problem:conflict"
    assert problem["incident_status"] == before["status"]
    for name in ("id", "version", "status", "result", "ended_at", "ended_by", "site"):
        assert problem["incident"][name] == before[name]
    assert (await desk.get(f"/v1/incidents/{incident_id}")).json() == before


async def test_of_ten_operators_who_resolve_at_once_one_does(desk: Station) -> None:
    incident_id = await desk.incident_of(await desk.device())
    answers = await asyncio.gather(*(desk.post(f"/v1/incidents/{incident_id}/resolve") for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert await desk.value("SELECT count(*) FROM ledger WHERE key = $1", incident_id) == 2


async def test_lists_are_newest_first_and_filtered(desk: Station) -> None:
    site = await desk.site(commune="77777777")
    other = await desk.device(site=await desk.site(commune="77777777"))
    device = await desk.device(site=site)
    made = [
        await desk.incident_of(device, kind=kind, ago_s=ago_s)
        for kind, ago_s in (("fire", 50_000), ("gas", 40_000), ("theft", 30_000), ("panic", 20_000))
    ]
    elsewhere = await desk.incident_of(other, kind="fire", ago_s=10)
    await desk.post(f"/v1/incidents/{made[1]}/confirm")
    await desk.post(f"/v1/incidents/{made[2]}/cancel")

    async def found(**query: object) -> list[str]:
        items = await pages(desk, "/v1/incidents", limit=2, commune_code="77777777", **query)
        return [item["id"] for item in items]

    assert await found() == [elsewhere, *reversed(made)]
    assert await found(site_id=site) == list(reversed(made))
    assert await found(kind="fire") == [elsewhere, made[0]]
    assert await found(status="open") == [elsewhere, made[3], made[0]]
    assert await found(status="confirmed") == [made[1]]
    assert await found(status="cancelled", kind="gas") == []
    at = [(await desk.get(f"/v1/incidents/{key}")).json()["effective_at"] for key in made]
    between = {"from": at[1], "to": at[3]}
    assert await found(**between) == [made[2], made[1]], "from inclusive, to exclusive"


async def test_paging_is_complete_and_without_doubles_while_incidents_are_added(desk: Station) -> None:
    commune = "66666666"
    devices = [await desk.device(site=await desk.site(commune=commune)) for _ in range(23)]
    before = {await desk.incident_of(device, ago_s=number // 2) for number, device in enumerate(devices)}
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"cursor": cursor} if cursor else {}
        page = (await desk.get("/v1/incidents", commune_code=commune, limit=4, **query)).json()
        seen += [item["id"] for item in page["items"]]
        await desk.incident_of(await desk.device(site=await desk.site(commune=commune)))
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


async def test_incidents_of_the_same_instant_are_paged_too(station: Station) -> None:
    devices = [await station.device() for _ in range(7)]
    body = station.signal()
    made = {(await station.send(device, body | {"id": str(uuid4()), "sent_at": None})).json()["incident_id"]
            for device in devices}  # fmt: skip
    assert await station.value("SELECT count(DISTINCT effective_at) FROM incident") == 1
    seen = [item["id"] for item in await pages(station, "/v1/incidents", limit=2)]
    assert (len(seen), set(seen)) == (7, made)


async def test_a_powerless_post_is_told_that_there_is_no_incident_yet(desk: Station) -> None:
    device: Device = await desk.device()
    body = desk.signal("power_loss")
    answer = await desk.send(device, body)
    assert answer.status_code == 201
    assert (answer.json()["incident_id"], answer.json()["incident_status"]) == (None, None)
    assert (await desk.send(device, body)).content == answer.content


async def test_duress_is_answered_as_a_routine_signal(desk: Station) -> None:
    device = await desk.device()
    answers = [await desk.send(device, kind=kind) for kind in ("duress", "drill")]
    cancels = [await desk.send(device, kind=kind, event="cancel") for kind in ("duress", "drill")]
    for first, second in (answers, cancels):
        assert first.status_code == second.status_code
        assert list(first.json()) == list(second.json())
        assert first.json()["incident_status"] == second.json()["incident_status"]
    duress = (await desk.get(f"/v1/incidents/{answers[0].json()['incident_id']}")).json()
    assert (duress["status"], duress["silent"]) == ("open", True)


async def test_database_away_is_503_and_nothing_is_half_done(station: Station, cluster: Any) -> None:
    device, body = await station.device(), station.signal()
    await cluster.allow_connections(station.url, False)
    doors = [
        station.send(device, body), station.get("/v1/incidents"), station.get(f"/v1/signals/{body['id']}"),
        station.post(f"/v1/incidents/{uuid4()}/confirm"), station.send(device, {"id": "bad"}),
        station.post("/v1/sites", {"name": "x", "kind": "school", "commune_code": "1"}),
    ]  # fmt: skip
    for answer in await asyncio.gather(*doors):
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["type"] == "urn:vonggac:problem:unavailable"
    assert (await station.http.get("/health/ready")).status_code == 503
    assert (await station.http.get("/health/live")).status_code == 200
    await cluster.allow_connections(station.url, True)
    assert (await station.send(device, body)).status_code == 201
    assert await station.value("SELECT count(*) FROM signal") == 1
