"""A fire alerts three units: each acknowledges for itself, and the end of the incident stands all of them down."""

from tests.world.world import World


async def test_one_unit_acknowledging_does_not_silence_the_others(world: World) -> None:
    fire = await world.post("fire")
    await world.settle()
    commune = fire.device["commune_code"]
    police, firefighters = world.console(f"CAX-{commune}"), world.console("PC07")
    (own,) = await police.alerts()
    assert (await police.act(own, "acknowledge")).status_code == 200
    states = {alert["unit"]["code"]: alert["status"] for alert in await world.desk.alerts(incident_id=fire.incident_id)}
    assert states == {f"CAX-{commune}": "acknowledged", "PC07": "raised", "TRUC-BAN": "raised"}
    (other,) = await firefighters.alerts()
    assert (await police.act(other, "acknowledge")).status_code == 404  # not theirs to see
    assert (await firefighters.act(other, "dispatch")).status_code == 200
    await police.close()
    await firefighters.close()


async def test_ending_an_incident_stands_every_unit_down(world: World) -> None:
    fire = await world.post("fire")
    await world.settle()
    first, *_ = await world.desk.alerts(incident_id=fire.incident_id)
    await world.desk.act(first, "on-scene")
    await world.operate(fire.incident_id, "resolve", result="true", reason="đã dập tắt")
    await world.settle()
    alerts = await world.desk.alerts(incident_id=fire.incident_id)
    assert {(a["status"], a["stood_down_reason"]) for a in alerts} == {("stood_down", "incident_resolved")}
    late = await world.desk.act(first, "acknowledge")
    assert late.status_code == 409
    assert late.json()["alert"]["status"] == "stood_down"


async def test_an_uncovered_commune_goes_to_the_province_desk(world: World) -> None:
    site = {"name": "Trạm mới", "kind": "agency", "commune_code": "99999"}
    answer = await world.http.post(f"{world.incidents_url}/v1/sites", json=site, headers=world.bearer)
    post = {"site_id": answer.json()["id"], "name": "Cổng"}
    answer = await world.http.post(f"{world.incidents_url}/v1/posts", json=post, headers=world.bearer)
    device = {"post_id": answer.json()["id"], "name": "Máy", "type": "phone"}
    answer = await world.http.post(f"{world.incidents_url}/v1/devices", json=device, headers=world.bearer)
    sender = {"key": answer.json()["key"], "commune_code": "99999", "site_id": post["site_id"]}
    signal = await world.post("break_in", device=sender)
    await world.settle()
    (alert,) = await world.desk.alerts(incident_id=signal.incident_id)
    assert (alert["unit"]["code"], alert["reason"]) == ("TRUC-BAN", "uncovered:99999")


async def test_an_alert_is_handed_to_another_unit(world: World) -> None:
    signal = await world.post("theft")
    await world.settle()
    (alert,) = await world.desk.alerts(incident_id=signal.incident_id)
    handed = await world.desk.act(alert, "transfer", unit="PC07", reason="cần xe thang")
    assert handed.status_code == 200
    await world.settle()
    found = {a["unit"]["code"]: a for a in await world.desk.alerts(incident_id=signal.incident_id)}
    assert found[alert["unit"]["code"]]["status"] == "stood_down"
    assert found["PC07"]["status"] == "raised"
    timeline = (await world.get("incidents", f"/v1/incidents/{signal.incident_id}"))["timeline"]
    assert "transferred" in [entry["type"] for entry in timeline]
