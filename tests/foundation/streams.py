"""A stream as its producer, its feed and Kafka have it, and a consumer's database in memory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import httpx

from foundation.chassis.settings import ServiceSettings
from foundation.contracts.events import HEAD_TYPE, Event
from foundation.contracts.sites import TOPIC, TYPE
from foundation.streams import consumer
from foundation.streams.consumer import Batch, StreamConsumer
from foundation.streams.feed import FeedPage

AREA = "44"


def event(sequence: int, *, epoch: int = 1, area: str = AREA, version: int = 1) -> Event:
    """The event of this number."""
    key, time = f"site {sequence % 3}", "2026-11-24T08:00:00.000000Z"
    return Event(TOPIC, area, epoch, sequence, key, TYPE, version, time, b'{"number":%d}' % sequence)


def head(sequence: int, *, epoch: int = 1) -> Event:
    """What the relay says of how far its stream reaches."""
    return replace(event(sequence, epoch=epoch), type=HEAD_TYPE, key="", version=0, payload=b"{}")


def record(given: Event, *, partition: int = 0, drop: str = "", **headers: str) -> Any:
    """The Kafka record of an event; ``drop`` and ``headers`` make it one that no producer of ours wrote."""
    kept = [(name, value) for name, value in given.headers() if name != drop and name not in headers]
    kept += [(name, value.encode()) for name, value in headers.items()]
    return SimpleNamespace(
        headers=kept, value=given.payload, partition=partition, offset=given.sequence, topic=given.topic
    )


class Feed:
    """The producer's own ledger; away for the next ``away`` questions."""

    def __init__(self, length: int, *, page: int = 3, epoch: int = 1) -> None:
        self.length, self.size, self.epoch = length, page, epoch
        self.away = 0
        self.asked: list[int] = []

    async def page(self, topic: str, area: str, after: int) -> FeedPage:
        assert (topic, area) == (TOPIC, AREA)
        if self.away > 0:
            self.away -= 1
            raise httpx.ConnectError("the producer is away")
        self.asked.append(after)
        last = min(after + self.size, self.length)
        events = [event(number, epoch=self.epoch) for number in range(after + 1, last + 1)]
        return FeedPage(events, events[-1].sequence if len(events) == self.size else self.length)


@dataclass
class Memory:
    """Stands for the database: one transaction at a time, all or nothing."""

    position: tuple[int, int] = (0, 0)
    effects: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Memory"]:
        before = self.position, list(self.effects)
        try:
            yield self
        except BaseException:
            self.position, self.effects = before[0], before[1]
            raise

    async def fetchrow(self, query: str, topic: str, area: str) -> tuple[int, int]:
        assert (query, topic, area) == (consumer.LOCK, TOPIC, AREA)
        return self.position

    async def execute(self, query: str, topic: str, area: str, epoch: int, sequence: int) -> None:
        assert (query, topic, area) == (consumer.MOVE, TOPIC, AREA)
        self.position = (epoch, sequence)


class Listener:
    """A consumer over a feed and a memory, and what its handler was given."""

    def __init__(self, feed: Feed, *, raises: Sequence[int] = ()) -> None:
        self.memory, self.feed = Memory(), feed
        self.calls: list[Batch] = []
        self.raises = list(raises)
        settings = ServiceSettings(areas=(AREA, "45"))
        self.stream = StreamConsumer(TOPIC, self._apply, self.memory, feed, settings)  # type: ignore[arg-type]

    async def _apply(self, connection: Any, batch: Batch) -> None:
        """Writes half of its effects before it raises: they must not stay."""
        for number, given in enumerate(batch.events):
            connection.effects.append(given.sequence)
            if number >= len(batch.events) // 2 and self.raises and self.raises[0] > 0:
                self.raises[0] -= 1
                raise ValueError("the handler fails")
        self.raises = (
            [left for left in self.raises if left > 0] if not self.raises or self.raises[0] else self.raises[1:]
        )
        self.calls.append(batch)

    @property
    def applied(self) -> list[int]:
        """The numbers whose effects are stored, in the order in which they were applied."""
        return self.memory.effects
