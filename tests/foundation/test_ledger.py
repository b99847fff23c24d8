"""Promise 4: no event is published behind the cursor. Numbers are gapless, and their order is that of the commits."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest

from foundation.chassis.database import Database
from foundation.chassis.problems import NoStream
from foundation.contracts.events import MAX_PAYLOAD_BYTES, Event
from foundation.contracts.sites import TOPIC, TYPE
from foundation.streams import ledger
from foundation.streams.ledger import NewEvent

AREA = "44"
AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
WRITERS, ROUNDS = 8, 15


class GaveUp(Exception):
    """A transaction is rolled back after it took its numbers."""


def new(key: str = "a", *, topic: str = TOPIC, area: str = AREA, payload: str = "{}", version: int = 1) -> NewEvent:
    return NewEvent(topic, area, key, TYPE, version, payload)


async def read(database: Database, after: int = 0, limit: int = 1000, topic: str = TOPIC) -> list[Event]:
    async with database.pool.acquire() as connection:
        return await ledger.read(connection, topic, AREA, after, limit)


@asynccontextmanager
async def appended(database: Database, *events: NewEvent) -> AsyncIterator[asyncpg.Connection]:
    """A transaction that has its numbers and is not committed yet."""
    async with database.transaction() as connection:
        await ledger.append(connection, events, AT)
        yield connection


async def test_a_reader_with_a_cursor_misses_nothing_of_eight_writers(database: Database, seed: int) -> None:
    """Each waits between numbering and commit, a third of them gives up: the numbers close up all the same."""
    chance, committed = random.Random(seed), 0

    async def writes(name: int) -> None:
        nonlocal committed
        for turn in range(ROUNDS):
            events = [new(f"{name}-{turn}-{place}") for place in range(chance.randint(1, 4))]
            try:
                async with appended(database, *events):
                    await asyncio.sleep(chance.random() * 0.004)
                    if chance.random() < 0.3:
                        raise GaveUp
                committed += len(events)
            except GaveUp:
                pass

    seen: list[Event] = []
    writers = asyncio.gather(*map(writes, range(WRITERS)))
    async with asyncio.timeout(60):
        while not writers.done():
            seen += await read(database, seen[-1].sequence if seen else 0, limit=chance.randint(1, 10))
            await asyncio.sleep(0)
        await writers
        while more := await read(database, seen[-1].sequence if seen else 0):
            seen += more
    assert len(seen) == committed
    assert [event.sequence for event in seen] == list(range(1, committed + 1))
    assert len({event.key for event in seen}) == committed
    assert [event.key for event in seen] == [event.key for event in await read(database)]


async def test_the_order_of_numbers_is_the_order_of_commits(database: Database) -> None:
    """Who is first to take a number is first to commit: the next one waits for it."""
    order: list[str] = []

    async def second() -> None:
        async with appended(database, new("second")):
            order.append("numbered")
        order.append("committed")

    async with appended(database, new("first")):
        waiting = asyncio.create_task(second())
        await asyncio.wait({waiting}, timeout=0.1)
        assert order == []
        assert await read(database) == []
    await waiting
    assert [event.key for event in await read(database)] == ["first", "second"]


async def test_streams_do_not_wait_for_one_another(database: Database) -> None:
    async with appended(database, new(topic="vonggac.incidents")), asyncio.timeout(5):
        async with appended(database, new(topic="vonggac.sites")):
            pass
        assert len(await read(database)) == 1
    assert [event.sequence for event in await read(database, topic="vonggac.incidents")] == [1]


async def test_one_transaction_over_two_streams_takes_them_in_one_order(database: Database) -> None:
    """Whatever order the events are given in: else two writers would wait for one another."""
    topics = ("vonggac.sites", "vonggac.incidents")

    async def write(first: str, second: str) -> None:
        for _ in range(20):
            async with appended(database, new(topic=first), new(topic=second), new(topic=first)):
                await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await asyncio.gather(write(*topics), write(*reversed(topics)))
    for topic in topics:
        assert [event.sequence for event in await read(database, topic=topic)] == list(range(1, 61))


async def test_events_of_one_transaction_keep_their_order(database: Database) -> None:
    events = [new(f"key {number}", version=number, payload=f'{{"n":{number}}}') for number in range(1, 40)]
    async with appended(database, *events):
        pass
    found = await read(database)
    assert [(event.key, event.version, event.data["n"]) for event in found] == [
        (f"key {number}", number, number) for number in range(1, 40)
    ]
    assert {(event.epoch, event.time, event.type) for event in found} == {(1, "2026-11-24T08:00:00.000000Z", TYPE)}


async def test_a_payload_is_at_most_64_kib(database: Database) -> None:
    largest = '"' + "ơ" * (MAX_PAYLOAD_BYTES // 2 - 1) + '"'
    assert len(largest.encode()) == MAX_PAYLOAD_BYTES
    async with appended(database, new(payload=largest)):
        pass
    with pytest.raises(asyncpg.CheckViolationError):
        async with appended(database, new(payload=largest + " ")):
            pass
    assert [event.sequence for event in await read(database)] == [1]


async def test_an_area_without_a_stream_is_an_error_and_not_lost(database: Database) -> None:
    with pytest.raises(NoStream, match=r"vonggac.sites/99"):
        async with appended(database, new(), new(area="99")):
            pass
    assert await read(database) == []


async def test_nothing_to_say_is_nothing(database: Database) -> None:
    async with appended(database):
        pass
    async with database.pool.acquire() as connection:
        heads = await ledger.heads(connection)
    assert heads == {(TOPIC, AREA): (1, 0, 0), ("vonggac.incidents", AREA): (1, 0, 0)}


async def test_opening_streams_again_leaves_them_as_they_are(database: Database) -> None:
    async with appended(database, new()):
        pass
    async with database.transaction() as connection:
        await ledger.open_streams(connection, [TOPIC], [AREA, "45"])
        heads = await ledger.heads(connection)
    assert (heads[TOPIC, AREA], heads[TOPIC, "45"]) == ((1, 1, 0), (1, 0, 0))


async def test_a_listener_is_woken_once_a_transaction_and_only_after_the_commit(database: Database) -> None:
    wake = asyncio.Event()
    async with database.listening(ledger.CHANNEL, wake):
        async with appended(database, new(), new()):
            await asyncio.wait({asyncio.create_task(wake.wait())}, timeout=0.1)
            assert not wake.is_set()
        async with asyncio.timeout(5):
            await wake.wait()
