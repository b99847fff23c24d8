"""How far every consumer is behind, in seconds: read from the databases, so that nothing is asked of the services."""

import asyncio
from bisect import bisect_right
from collections import defaultdict

import asyncpg

from benchmarks.posts import now
from tests.world.world import CONSUMES, World

LOOK_EVERY_S = 0.1
HEADS = "SELECT topic, head FROM stream"
CONSUMED = "SELECT topic, sequence FROM consumed"
PRODUCERS = ("incidents", "notifications")


class Streams:
    """Looks ten times a second. A lag is the age of the oldest event that a consumer has not applied.

    It counts from the last look at which that event was not there yet: up to a look too much, never too little.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._databases: dict[str, asyncpg.Connection] = {}
        self._looks: dict[str, list[float]] = defaultdict(list)
        self._heads: dict[str, list[int]] = defaultdict(list)
        self._left: dict[str, int] = {}
        self.forget()

    def forget(self) -> None:
        self.lag: dict[str, float] = {}
        self.worst: dict[str, float] = defaultdict(float)
        self.missed = 0.0
        """The longest time between two looks."""

    async def open(self) -> None:
        for name, url in self._world.databases.items():
            self._databases[name] = await asyncpg.connect(url)

    async def watch(self) -> None:
        """Looks until cancelled."""
        before = now()
        while True:
            await self.look()
            self.missed, before = max(self.missed, now() - before), now()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Consumers first, heads after: so that no lag is missed."""
        have = {}
        for name, topics in CONSUMES.items():
            rows = dict(await self._databases[name].fetch(CONSUMED))
            have |= {(name, topic): rows.get(topic, 0) for topic in topics}
        at = now()
        for name in PRODUCERS:
            for topic, head in await self._databases[name].fetch(HEADS):
                self._looks[topic].append(at)
                self._heads[topic].append(head)
        for (name, topic), sequence in have.items():
            heads, looks = self._heads[topic], self._looks[topic]
            if not heads:
                continue
            known = bisect_right(heads, sequence)  # the first look that saw more than the consumer has
            lag = at - looks[max(known - 1, 0)] if known < len(heads) else 0.0
            who = f"{name} hears {topic.removeprefix('vonggac.')}"
            self.lag[who], self._left[who] = lag, heads[-1] - sequence
            self.worst[who] = max(self.worst[who], lag)

    @property
    def settled(self) -> bool:
        """At the last look every consumer was at the head of every stream."""
        return bool(self._left) and not any(self._left.values())

    async def close(self) -> None:
        for database in self._databases.values():
            database.terminate()
