"""Alerts, units, kinds: what is listed, to whom, page by page."""

from datetime import timedelta

import pytest

from foundation.contracts.fields import rfc3339
from foundation.contracts.kinds import KINDS
from tests.notifications.api.door import CAX, Door, problem
from tests.notifications.desk import DONG_HA, KHE_SANH, NOON, Desk, after, incident


@pytest.fixture
async def busy(desk: Desk) -> Desk:
    """A fire and a break-in in Đông Hà, a resolved theft in Khe Sanh an hour later, and something of yesterday."""
    theft = incident("theft", commune=KHE_SANH)
    await desk.hear(incident("fire"), incident("break_in"))
    desk.clock.advance(hours=1)
    await desk.hear(theft, incident(at=NOON - timedelta(hours=30)))
    await desk.hear(after(theft, status="resolved"))
    return desk


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, 5),
        ({"status": "open"}, 4),
        ({"status": "stood_down"}, 1),
        ({"unit": CAX}, 2),
        ({"severity": "1"}, 3),
        ({"kind": "break_in"}, 1),
        ({"unit": CAX, "severity": "1", "status": "raised"}, 1),
        ({"from": rfc3339(NOON + timedelta(minutes=30))}, 1),
        ({"to": rfc3339(NOON + timedelta(minutes=30))}, 4),
    ],
)
async def test_filters(busy: Desk, door: Door, asked: dict[str, str], found: int):
    page = (await door.leader.get("/v1/alerts", params=asked)).json()
    assert len(page["items"]) == found
    assert page["next"] is None
    assert page["stream_from"] == 6
    assert page["held_old"] == 1
    assert page["server_time"].startswith("2026-11-24T06:00")


async def test_of_one_incident_and_page_by_page(busy: Desk, door: Door):
    whole = (await door.desk.get("/v1/alerts")).json()["items"]
    assert whole[0]["kind"] == "theft"
    assert whole == sorted(whole, key=lambda item: (item["raised_at"], item["id"]), reverse=True)
    assert whole == [alert.model_dump(mode="json") for alert in sorted(
        await busy.alerts(), key=lambda alert: (alert.raised_at, alert.id), reverse=True
    )]  # fmt: skip
    found, cursor = [], None
    while cursor is not None or not found:
        more = {"cursor": cursor} if cursor else {}
        page = (await door.desk.get("/v1/alerts", params={"limit": "2", **more})).json()
        found += page["items"]
        cursor = page["next"]
    assert found == whole
    one = (await door.desk.get("/v1/alerts", params={"incident_id": whole[0]["incident_id"]})).json()["items"]
    assert one == [whole[0]]


async def test_a_unit_sees_its_own_alerts_only(busy: Desk, door: Door):
    mine = (await door.officer.get("/v1/alerts")).json()
    assert {item["unit"]["code"] for item in mine["items"]} == {CAX}
    assert (len(mine["items"]), mine["held_old"]) == (2, 0)
    assert (await door.officer.get("/v1/alerts", params={"unit": "PC07"})).json()["items"] == []
    theirs = next(alert for alert in await busy.alerts() if alert.unit.code == "PC07")
    problem(await door.officer.get(f"/v1/alerts/{theirs.id}"), 404)
    assert (await door.leader.get(f"/v1/alerts/{theirs.id}")).json()["unit"]["code"] == "PC07"
    nowhere = await door.caller("unit_officer")
    assert (await nowhere.get("/v1/alerts")).json()["items"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "gone"), ("severity", "5"), ("severity", "x"), ("incident_id", "urn:uuid:1"), ("from", "1"),
        ("to", "2026-11-24T08:00:00"), ("cursor", "!"), ("limit", "0"), ("limit", "501"), ("kind", "k" * 65),
    ],
)  # fmt: skip
async def test_a_bad_question_names_its_field(door: Door, name: str, value: str):
    assert problem(await door.desk.get("/v1/alerts", params={name: value}), 422)["errors"][0]["field"] == name


async def test_a_stranger_an_integrator_and_another_province(busy: Desk, door: Door):
    problem(await (await door.with_token(None)).get("/v1/alerts"), 401)
    problem(await (await door.with_token("a.b.c")).get("/v1/alerts"), 401)
    problem(await (await door.caller("integrator")).get("/v1/alerts"), 403)
    problem(await (await door.with_token(f"vgd_{'0' * 32}_{'A' * 43}")).get("/v1/alerts"), 403)
    away = await door.with_token(door.token("province_desk", area="45"))
    assert (await away.get("/v1/alerts")).json()["items"] == []
    problem(await away.get("/v1/stream"), 403)


async def test_units_and_what_they_cover(desk: Desk, door: Door):
    page = (await door.officer.get("/v1/units", params={"limit": "3"})).json()
    rest = (await door.officer.get("/v1/units", params={"cursor": page["next"]})).json()
    assert [unit["code"] for unit in page["items"] + rest["items"]] == [CAX, f"CAX-{KHE_SANH}", "PC07", "TRUC-BAN"]
    assert page["items"][2] == {
        "code": "PC07", "name": "Phòng Cảnh sát PCCC và CNCH (PC07)", "kind": "fire_police",
        "commune_codes": [DONG_HA, KHE_SANH],
    }  # fmt: skip
    assert rest["next"] is None


async def test_a_new_unit_answers_for_what_it_covers(desk: Desk, door: Door):
    unit = {"code": "CAX-19500", "name": "Công an xã Cửa Tùng", "kind": "commune_police", "commune_codes": ["19500"]}
    problem(await door.officer.post("/v1/units", json=unit), 403)
    made = await door.desk.post("/v1/units", json=unit)
    assert (made.status_code, made.json()) == (201, unit)
    problem(await door.desk.post("/v1/units", json=unit), 409)
    await desk.hear(incident(commune="19500"))
    change = {"commune_codes": ["19501"], "name": "Công an Cửa Tùng"}
    changed = await door.desk.patch("/v1/units/CAX-19500", json=change)
    assert changed.json() == unit | change
    assert (await door.desk.get("/v1/units/CAX-19500")).json() == changed.json()
    await desk.hear(incident(commune="19500"), incident(commune="19501"))
    told = sorted((alert.site.commune_code, alert.unit.name) for alert in await desk.alerts())
    assert told == [
        ("19500", "Công an xã Cửa Tùng"),  # keeps the name it had
        ("19500", "Trực ban Công an tỉnh Quảng Trị"),
        ("19501", "Công an Cửa Tùng"),
    ]
    problem(await door.desk.patch("/v1/units/CAX-1", json={}), 404)
    problem(await door.desk.get("/v1/units/CAX-1"), 404)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"code": "cax 1"}, "code"), ({"name": " "}, "name"), ({"kind": "army"}, "kind"),
     ({"commune_codes": ["x"]}, "commune_codes.0")],
)  # fmt: skip
async def test_a_bad_unit_is_named(door: Door, change: dict[str, object], field: str):
    unit = {"code": "CAX-1", "name": "Công an xã", "kind": "commune_police", "commune_codes": []} | change
    assert problem(await door.desk.post("/v1/units", json=unit), 422)["errors"][0]["field"] == field


async def test_kinds_and_counts(busy: Desk, door: Door):
    assert [item["code"] for item in (await door.officer.get("/v1/kinds")).json()["items"]] == list(KINDS)
    counts = (await door.leader.get("/v1/status")).json()["counts"]
    assert counts | {"incidents": 4, "alerts": 5, "raised": 4, "stood_down": 1, "held_old": 1, "late": 1} == counts
