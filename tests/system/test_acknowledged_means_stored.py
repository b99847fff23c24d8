"""A 201 is given after the commit: what was acknowledged is there, even if the process dies in the same moment."""

import asyncio

from tests.world.services import ProcessService
from tests.world.world import World


async def test_nothing_acknowledged_is_lost_when_incidents_is_killed_under_load(processes: World) -> None:
    service = processes.services["incidents"][0]
    assert isinstance(service, ProcessService)
    for _ in range(3):
        senders = [asyncio.create_task(_keep_posting(processes)) for _ in range(8)]
        before = len(processes.accounting.answers)
        while len(processes.accounting.answers) < before + 40:
            await asyncio.sleep(0.005)
        await service.kill()
        await asyncio.gather(*senders)
        await service.start()
    await processes.settle(60)
    stored = {item["id"] for item in await _signals(processes)}
    assert processes.accounting.answers.keys() <= stored
    assert stored <= processes.accounting.attempts.keys()


async def _keep_posting(world: World) -> None:
    """Until there is nobody to answer."""
    while (await world.post("theft")).status is not None:
        pass


async def _signals(world: World) -> list[dict[str, str]]:
    found = []
    for incident in await world.listed("incidents", "/v1/incidents"):
        found += (await world.get("incidents", f"/v1/incidents/{incident['id']}"))["signals"]
    return found
