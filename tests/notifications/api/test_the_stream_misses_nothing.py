"""A page that reconnects to any process has every change once, in order; a slow or lost page is told to start over."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from foundation.contracts import alerts
from foundation.contracts.alerts import AlertState
from foundation.streams import ledger
from services.notifications.domain.lifecycle import raised
from services.notifications.live import Hub
from services.notifications.settings import Settings
from tests.notifications.api.door import CAX
from tests.notifications.desk import AREA, NOON, WITHIN_S, Desk, incident, units_of_the_province

UNITS = units_of_the_province()


@dataclass
class Page:
    """One connection: what it heard, as ``(id, event, data)``."""

    heard: list[tuple[int, str, Any]] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def numbers(self) -> list[int]:
        return [number for number, name, _ in self.heard if name == "alert"]

    def names(self) -> list[str]:
        return [name for _, name, _ in self.heard]

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not done():
                self.more.clear()
                await self.more.wait()


@contextlib.asynccontextmanager
async def connected(hub: Hub, last_id: int | None = None, unit: str | None = None) -> AsyncIterator[Page]:
    """A page on the stream for a while."""
    page = Page()

    async def listen() -> None:
        async with contextlib.aclosing(hub.follow(AREA, unit, last_id)) as frames:
            async for text in frames:
                for event in text.decode().split("\n\n")[:-1]:
                    number, name, data = (line.partition(": ")[2] for line in event.split("\n"))
                    page.heard.append((int(number), name, orjson.loads(data)))
                page.more.set()

    await hub.ready(AREA)
    task = asyncio.create_task(listen())
    try:
        await page.until(lambda: page.heard)
        yield page
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def process(desk: Desk, **settings: Any) -> AsyncIterator[Hub]:
    """The live part of one process of notifications."""
    hub = Hub(desk.database, Settings(database_url=desk.settings.database_url, **settings), desk.clock)
    task = asyncio.create_task(hub.read())
    await hub.ready(AREA)
    try:
        yield hub
    finally:
        await hub.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def alert(unit: int = 0) -> AlertState:
    return raised(incident(), UNITS[unit], "kind:break_in", NOON, late=False)


async def say(desk: Desk, *said: AlertState, pause_s: float = 0) -> None:
    """Puts alerts on the ledger as another process would; ``pause_s``: between taking the numbers and the commit."""
    async with desk.database.transaction() as connection:
        events = [
            ledger.NewEvent(alerts.TOPIC, AREA, one.id, alerts.TYPE, one.version, one.model_dump_json()) for one in said
        ]
        await ledger.append(connection, events, NOON)
        await asyncio.sleep(pause_s)


async def head(desk: Desk) -> int:
    found: int = await desk.database.pool.fetchval("SELECT head FROM stream WHERE topic = $1", alerts.TOPIC)
    return found


async def test_pages_of_two_processes_miss_nothing_and_double_nothing_however_often_they_reconnect(desk: Desk):
    chance = random.Random(8)
    writing = True

    async def write() -> None:
        while writing:
            await say(desk, *(alert() for _ in range(chance.randint(1, 4))), pause_s=chance.choice([0, 0.002, 0.01]))

    async def read(hubs: list[Hub]) -> list[int]:
        numbers: list[int] = []
        for _ in range(12):
            at = len(numbers)
            async with connected(chance.choice(hubs), numbers[-1] if numbers else 0) as page:
                await page.until(lambda page=page: len(page.numbers) >= 4)
                numbers += page.numbers[: chance.randint(1, len(page.numbers))]  # the line broke somewhere
            assert len(numbers) > at
        return numbers

    async with process(desk) as one, process(desk) as two:
        writers = [asyncio.create_task(write()) for _ in range(6)]
        found = await asyncio.gather(*(read([one, two]) for _ in range(4)))
        writing = False
        await asyncio.gather(*writers)
    for numbers in found:
        assert numbers == list(range(1, numbers[-1] + 1))


async def test_list_and_stream_join_without_a_gap(desk: Desk, door):
    async with process(desk) as hub:
        await desk.hear(incident("fire"))
        page = (await door.desk.get("/v1/alerts")).json()
        await desk.hear(incident("fire"))
        async with connected(hub, page["stream_from"]) as live:
            await desk.hear(incident("fire"))
            await live.until(lambda: len(live.numbers) == 6)
        whole = {item["id"]: item for item in page["items"]} | {d["id"]: d for _, n, d in live.heard if n == "alert"}
        fresh = (await door.desk.get("/v1/alerts")).json()["items"]
    assert whole == {item["id"]: item for item in fresh}


async def test_without_a_number_it_starts_now_with_a_tick(desk: Desk):
    await say(desk, alert(), alert())
    async with process(desk) as hub, connected(hub) as page:
        await say(desk, alert())
        await page.until(lambda: page.numbers)
    (number, name, tick), *rest = page.heard
    assert (number, name, tick["sequence"], tick["held_old"]) == (2, "tick", 2, 0)
    assert tick["server_time"].startswith("2026-11-24T05:00")
    assert [number for number, _, _ in rest] == [3]


async def test_ticks_go_on_in_silence_and_carry_the_position_past_other_units_alerts(desk: Desk):
    async with process(desk, tick_s=0.05) as hub, connected(hub, unit=CAX) as page:
        await say(desk, alert(), alert(unit=2), alert(unit=3))
        await page.until(lambda: page.heard[-1][:2] == (3, "tick"))
    assert [data["unit"]["code"] for _, name, data in page.heard if name == "alert"] == [CAX]


async def test_a_page_that_comes_back_gets_only_its_units_alerts(desk: Desk):
    await say(desk, alert(), alert(unit=2), alert())
    async with process(desk) as hub, connected(hub, 0, CAX) as page:
        await page.until(lambda: "tick" in page.names())
    assert page.numbers == [1, 3]


@pytest.mark.parametrize("last_id", [-1, 7, 0])
async def test_a_number_never_given_or_too_far_back_is_answered_by_a_reset(desk: Desk, last_id: int):
    await say(desk, *(alert() for _ in range(6)))
    async with process(desk, stream_replay=5) as hub, connected(hub, last_id) as page:
        await page.until(lambda: "tick" in page.names())
        assert page.heard[0] == (6, "reset", {"sequence": 6})
        await say(desk, alert())
        await page.until(lambda: page.numbers == [7])


async def test_a_number_ahead_of_this_process_is_waited_for(desk: Desk):
    async with process(desk) as hub:
        hub._at[AREA] = 0
        await say(desk, alert(), alert())
        async with connected(hub, 2) as page:
            await say(desk, alert())
            await page.until(lambda: page.numbers)
    assert page.numbers == [3]


async def test_a_slow_page_is_told_to_fetch_the_list_and_goes_on_from_there(desk: Desk):
    async with process(desk, stream_queue=10) as hub:
        frames = hub.follow(AREA, None, None)
        await anext(frames)  # the tick; then it reads nothing for a while
        await say(desk, *(alert() for _ in range(26)))
        async with asyncio.timeout(WITHIN_S):
            while hub._at[AREA] < 26:
                await asyncio.sleep(0.005)
        text = (await anext(frames)).decode()
        await frames.aclose()
    (at, first), *rest = [event.split("\n")[:2] for event in text.split("\n\n")[:-1]]
    assert first == "event: reset"
    assert [number for number, _ in rest] == [f"id: {number}" for number in range(int(at[4:]) + 1, 27)]


async def test_the_reader_goes_on_after_its_connection_died(desk: Desk):
    hub = Hub(desk.database, desk.settings, desk.clock)

    async def read() -> None:
        while True:
            with contextlib.suppress(Exception):
                await hub.read()

    task = asyncio.create_task(read())
    async with connected(hub) as page:
        await desk.database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query ILIKE '%ledger%' AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        await say(desk, alert())
        await page.until(lambda: page.numbers == [1])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_all_streams_end_when_the_service_is_told_to_stop(desk: Desk):
    async with process(desk) as hub:
        frames = hub.follow(AREA, None, None)
        await anext(frames)
        ending = asyncio.create_task(anext(frames, None))
        await asyncio.sleep(0)
        await hub.close()
        assert await asyncio.wait_for(ending, WITHIN_S) is None


async def test_what_is_wrong_is_said_in_words(desk: Desk):
    async with process(desk, tick_s=0.02) as hub:
        await desk.hear(incident())
        await desk.database.pool.execute("TRUNCATE unit CASCADE")
        await desk.hear(incident())
        looking = asyncio.create_task(hub.look())
        async with connected(hub) as page:
            await page.until(lambda: page.heard[-1][2]["notices"])  # at first only what needs no patience
            assert len(page.heard[-1][2]["notices"]) == 1
            desk.clock.advance(seconds=60)
            await page.until(lambda: len(page.heard[-1][2]["notices"]) == 3)
        looking.cancel()
        async with connected(hub) as page, connected(hub, unit=CAX) as officer:
            for_all = ["Chưa nghe được dịch vụ tiếp nhận", "Kafka tạm ngừng"]
            for_desk = ["1 vụ việc chưa có đơn vị nào nhận"]
    for heard, expected in ((page.heard, for_all + for_desk), (officer.heard, for_all)):
        notices = heard[0][2]["notices"]
        assert len(notices) == len(expected)
        for notice, beginning in zip(notices, expected, strict=True):
            assert notice.startswith(beginning)
