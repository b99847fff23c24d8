"""What an officer can do with an alert, and what they are told when they cannot."""

import asyncio
from uuid import uuid4

import pytest

from tests.notifications.api.door import CAX, Door, problem, state
from tests.notifications.desk import DONG_HA, Desk, after, incident

STEPS = [
    ("acknowledge", "acknowledged"),
    ("dispatch", "dispatched"),
    ("on-scene", "on_scene"),
    ("stand-down", "stood_down"),
]


async def test_step_by_step_with_who_and_when(desk: Desk, door: Door):
    await desk.hear(incident())
    [alert] = await desk.alerts()
    for place, (verb, status) in enumerate(STEPS):
        changed = state(await door.officer.post(f"/v1/alerts/{alert.id}/{verb}", json={"reason": f"lý do {place}"}))
        assert (changed.status, changed.version, changed.cause) == (status, place + 2, status)
        assert getattr(changed, f"{status}_by") == "Trần Cảnh Sát"
        assert getattr(changed, f"{status}_at") == changed.changed_at
    assert [said.version for said in await desk.said()] == [1, 2, 3, 4, 5]
    whole = (await door.officer.get(f"/v1/alerts/{alert.id}")).json()
    assert whole["stood_down_reason"] == "by_unit"
    assert [(act["action"], act["reason"]) for act in whole["actions"]] == [
        (verb, f"lý do {place}") for place, (verb, _) in enumerate(STEPS)
    ]


async def test_what_is_not_forward_is_refused_with_the_present_state(desk: Desk, door: Door):
    await desk.hear(incident())
    [alert] = await desk.alerts()
    there = await door.officer.post(f"/v1/alerts/{alert.id}/on-scene")  # a body is not needed
    for verb in ("acknowledge", "dispatch", "on-scene"):
        refused = problem(await door.desk.post(f"/v1/alerts/{alert.id}/{verb}", json={}), 409)
        assert refused["alert"] == there.json()
        assert refused["alert_status"] == "on_scene"
    assert len(await desk.said()) == 2


async def test_of_two_officers_at_the_same_moment_one_wins_and_the_other_sees_who(desk: Desk, door: Door):
    await desk.hear(incident())
    [alert] = await desk.alerts()
    callers = [await door.caller("province_desk", sub=f"Cán bộ {number}") for number in range(8)]
    answers = await asyncio.gather(*(one.post(f"/v1/alerts/{alert.id}/acknowledge") for one in callers))
    [won] = [state(answer) for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code != 200:
            assert problem(answer, 409)["alert"]["acknowledged_by"] == won.acknowledged_by
    assert len(await desk.said()) == 2


async def test_each_unit_acknowledges_for_itself(desk: Desk, door: Door):
    await desk.hear(incident("fire"))
    mine = next(alert for alert in await desk.alerts() if alert.unit.code == CAX)
    state(await door.officer.post(f"/v1/alerts/{mine.id}/acknowledge"))
    assert {a.unit.code: a.status for a in await desk.alerts()} == {
        CAX: "acknowledged", "PC07": "raised", "TRUC-BAN": "raised",
    }  # fmt: skip


async def test_a_transfer_stands_one_unit_down_and_tells_the_other(desk: Desk, door: Door):
    burglary = incident()
    await desk.hear(burglary)
    [alert] = await desk.alerts()
    await door.officer.post(f"/v1/alerts/{alert.id}/acknowledge")
    body = {"unit": "PC07", "reason": "cần xe thang"}
    mine = state(await door.officer.post(f"/v1/alerts/{alert.id}/transfer", json=body))
    assert (mine.status, mine.stood_down_reason, mine.transferred_to) == ("stood_down", "transferred", "PC07")
    theirs = next(one for one in await desk.alerts() if one.unit.code == "PC07")
    assert (theirs.status, theirs.transferred_from, theirs.reason) == ("raised", CAX, f"transferred from {CAX}")
    assert [said.cause for said in await desk.said()] == ["raised", "acknowledged", "transferred", "raised"]
    await desk.hear(after(burglary, rings=2))  # from now on it is theirs
    assert {one.unit.code: one.rings for one in await desk.alerts()} == {CAX: 1, "PC07": 2}


async def test_a_transfer_that_cannot_be_is_refused(desk: Desk, door: Door):
    fire = incident("fire")
    await desk.hear(fire)
    alerts = {alert.unit.code: alert for alert in await desk.alerts()}
    here = f"/v1/alerts/{alerts[CAX].id}/transfer"
    assert problem(await door.desk.post(here, json={"unit": "PC99"}), 422)["errors"][0]["field"] == "unit"
    assert problem(await door.desk.post(here, json={}), 422)["errors"][0]["field"] == "unit"
    await door.desk.post(f"/v1/alerts/{alerts['PC07'].id}/dispatch")
    refused = problem(await door.desk.post(here, json={"unit": "PC07"}), 409)
    assert (refused["unit_alert_status"], refused["alert"]["id"]) == ("dispatched", alerts[CAX].id)
    problem(await door.desk.post(here, json={"unit": CAX}), 409)
    await desk.hear(after(fire, status="resolved"))
    over = problem(await door.desk.post(here, json={"unit": "TRUC-BAN"}), 409)
    assert over["alert_status"] == "stood_down"


@pytest.mark.parametrize("verb", ["acknowledge", "dispatch", "on-scene", "stand-down", "transfer"])
async def test_only_who_may_and_only_ones_own(desk: Desk, door: Door, verb: str):
    await desk.hear(incident("fire"))
    alerts = {alert.unit.code: alert.id for alert in await desk.alerts()}
    body = {"unit": "TRUC-BAN"} if verb == "transfer" else {}
    elsewhere = await door.caller("unit_officer", unit="CAX-19429")
    nowhere = await door.caller("unit_officer")
    problem(await door.leader.post(f"/v1/alerts/{alerts[CAX]}/{verb}", json=body), 403)
    problem(await door.officer.post(f"/v1/alerts/{alerts['PC07']}/{verb}", json=body), 404)
    problem(await elsewhere.post(f"/v1/alerts/{alerts[CAX]}/{verb}", json=body), 404)
    problem(await nowhere.post(f"/v1/alerts/{alerts[CAX]}/{verb}", json=body), 404)
    problem(await door.desk.post(f"/v1/alerts/{uuid4()}/{verb}", json=body), 404)
    problem(await (await door.with_token(None)).post(f"/v1/alerts/{alerts[CAX]}/{verb}", json=body), 401)
    assert len(await desk.said()) == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [({"reason": "a" * 2001}, "reason"), ({"reason": 7}, "reason"), ("text", "body"), ({"reason": "\0"}, "body")],
)
async def test_bad_bodies_are_named(desk: Desk, door: Door, body: object, field: str):
    await desk.hear(incident(commune=DONG_HA))
    [alert] = await desk.alerts()
    answer = problem(await door.desk.post(f"/v1/alerts/{alert.id}/acknowledge", json=body), 422)
    assert answer["errors"][0]["field"] == field
