"""A page that loses its line and comes back has every change once, in order."""

import asyncio

from tests.world.consoles import Console
from tests.world.world import World


async def test_coming_back_with_the_last_number_gives_what_was_missed_and_nothing_twice(world: World) -> None:
    page = (await world.desk.client.get("/v1/alerts")).json()
    last = page["stream_from"]
    heard: list[int] = []
    for _ in range(4):
        await asyncio.gather(*(world.post("break_in") for _ in range(5)))
        console = Console(world.notifications_url, world.token)
        async with console.listening(last_event_id=last):
            await asyncio.gather(*(world.post("theft") for _ in range(5)))
            await world.settle()
            head = (await world.desk.client.get("/v1/alerts")).json()["stream_from"]
            await console.expect("the newest number", lambda event, head=head: event.id == head)
        numbers = [event.id for event in console.events if event.name == "alert"]
        heard += [number for number in numbers if number is not None]
        last = heard[-1]
        await console.close()
    assert heard == list(range(page["stream_from"] + 1, last + 1))
    assert len(await world.desk.alerts()) == 40
