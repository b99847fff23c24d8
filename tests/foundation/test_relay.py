"""The relay publishes each event at least once and in order: what was not acknowledged is published again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from foundation.chassis.clock import Clock
from foundation.chassis.database import Database
from foundation.chassis.settings import ServiceSettings
from foundation.contracts.events import HEAD_TYPE, Event, from_record
from foundation.contracts.sites import TOPIC
from foundation.streams import ledger, relay
from tests.foundation.test_ledger import AREA, AT, new

SETTINGS = ServiceSettings(areas=(AREA,), topic_prefix="t.", heads_every_s=3600)


class Kafka:
    """What was published; fails after ``room`` more records."""

    def __init__(self) -> None:
        self.records: list[Event] = []
        self.heads: list[int] = []
        self.room = 10**9
        self.partitions: set[int] = set()

    def producer(self, **options: Any) -> "Kafka":
        assert options["acks"] == "all"
        return self

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def send(self, topic: str, *, value: bytes, key: bytes, partition: int, headers: Any) -> Any:
        event = from_record(topic.removeprefix("t."), headers, value)
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.partitions.add(partition)
        if event.type == HEAD_TYPE:
            self.heads += [event.sequence] if event.topic == TOPIC else []
            acknowledged.set_result(None)
        elif self.room <= 0:
            acknowledged.set_exception(KafkaConnectionError())
        else:
            assert key == event.key.encode()
            self.room -= 1
            self.records.append(event)
            acknowledged.set_result(None)
        return acknowledged

    @property
    def numbers(self) -> list[int]:
        return [event.sequence for event in self.records]


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    kafka = Kafka()

    async def no_topics(*_: object) -> None:
        pass

    monkeypatch.setattr(relay, "AIOKafkaProducer", kafka.producer)
    monkeypatch.setattr(relay, "ensure_topics", no_topics)
    return kafka


async def write(database: Database, *keys: str) -> None:
    async with database.transaction() as connection:
        await ledger.append(connection, [new(key) for key in keys], AT)


async def cursor(database: Database) -> int:
    async with database.pool.acquire() as connection:
        return (await ledger.heads(connection))[TOPIC, AREA][2]


@asynccontextmanager
async def relaying(database: Database) -> AsyncIterator[asyncio.Task[None]]:
    """A relay at work; raises what ended it."""
    task = asyncio.create_task(relay.relay(database, SETTINGS, Clock(), [TOPIC]))
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(ended, asyncio.CancelledError | None):
        raise ended


async def until(database: Database, number: int) -> None:
    """The cursor stands at this number."""
    async with asyncio.timeout(10):
        while await cursor(database) != number:
            await asyncio.sleep(0.005)


async def test_what_is_written_is_published_in_order_and_at_once(database: Database, kafka: Kafka) -> None:
    await write(database, "a", "b")
    async with relaying(database):
        await until(database, 2)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await write(database, "c")
        await until(database, 3)
        assert loop.time() - began < relay.POLL_S, "woken, not found by the poll"
    assert [(event.sequence, event.key) for event in kafka.records] == [(1, "a"), (2, "b"), (3, "c")]
    assert kafka.partitions == {0}
    assert kafka.heads[0] in (0, 2)


async def test_more_than_one_batch_goes_on_without_a_pause(database: Database, kafka: Kafka) -> None:
    await write(database, *map(str, range(relay.BATCH * 2 + 7)))
    async with relaying(database):
        await until(database, relay.BATCH * 2 + 7)
    assert kafka.numbers == list(range(1, relay.BATCH * 2 + 8))


async def test_a_failure_in_the_middle_starts_again_at_the_cursor(database: Database, kafka: Kafka) -> None:
    await write(database, "a", "b", "c", "d")
    kafka.room = 2
    with pytest.raises(KafkaConnectionError):
        async with relaying(database) as task:
            await asyncio.wait({task}, timeout=10)
    assert await cursor(database) == 0
    kafka.room = 10**9
    async with relaying(database):
        await until(database, 4)
    assert kafka.numbers == [1, 2, 1, 2, 3, 4]


async def test_a_crash_between_publishing_and_the_cursor_publishes_again(
    database: Database, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Doubled, never skipped: the numbers tell the consumer."""
    await write(database, "a", "b", "c")

    async def crash(*_: object) -> None:
        raise SystemError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(relay, "_move", crash)
        with pytest.raises(SystemError):
            async with relaying(database) as task:
                await asyncio.wait({task}, timeout=10)
    await write(database, "d")
    async with relaying(database):
        await until(database, 4)
    assert kafka.numbers == [1, 2, 3, 1, 2, 3, 4]


async def test_a_relay_that_was_frozen_cannot_move_the_cursor_of_its_successor(
    database: Database, kafka: Kafka
) -> None:
    await write(database, "a", "b")
    async with relaying(database):
        await until(database, 2)
    async with database.pool.acquire() as connection:
        with pytest.raises(ConnectionError):
            await relay._move(connection, TOPIC, AREA, 0, 1)
    assert await cursor(database) == 2


async def test_of_two_relays_one_works_and_the_other_takes_over(database: Database, kafka: Kafka) -> None:
    await write(database, "a")
    async with relaying(database) as first:
        await until(database, 1)
        async with relaying(database):
            await write(database, "b")
            await until(database, 2)
            first.cancel()
            await asyncio.wait({first}, timeout=5)
            await write(database, "c")
            await until(database, 3)
    assert kafka.numbers == [1, 2, 3]


async def test_heads_tell_how_far_the_stream_was_published(database: Database, kafka: Kafka) -> None:
    await write(database, "a", "b")
    settings = SETTINGS.model_copy(update={"heads_every_s": 0.0})
    task = asyncio.create_task(relay.relay(database, settings, Clock(), [TOPIC]))
    async with asyncio.timeout(10):
        while 2 not in kafka.heads:
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert kafka.heads == sorted(kafka.heads)
    assert max(kafka.heads) == 2
