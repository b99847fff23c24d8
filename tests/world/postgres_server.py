"""A PostgreSQL server that a test may kill, freeze and start again.

It is the product's own (``vonggac.postgres``: programs from a wheel, a private socket, a role per service).
"""

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import Popen

import asyncpg
import psutil

from tests.world import processes
from tests.world.processes import NotReady
from vonggac import postgres

READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 15.0
CONNECTIONS = 300
"""Several worlds, each of up to six processes with two pools."""
FAST = ("fsync=off", "wal_level=minimal", "max_wal_senders=0")
"""Not durable against a power failure, but against ``kill -9``: the kernel still has what was written. So
``synchronous_commit`` stays on: without it an acknowledged commit would be lost with the process."""


class PostgresServer:
    """One PostgreSQL server in ``folder``. Belongs to no event loop; ends with the test process at the latest.

    ``durable``: with fsync, as in production; for fault runs and benchmarks.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self.log = folder / "postgres.log"
        self._settings = [f"max_connections={CONNECTIONS}", *(() if durable else FAST)]
        self._process: Popen[bytes] | None = None
        self._frozen: list[psutil.Process] = []

    @property
    def pid(self) -> int | None:
        """The server's first process while it runs (paused too); None otherwise."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> float:
        """Makes the cluster if there is none (a second), starts it, waits until it answers; the seconds that took.

        Nothing if it runs. Raises ``NotReady``, or ``LaunchError`` where PostgreSQL cannot be had.
        """
        if self.pid is not None:
            return 0.0
        began = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        child = await asyncio.to_thread(postgres.prepare, self.folder)
        if child.before_start is not None:
            await child.before_start()
        argv = child.argv() if callable(child.argv) else child.argv
        settings = [word for setting in self._settings for word in ("-c", setting)]
        self._process = processes.spawn(
            [*argv, *settings], log=self.log, env=child.env, cwd=child.cwd, death_signal=child.death_signal
        )
        while not await self._answers():
            if self.pid is None or time.monotonic() - began > READY_WITHIN_S:
                await self.kill()
                raise NotReady(f"PostgreSQL did not come up:\n{processes.last_lines(self.log)}")
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def _answers(self) -> bool:
        try:
            async with self._admin() as admin:
                return bool(await admin.fetchval("SELECT true"))
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False

    async def stop(self) -> None:
        """Ends it in the orderly way, without waiting for clients. Nothing if it does not run."""
        if self._process is not None:
            await self.resume()
            await processes.end(self._process, signal.SIGINT, STOPPED_WITHIN_S)

    async def kill(self) -> None:
        """``kill -9`` of the server with all its processes; returns when they are gone."""
        if self._process is None:
            return
        family = self._family()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        await processes.ended(self._process, STOPPED_WITHIN_S)
        until = time.monotonic() + STOPPED_WITHIN_S
        while any(map(processes.lives, family)):
            if time.monotonic() >= until:
                raise RuntimeError("a process of PostgreSQL survived SIGKILL")
            await asyncio.sleep(0.01)
        self._frozen = []

    def _family(self) -> list[psutil.Process]:
        """The server's processes, the one that makes the others first."""
        if self.pid is None:
            return []
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]

    async def pause(self) -> None:
        """Freezes it (SIGSTOP): connections stay open and nothing answers. Returns when all of it stands."""
        await processes.freeze_all(self._family()[:1])  # the first of them: from now on there are no new ones
        self._frozen = self._family()
        await processes.freeze_all(self._frozen[1:])

    async def resume(self) -> None:
        """Thaws it, the first process last: it must not take the others for dead."""
        for member in reversed(self._frozen):
            with suppress(psutil.NoSuchProcess):
                member.resume()
        self._frozen = []

    async def remove(self) -> None:
        """Ends it for good, at once but so that it leaves no shared memory behind. Its folder is the caller's."""
        if self._process is not None:
            await self.resume()
            await processes.end(self._process, signal.SIGQUIT, STOPPED_WITHIN_S)
            shutil.rmtree(postgres.socket_dir(self.folder), ignore_errors=True)

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the superuser, for one task: it belongs to the loop of whoever asks."""
        connection = await asyncpg.connect(postgres.url(self.folder, postgres.SUPERUSER, "postgres"), timeout=5)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)
