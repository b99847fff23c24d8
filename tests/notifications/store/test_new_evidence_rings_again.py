"""What changes at a known incident: rings again, is brought up to date, or is stood down."""

from datetime import timedelta

import pytest

from foundation.chassis.identity import Scope
from services.notifications import actions
from services.notifications.domain.lifecycle import alert_id
from tests.notifications.desk import AREA, DONG_HA, KHE_SANH, NOON, Desk, after, incident

DESK = Scope("Trực ban", "province_desk", AREA)


async def do(desk: Desk, state, unit: str, action: str):
    async with desk.database.transaction() as connection:
        wanted = alert_id(state.id, unit)
        return await actions.act(connection, DESK, wanted, action, None, desk.clock.now())


async def test_a_second_detector_rings_everyone_again_who_is_not_stood_down(desk: Desk):
    fire = incident("fire")
    await desk.hear(fire)
    await do(desk, fire, "PC07", "acknowledge")
    await do(desk, fire, "TRUC-BAN", "stand-down")
    await desk.pass_time(seconds=30)
    await desk.hear(after(fire, rings=2, detectors=2, validation_level=2))
    alerts = {alert.unit.code: alert for alert in await desk.alerts(fire)}
    assert {code: alert.rings for code, alert in alerts.items()} == {f"CAX-{DONG_HA}": 2, "PC07": 2, "TRUC-BAN": 1}
    assert (alerts["PC07"].status, alerts["PC07"].acknowledged_by) == ("acknowledged", "Trực ban")
    assert alerts["PC07"].rang_at >= NOON + timedelta(seconds=30) > alerts["PC07"].raised_at


async def test_a_new_alarm_after_every_unit_was_stood_down_is_not_swallowed(desk: Desk):
    state = incident()
    await desk.hear(state)
    await do(desk, state, f"CAX-{DONG_HA}", "stand-down")
    state = after(state, rings=2)
    await desk.hear(state)
    assert {a.unit.code: a.reason for a in await desk.alerts() if a.status == "raised"} == {"TRUC-BAN": "rung_again"}
    await do(desk, state, "TRUC-BAN", "stand-down")
    state = after(state, rings=3)
    await desk.hear(state)
    assert await desk.held(state) == "stood_down"
    state = after(state, signals=9)
    await desk.hear(state)
    assert await desk.held(state) == "stood_down"
    await desk.hear(after(state, status="resolved"))
    assert await desk.held(state) is None


async def test_yesterdays_alarm_that_comes_in_late_does_not_ring_again(desk: Desk):
    state = incident()
    await desk.hear(state)
    desk.clock.advance(hours=25)
    await desk.hear(after(state, rings=2, notes=["máy để ngoài vùng phủ sóng"]))
    [alert] = await desk.alerts()
    assert (alert.rings, alert.cause) == (1, "incident_changed")


async def test_verification_tells_the_units_of_a_tamper(desk: Desk):
    state = incident("tamper")
    await desk.hear(state)
    assert (await desk.alerts(), await desk.held(state)) == ([], None)
    await desk.hear(after(state, status="confirmed"))
    assert [alert.unit.code for alert in await desk.alerts()] == [f"CAX-{DONG_HA}"]


async def test_a_change_of_place_tells_new_units_and_silently_removes_nobody(desk: Desk):
    state = incident()
    await desk.hear(state)
    await desk.hear(after(state, site=state.site.model_copy(update={"commune_code": KHE_SANH})))
    alerts = {alert.unit.code: alert for alert in await desk.alerts()}
    assert {code: (a.status, a.rings) for code, a in alerts.items()} == {
        f"CAX-{DONG_HA}": ("raised", 2),
        f"CAX-{KHE_SANH}": ("raised", 1),
    }
    assert {alert.site.commune_code for alert in alerts.values()} == {KHE_SANH}


async def test_confirming_changes_what_is_shown_without_a_ring(desk: Desk):
    state = incident()
    await desk.hear(state)
    await desk.hear(after(state, status="confirmed", validation_level=2))
    [alert] = await desk.alerts()
    assert (alert.cause, alert.rings, alert.incident_status, alert.validation_level) == (
        "incident_changed", 1, "confirmed", 2,
    )  # fmt: skip


@pytest.mark.parametrize("end", ["resolved", "cancelled"])
async def test_the_end_of_an_incident_stands_every_unit_down(desk: Desk, end: str):
    fire = incident("fire")
    await desk.hear(fire)
    await do(desk, fire, "PC07", "on-scene")
    await do(desk, fire, "TRUC-BAN", "stand-down")
    await desk.hear(after(fire, status=end))
    alerts = {alert.unit.code: alert for alert in await desk.alerts(fire)}
    assert {alert.status for alert in alerts.values()} == {"stood_down"}
    assert {code: alert.stood_down_reason for code, alert in alerts.items()} == {
        f"CAX-{DONG_HA}": f"incident_{end}", "PC07": f"incident_{end}", "TRUC-BAN": "by_unit",
    }  # fmt: skip
    assert alerts[f"CAX-{DONG_HA}"].acknowledged_at is None
    assert len(await desk.said()) == 3 + 2 + 2
