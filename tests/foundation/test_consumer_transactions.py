"""The number moves in the transaction of the effects: no crash, failure or second owner loses or doubles anything."""

import asyncio
from typing import Any

import asyncpg
import pytest

from foundation.chassis.database import Database
from foundation.chassis.settings import ServiceSettings
from foundation.streams import consumer
from foundation.streams.consumer import Batch, StreamConsumer
from tests.foundation.streams import AREA, TOPIC, Feed, event, head, record

LENGTH = 40


@pytest.fixture(autouse=True)
def _hardly_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "BACKOFF_S", (0.001, 0.01))


def owner(database: Database, *, fails_at: dict[int, int] | None = None) -> StreamConsumer:
    """A consumer that writes each number down; it raises at these numbers, after writing, so many times."""
    fails = dict(fails_at or {})

    async def apply(connection: asyncpg.Connection, batch: Batch) -> None:
        numbers = [given.sequence for given in batch.events]
        await connection.execute("INSERT INTO effect SELECT unnest($1::bigint[])", numbers)
        for number in numbers:
            if fails.get(number, 0) > 0:
                fails[number] -= 1
                raise RuntimeError("the handler fails")

    feed = Feed(LENGTH, page=7)
    return StreamConsumer(TOPIC, apply, database, feed, ServiceSettings(areas=(AREA,)))  # type: ignore[arg-type]


async def effects(database: Database) -> list[int]:
    return [row["number"] for row in await database.pool.fetch("SELECT number FROM effect ORDER BY ctid")]


async def position(database: Database) -> tuple[int, int]:
    row = await database.pool.fetchrow(
        "SELECT epoch, sequence FROM consumed WHERE topic = $1 AND area = $2", TOPIC, AREA
    )
    return (row["epoch"], row["sequence"])


def records(*numbers: int) -> list[Any]:
    return [record(event(number)) for number in numbers]


async def test_a_handler_that_raises_loses_nothing_and_doubles_nothing(database: Database) -> None:
    stream = owner(database, fails_at={1: 2, 5: 3, 6: 1, LENGTH: 2})
    for start in range(1, LENGTH, 4):
        await stream.take(records(*range(start, start + 4)))
    assert await effects(database) == list(range(1, LENGTH + 1))
    assert await position(database) == (1, LENGTH)


async def test_two_owners_of_one_area_neither_double_nor_reorder(database: Database) -> None:
    """One was taken for dead and is not: both apply, and the number that is locked first decides."""
    one, other = owner(database), owner(database)

    async def takes(stream: StreamConsumer, size: int) -> None:
        for start in range(1, LENGTH + 1, size):
            await stream.take(records(*range(start, min(start + size, LENGTH + 1))))

    async with asyncio.timeout(30):
        await asyncio.gather(takes(one, 3), takes(other, 5))
    assert await effects(database) == list(range(1, LENGTH + 1))


async def test_connections_that_die_in_the_middle(database: Database) -> None:
    stream = owner(database)

    async def cut() -> None:
        for _ in range(5):
            await asyncio.sleep(0.01)
            await database.pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    async def takes() -> None:
        for number in range(1, LENGTH + 1):
            await stream.take(records(number))
            await asyncio.sleep(0.002)

    async with asyncio.timeout(30):
        await asyncio.gather(cut(), takes())
    assert await effects(database) == list(range(1, LENGTH + 1))


async def test_a_database_set_back_catches_up_from_the_feed(database: Database) -> None:
    stream = owner(database)
    await stream.take([record(head(LENGTH))])
    await database.pool.execute("UPDATE consumed SET sequence = 10")
    await database.pool.execute("DELETE FROM effect WHERE number > 10")
    await stream.take([record(head(LENGTH))])
    assert await effects(database) == list(range(1, LENGTH + 1))


class Partition:
    partition = 0


class Log:
    """The consumer of a client library, as far as the watch over a lost log needs it."""

    def __init__(self, position: int, end: int) -> None:
        self.at, self.end = position, end
        self.sought: list[int] = []

    def assignment(self) -> list["Partition"]:
        return [Partition()]

    async def position(self, partition: object) -> int:
        return self.at

    async def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, self.end)

    def seek(self, partition: object, offset: int) -> None:
        self.sought.append(offset)


@pytest.mark.parametrize(("at", "end", "sought"), [(500, 10, [0]), (500, 0, [0]), (500, 500, []), (500, 900, [])])
async def test_a_log_that_ends_before_our_position_is_read_again(
    database: Database, at: int, end: int, sought: list[int]
) -> None:
    log = Log(at, end)
    await owner(database).rewind_if_lost(log)
    assert log.sought == sought


async def test_committing_where_to_start_reading_never_matters(database: Database) -> None:
    stream = owner(database)

    class Refusing:
        async def commit(self, offsets: object) -> None:
            raise ConnectionError("no coordinator")

    await stream.after_batch(Refusing(), records(1, 2))
    assert stream.heard_at > 0
