"""A whole embedded system as a person starts it: ``vonggac up`` in a folder of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.world import ports, processes

READY_WITHIN_S = 90.0
STOPPED_WITHIN_S = 15.0


class Launched:
    """One data folder, over several starts."""

    def __init__(self, folder: Path, *flags: str, env: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = folder / "dữ liệu"
        self.ready_file = folder / "sẵn sàng.json"
        self.log = folder / "up.log"
        self._flags = flags
        self._env = {**os.environ, **(env or {})}
        self._port_base = self._three_free_ports()
        self.ready: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.AsyncClient(trust_env=False, timeout=20)

    @staticmethod
    def _three_free_ports() -> int:
        while True:
            base = ports.free_port()
            if not any(ports.accepts(base + n) for n in range(3)):
                return base

    async def start(self) -> float:
        """Until the ready file is there; the seconds it took."""
        begun = time.monotonic()
        self.process = processes.spawn(
            [sys.executable, "-m", "vonggac", "up", "--data-dir", self.data_dir, "--port-base", str(self._port_base),
             "--ready-file", self.ready_file, *self._flags],
            log=self.log, env=self._env, death_signal=signal.SIGTERM,
        )  # fmt: skip
        while not self.ready_file.exists():
            if self.process.poll() is not None or time.monotonic() - begun > READY_WITHIN_S:
                raise processes.NotReady(processes.last_lines(self.log))
            await asyncio.sleep(0.05)
        self.ready = json.loads(self.ready_file.read_text())
        return time.monotonic() - begun

    async def stop(self, ask: int = signal.SIGTERM) -> tuple[int, float]:
        """The exit status, and the seconds it took."""
        assert self.process is not None
        begun = time.monotonic()
        status = await processes.end(self.process, ask, STOPPED_WITHIN_S + 5)
        return status, time.monotonic() - begun

    def children(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """The one child whose command line ends with these words, or has them."""
        found = [one for one in self.children() if all(word in " ".join(one.cmdline()) for word in words)]
        return min(found, key=lambda one: one.create_time())

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.ready['token']}"}

    async def get(self, service: str, path: str, **params: str) -> Any:
        answer = await self.http.get(self.ready[f"{service}_url"] + path, params=params, headers=self.bearer)
        answer.raise_for_status()
        return answer.json()

    async def post(self, kind: str, device: dict[str, Any]) -> dict[str, Any]:
        """Sends a signal until it is answered, always the same id."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {"id": str(uuid.uuid4()), "kind": kind, "occurred_at": now, "sent_at": now}
        for _ in range(200):
            try:
                answer = await self.http.post(
                    self.ready["incidents_url"] + "/v1/signals", json=body,
                    headers={"Authorization": f"Bearer {device['key']}"},
                )  # fmt: skip
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
                continue
            if answer.is_success:
                return dict(answer.json())
            await asyncio.sleep(0.1)
        raise AssertionError("never answered")

    async def until(self, what: str, holds: Callable[[], Any], within_s: float = 45.0) -> Any:
        """The first true answer of ``holds``; an error of the network counts as not yet."""
        begun, last = time.monotonic(), None
        while time.monotonic() - begun < within_s:
            try:
                if last := await holds():
                    return last
            except (httpx.HTTPError, KeyError) as error:
                last = error
            await asyncio.sleep(0.1)
        raise AssertionError(f"not within {within_s} s: {what}; last {last}\n{processes.last_lines(self.log)}")

    async def figures(self) -> tuple[int, int, int, int]:
        """Signals, incidents, alerts, incidents counted by reporting."""
        counts = {
            name: (await self.get(name, "/v1/status"))["counts"] for name in ("incidents", "notifications", "reporting")
        }
        return (
            counts["incidents"]["signals"], counts["incidents"]["incidents"], counts["notifications"]["alerts"],
            counts["reporting"]["complete"],
        )  # fmt: skip
