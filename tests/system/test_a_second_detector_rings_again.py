"""What a second signal does: confirms and rings again, joins quietly, closes, cancels; as DOMAIN's table says."""

from tests.world.world import World


async def test_two_detectors_confirm_and_ring_again(world: World) -> None:
    device = world.device()
    async with world.desk.listening():
        first = await world.post("break_in", device=device, zone="cửa trước")
        await world.desk.expect("the first ring", lambda e: e.name == "alert" and e.data["rings"] == 1)
        second = await world.post("break_in", device=device, zone="kho")
        again = await world.desk.expect("the second ring", lambda e: e.name == "alert" and e.data["rings"] == 2)
    assert second.incident_id == first.incident_id
    assert second.body["incident_status"] == "confirmed"
    assert again.data["cause"] == "rung_again"
    assert again.data["incident_status"] == "confirmed"
    assert len(await world.desk.alerts(incident_id=first.incident_id)) == 1


async def test_the_same_detector_joins_and_rings_nobody_again(world: World) -> None:
    first = await world.post("break_in")
    second = await world.post("break_in", device=first.device)
    await world.settle()
    assert second.incident_id == first.incident_id
    alerts = await world.desk.alerts(incident_id=first.incident_id)
    assert [(alert["rings"], alert["status"]) for alert in alerts] == [(1, "raised")]


async def test_a_restoral_of_all_zones_closes_what_is_no_danger_and_never_a_fire(world: World) -> None:
    for kind, status in (("vandalism", "resolved"), ("fire", "open")):
        alarm = await world.post(kind)
        restoral = await world.post(kind, device=alarm.device, event="restoral")
        assert restoral.incident_id == alarm.incident_id
        assert restoral.body["incident_status"] == status
    await world.settle()
    open_kinds = {alert["kind"] for alert in await world.desk.alerts(status="open")}
    assert open_kinds == {"fire"}


async def test_the_guard_cancels_within_the_grace_time_and_not_after_it(world: World) -> None:
    alarm = await world.post("break_in")
    await world.settle()
    cancel = await world.post("break_in", device=alarm.device, event="cancel")
    assert cancel.body["incident_status"] == "cancelled"
    late = await world.post("panic")
    await world.settle()
    world.clock.advance(seconds=91)
    too_late = await world.post("panic", device=late.device, event="cancel")
    assert too_late.body["incident_status"] == "open"
    await world.settle()
    (stood_down,) = await world.desk.alerts(incident_id=alarm.incident_id)
    assert (stood_down["status"], stood_down["stood_down_reason"]) == ("stood_down", "incident_cancelled")
    incident = await world.get("incidents", f"/v1/incidents/{alarm.incident_id}")
    assert incident["result"] == "false_by_user"


async def test_a_drill_alerts_nobody_and_is_counted_as_a_drill(world: World) -> None:
    drill = await world.post("fire", drill=True)
    real = await world.post("fire", device=drill.device)
    assert real.incident_id != drill.incident_id
    await world.settle()
    assert await world.desk.alerts(incident_id=drill.incident_id) == []
    assert len(await world.desk.alerts(incident_id=real.incident_id)) == 3
    (item,) = (await world.get("reporting", "/v1/statistics"))["items"]
    assert (item["incidents"], item["drills"]) == (1, 1)


async def test_duress_is_an_incident_of_its_own_and_answered_like_any_other(world: World) -> None:
    panic = await world.post("panic")
    duress = await world.post("duress", device=panic.device)
    assert duress.incident_id != panic.incident_id
    assert duress.body.keys() == panic.body.keys()
    assert duress.body["incident_status"] == "open"
    cancel = await world.post("duress", device=panic.device, event="cancel")
    assert cancel.body["incident_status"] == "cancelled"  # what whoever forces the guard may read
    await world.settle()
    alerts = await world.desk.alerts(incident_id=duress.incident_id)
    assert {alert["unit"]["kind"] for alert in alerts} == {"commune_police", "province_desk"}
    assert {(alert["status"], alert["silent"]) for alert in alerts} == {("raised", True)}


async def test_a_power_failure_that_lasts_becomes_an_incident_and_a_short_one_does_not(world: World) -> None:
    short = await world.post("power_loss")
    assert short.body["incident_id"] is None
    await world.post("power_loss", device=short.device, event="restoral")
    long = await world.post("power_loss")
    await world.settle()
    world.clock.advance(minutes=6)
    incidents = await _until_some(world)
    assert [item["site"]["id"] for item in incidents] == [long.device["site_id"]]


async def _until_some(world: World) -> list[dict[str, object]]:
    for _ in range(100):
        found = await world.listed("incidents", "/v1/incidents", kind="power_loss")
        if found:
            return found
        await world.settle()
    raise AssertionError("the power loss never became an incident")
