"""One signal, one acknowledgement and one resolve make a known number of events, and then silence."""

from tests.world.world import World


async def test_the_number_of_events_is_known(world: World) -> None:
    fire = await world.post("fire")
    await world.settle()
    alerts = await world.desk.alerts(incident_id=fire.incident_id)
    await world.desk.act(alerts[0], "acknowledge")
    await world.settle()
    await world.operate(fire.incident_id, "resolve", result="true")
    await world.settle()
    # incidents: raised, resolved; alerts: three raised, one acknowledged, three stood down
    assert await _heads(world) == {"vonggac.incidents": 2, "vonggac.alerts": 7}
    world.clock.advance(seconds=30)
    await world.settle()
    assert await _heads(world) == {"vonggac.incidents": 2, "vonggac.alerts": 7}


async def _heads(world: World) -> dict[str, int]:
    found = {}
    for service in ("incidents", "notifications"):
        for stream in (await world.get(service, "/v1/status"))["streams"]:
            found[stream["topic"]] = stream["head"]
    return {topic: head for topic, head in found.items() if topic != "vonggac.sites"}
