"""The whole way of one signal: post → incidents → Kafka → notifications → console, and into the figures."""

from tests.world.world import World


async def test_a_break_in_reaches_the_commune_police_and_the_figures(world: World) -> None:
    async with world.desk.listening():
        signal = await world.post("break_in", note="cửa sau bị cạy")
        assert signal.status == 201
        heard = await world.desk.expect(
            "the alert of the break-in",
            lambda event: event.name == "alert" and event.data["incident_id"] == signal.incident_id,
        )
    commune = signal.device["commune_code"]
    assert heard.data["unit"]["code"] == f"CAX-{commune}"
    assert heard.data["status"] == "raised"
    assert heard.data["site"]["name"] == signal.device["site_name"]
    assert heard.data["reason"] == "kind:break_in"

    acknowledged = await world.desk.act(heard.data, "acknowledge")
    assert acknowledged.status_code == 200
    assert acknowledged.json()["status"] == "acknowledged"
    await world.settle()

    incident = await world.get("incidents", f"/v1/incidents/{signal.incident_id}")
    assert [entry["type"] for entry in incident["timeline"]] == ["raised", "alerted", "acknowledged"]
    statistics = await world.get("reporting", "/v1/statistics", group_by="commune")
    assert [(item["key"], item["incidents"]) for item in statistics["items"]] == [(commune, 1)]
    assert statistics["items"][0]["alert_to_acknowledged_s"]["p50"] > 0
