"""The three services of a world: in this process with a clock that moves, or as real processes that can be killed."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Protocol

import httpx

from foundation.chassis.clock import Clock
from foundation.chassis.telemetry import limit_library_logs
from foundation.chassis.web import Server
from services.incidents import service as incidents
from services.incidents.settings import Settings as IncidentsSettings
from services.notifications import service as notifications
from services.notifications.settings import Settings as NotificationsSettings
from services.reporting import service as reporting
from services.reporting.settings import Settings as ReportingSettings
from tests.world import ports, processes

READY_WITHIN_S = 40.0
NAMES = ("incidents", "notifications", "reporting")
BUILDERS = {
    "incidents": (incidents.build, IncidentsSettings),
    "notifications": (notifications.build, NotificationsSettings),
    "reporting": (reporting.build, ReportingSettings),
}


class Service(Protocol):
    """One service on one port of 127.0.0.1, which stays the same over restarts."""

    url: str

    def learn(self, environment: Mapping[str, str]) -> None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def kill(self) -> None: ...


class _Server(Server):
    """Leaves the signals of the test process alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        raise AssertionError("not in a test")


class InlineService:
    """A service in the loop of the test."""

    def __init__(self, name: str, environment: Mapping[str, str], clock: Clock) -> None:
        self.name = name
        self._build, self._settings = BUILDERS[name]
        self.learn(environment)
        self._clock = clock
        self.port = ports.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    def learn(self, environment: Mapping[str, str]) -> None:
        """The settings of its next start."""
        self._environment = {key.lower(): value for key, value in environment.items()}

    async def start(self) -> None:
        if self._task is not None:
            return
        limit_library_logs()
        url = self._environment[f"{self.name}_database_url"]
        self.app = self._build(self._settings(**{**self._environment, "database_url": url}), self._clock)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            self._server = _Server(self.app, timeout_graceful_shutdown=1)
            self._task = asyncio.create_task(self._server.serve(sockets=[listener.dup()]))
        await until_ready(self.url)

    async def stop(self) -> None:
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server = self._task = None

    async def kill(self) -> None:
        """As near to a kill as one process allows: every task is cancelled where it stands."""
        await self.stop()


class ProcessService:
    """A service as a process of its own, started with the very command of production."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.port = ports.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.learn(environment)

    def learn(self, environment: Mapping[str, str]) -> None:
        """The environment of its next start."""
        self.environment = {**os.environ, **environment, "PORT": str(self.port), "HOST": "127.0.0.1"}

    async def launch(self) -> None:
        """Starts it without waiting."""
        if self.process is None:
            argv = [sys.executable, "-m", "vonggac", "serve", self.name]
            self.process = processes.spawn(argv, log=self.log, env=self.environment)

    async def start(self) -> None:
        await self.launch()
        await until_ready(self.url, self.process, self.log)

    async def stop(self) -> None:
        if self.process is not None:
            process, self.process = self.process, None
            await processes.end(process)

    async def kill(self) -> None:
        if self.process is not None:
            process, self.process = self.process, None
            await processes.kill(process)

    async def pause(self) -> None:
        if self.process is not None:
            await processes.freeze(self.process)

    async def resume(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)


async def until_ready(url: str, process: subprocess.Popen[bytes] | None = None, log: Path | None = None) -> None:
    """Waits until the service can serve its doors."""
    until = time.monotonic() + READY_WITHIN_S
    async with httpx.AsyncClient(trust_env=False, timeout=3) as client:
        while True:
            said = "no answer"
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.get(f"{url}/health/ready")
                said = answer.text
                if answer.status_code == 200:
                    return
            if process is not None and process.poll() is not None:
                said = f"ended with {process.returncode}"
            if time.monotonic() > until or "ended" in said:
                more = processes.last_lines(log) if log else ""
                raise processes.NotReady(f"{url} is not ready: {said}\n{more}")
            await asyncio.sleep(0.03)
