"""The broker of a test session, with all that a test may do to it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from tests.world import ports
from tests.world.broker_choice import ENGINES, choose
from tests.world.broker_engines import Kind
from tests.world.processes import NotReady

READY_WITHIN_S = 40.0
STOPPED_WITHIN_S = 15.0
TOPICS_WITHIN_S = 15.0
_ALREADY_THERE = 36
_UNKNOWN_TOPIC = 3


class Broker:
    """One broker with logs and data in ``folder``, on one port of 127.0.0.1 for all its life.

    Belongs to no event loop. Its process ends with the test process, at the latest.
    """

    def __init__(self, folder: Path, kind: Kind | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._engine = ENGINES[kind or choose().kind](folder)
        self._topics: dict[str, int] = {}
        self._empty = True

    @property
    def kind(self) -> Kind:
        return self._engine.kind

    @property
    def keeps_data(self) -> bool:
        """False for the embedded broker: each of its starts is an empty one."""
        return self._engine.keeps_data

    @property
    def bootstrap_servers(self) -> str:
        return f"{ports.HOST}:{self._engine.port}"

    @property
    def pid(self) -> int | None:
        """Its process while it runs (paused too); None otherwise."""
        return self._engine.pid

    @property
    def log(self) -> Path:
        return self._engine.log

    async def start(self) -> float:
        """Starts it and waits until it answers; the seconds that took. Nothing if it runs.

        With the data of the time before, if it keeps any; a broker that comes back empty gets its topics again.
        Raises ``NotReady`` if it ends, if another process has its port, or after ``READY_WITHIN_S``.
        """
        if self.pid is not None:
            return 0.0
        began = time.monotonic()
        await self._engine.launch()
        try:
            await self._until_it_answers(began + READY_WITHIN_S)
        except BaseException:
            await self.kill()
            raise
        took = time.monotonic() - began
        if (self._empty or not self.keeps_data) and self._topics:
            await self._create(self._topics)
        self._empty = False
        return took

    async def _until_it_answers(self, until: float) -> None:
        while True:
            if await self._engine.ended(0):
                raise NotReady(f"{self.kind} ended at its start:\n{self._engine.last_lines()}")
            if ports.accepts(self._engine.port):
                if not self._engine.owns_listener():
                    raise NotReady(f"another process listens on port {self._engine.port}")
                if await self._answers():
                    return
            if time.monotonic() >= until:
                raise NotReady(f"{self.kind} did not answer in {READY_WITHIN_S} s:\n{self._engine.last_lines()}")
            await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        try:
            async with self._admin() as admin:
                return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, OSError):
            return False

    async def stop(self) -> None:
        """Asks it to end, and kills it after ``STOPPED_WITHIN_S``. Nothing if it does not run."""
        await self._engine.signal(signal.SIGCONT)
        await self._engine.signal(signal.SIGTERM)
        if not await self._engine.ended(STOPPED_WITHIN_S):
            await self.kill()

    async def kill(self) -> None:
        """``kill -9``; returns when it is gone."""
        await self._engine.signal(signal.SIGKILL)
        if not await self._engine.ended(STOPPED_WITHIN_S):
            raise RuntimeError(f"{self.kind} survived SIGKILL")

    async def pause(self) -> None:
        """Freezes it (SIGSTOP): connections stay open and nothing answers."""
        await self._engine.signal(signal.SIGSTOP)

    async def resume(self) -> None:
        await self._engine.signal(signal.SIGCONT)

    async def restart(self, *, keep_data: bool = True, topics: bool = True) -> float:
        """Stops it and starts it on the same port; the seconds until it answers.

        ``keep_data=False``: as if its disk were lost, with its topics made anew and empty, or none if not ``topics``.
        """
        if keep_data:
            await self.stop()
        else:
            await self.kill()
            await self._engine.wipe()
            self._empty = True
            self._topics = self._topics if topics else {}
        return await self.start()

    async def remove(self) -> None:
        """Ends it for good and throws its data away; the log stays."""
        await self.kill()
        await self._engine.wipe()

    async def create_topics(self, names: Iterable[str], partitions: int = 1) -> None:
        """Creates those that are missing, and returns when they can be used. Raises ``KafkaError``."""
        wanted = dict.fromkeys(names, partitions)
        await self._create(wanted)
        self._topics |= wanted

    async def _create(self, wanted: dict[str, int]) -> None:
        async with self._admin() as admin:
            answer = await admin.create_topics([NewTopic(name, count, 1) for name, count in wanted.items()])
            _check(answer.topic_errors, allowed=_ALREADY_THERE)
            await self._until_topics(admin, lambda there: there >= wanted.keys())

    async def delete_topics(self, names: Iterable[str]) -> None:
        """Deletes those that are there, and returns when they are gone. Raises ``KafkaError``."""
        gone = set(names)
        async with self._admin() as admin:
            answer = await admin.delete_topics(sorted(gone))
            _check(answer.topic_error_codes, allowed=_UNKNOWN_TOPIC)
            await self._until_topics(admin, lambda there: not there & gone)
        self._topics = {name: count for name, count in self._topics.items() if name not in gone}

    async def topics(self) -> set[str]:
        async with self._admin() as admin:
            return set(await admin.list_topics())

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=10_000)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    async def _until_topics(self, admin: AIOKafkaAdminClient, right: Callable[[set[str]], bool]) -> None:
        """The answer comes before every later request sees it: so ask until it does."""
        until = time.monotonic() + TOPICS_WITHIN_S
        while not right(there := set(await admin.list_topics())):
            if time.monotonic() >= until:
                raise NotReady(f"topics are still {sorted(there)} after {TOPICS_WITHIN_S} s")
            await asyncio.sleep(0.01)


def _check(answers: Iterable[tuple[object, ...]], allowed: int) -> None:
    """Raises the error of the first topic whose answer is neither success nor ``allowed``."""
    for topic, code, *said in answers:
        if code not in (0, allowed):
            raise for_code(code)(f"{topic}: {said}")
