"""What is over by the time it is heard never rings, and nothing older than a day does."""

import asyncio
from datetime import timedelta

from tests.world.world import World


async def test_of_a_backlog_of_500_incidents_only_those_that_are_not_over_ring(world: World) -> None:
    await world.stop("notifications")
    kinds = ("break_in", "theft", "disorder", "vandalism")
    posted = [(kind, world.device()) for kind in kinds for _ in range(125)]
    gate = asyncio.Semaphore(25)

    async def one(number: int, kind: str, device: dict[str, str]) -> None:
        async with gate:
            signal = await world.post(kind, device=device)
            assert signal.status == 201
            if number % 5:
                await world.operate(signal.incident_id, "cancel", result="test")

    async with asyncio.TaskGroup() as group:
        for number, (kind, device) in enumerate(posted):
            group.create_task(one(number, kind, device))
    await world.start("notifications")
    await world.settle(60)
    assert len(await world.listed("incidents", "/v1/incidents")) == 500
    alerts = await world.desk.alerts()
    assert len(alerts) == 100
    assert {alert["status"] for alert in alerts} == {"raised"}


async def test_an_hour_old_signal_is_marked_late_and_one_of_yesterday_rings_nobody(world: World) -> None:
    now = world.clock.now()
    late = await world.post("break_in", at=now - timedelta(hours=1))
    old = await world.post("break_in", at=now - timedelta(hours=25))
    await world.settle()
    (alert,) = await world.desk.alerts()
    assert (alert["incident_id"], alert["late"]) == (late.incident_id, True)
    incident = await world.get("incidents", f"/v1/incidents/{old.incident_id}")
    assert incident["status"] == "open"
    page = (await world.desk.client.get("/v1/alerts")).json()
    assert page["held_old"] == 1
