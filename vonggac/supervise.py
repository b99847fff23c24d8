"""Starts child processes in order, watches them, brings dead ones back, stops them in reverse order.

Main thread only: Linux ends a child with the *thread* that forked it. Why our own: docs/decisions/.
"""

import asyncio
import fcntl
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

FIRST_DELAY_S, LONGEST_DELAY_S, HEALTHY_S, START_ATTEMPTS, LOG_MAX_BYTES = 0.1, 5.0, 10.0, 3, 10 * 1024 * 1024
STOP_TOTAL_S, KILL_S, BORN_S = 14.0, 1.0, 3.0  # the first two are the 15 s that are promised
log = logging.getLogger("vonggac.supervise")
_setpriv = shutil.which("setpriv")  # Linux; elsewhere only the notes below find what a killed launcher left


class LaunchError(RuntimeError):
    """The system cannot be launched; the text is one line, Vietnamese and English, for the terminal."""


@dataclass(frozen=True)
class Child:
    """What to run and how to end it. ``argv`` is a function where every start needs another command line."""

    name: str
    argv: Sequence[str] | Callable[[], Sequence[str]]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 6.0
    death_signal: signal.Signals = signal.SIGKILL  # what the kernel sends when the launcher is gone
    clean_statuses: frozenset[int] = frozenset({0, -signal.SIGTERM})  # uvicorn re-raises SIGTERM when done
    before_start: Callable[[], Awaitable[None]] | None = None  # before every start
    ready: Callable[[int], Awaitable[bool]] | None = None  # after every start, with the pid, until it says True
    ready_timeout_s: float = 20.0  # bounds the first start; later a recovery may take what it needs


@dataclass
class Running:
    """A child and its present life; ``pid`` is None between two lives."""

    child: Child
    log_file: Path
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    pid: int | None = None
    restarts: int = 0
    ended: str = ""
    process: asyncio.subprocess.Process | None = None
    task: asyncio.Task[None] | None = None


class Supervisor:
    """The children of one data folder. ``async with`` claims the folder, and stops everything at the end."""

    def __init__(self, data_dir: Path) -> None:
        self.running: dict[str, Running] = {}
        self._run_dir, self._log_dir = data_dir / "run", data_dir / "logs"
        self._groups: list[list[Running]] = []

    async def __aenter__(self) -> "Supervisor":
        self._claim = await asyncio.to_thread(_claim, self._run_dir, self._log_dir)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *children: Child) -> None:
        """Start these together, return when all are ready. Raises LaunchError when one does not come up."""
        begun, group = time.monotonic(), [Running(each, self._log_dir / f"{each.name}.log") for each in children]
        self._groups.append(group)
        for each in group:
            self.running[each.child.name] = each
            each.log_file.touch()
            each.task = asyncio.create_task(self._keep(each))
        while waiting := [each for each in group if not each.ready.is_set()]:
            await asyncio.sleep(0.01)
            for each in waiting:
                if each.restarts >= START_ATTEMPTS or time.monotonic() - begun > each.child.ready_timeout_s:
                    said = each.log_file.read_text(errors="replace").strip().rpartition("\n")[2]
                    why = f"{each.child.name}, {each.ended}: {said} [{each.log_file}]"
                    raise LaunchError(f"Không khởi động được / did not start: {why}")

    async def restart(self, name: str) -> None:
        """Stop one child in the orderly way; it comes back as after a death."""
        await _end(self.running[name], self.running[name].child.stop_timeout_s)

    async def stop(self, total_s: float = STOP_TOTAL_S) -> None:
        """End the groups in reverse order, the members of one together, all within ``total_s``."""
        deadline, tasks = time.monotonic() + total_s, [each.task for each in self.running.values() if each.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for groups_after, group in reversed([*enumerate(self._groups)]):
            left_s = max(0.0, deadline - time.monotonic() - KILL_S * groups_after)
            await asyncio.gather(*(_end(each, min(left_s, each.child.stop_timeout_s)) for each in group))
        self._claim.close()

    async def _keep(self, each: Running) -> None:
        """Run the child again and again, with a pause that grows while it does not stay healthy."""
        delay_s = FIRST_DELAY_S
        while True:
            begun = time.monotonic()
            try:
                await self._run(each)
            except Exception as error:  # a command that is not there, a hook that fails: the same as a death
                each.ended = repr(error)
            delay_s = FIRST_DELAY_S if each.ready.is_set() and time.monotonic() - begun >= HEALTHY_S else delay_s
            each.restarts, each.pid = each.restarts + 1, None
            each.ready.clear()
            log.warning("%s ended (%s), again in %.1f s", each.child.name, each.ended, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def _run(self, each: Running) -> None:
        child = each.child
        if child.before_start is not None:
            await child.before_start()
        argv = [*(child.argv() if callable(child.argv) else child.argv)]
        dying = [_setpriv, f"--pdeathsig={child.death_signal.name}", "--"] if _setpriv else []
        with _open_log(each.log_file) as out:
            each.process = await asyncio.create_subprocess_exec(
                *dying, *argv, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, env=child.env, cwd=child.cwd,
                start_new_session=True,  # Ctrl-C in the terminal reaches only the launcher
            )  # fmt: skip
        each.pid = each.process.pid
        note = {"pid": each.pid, "born": time.time(), "tail": argv[-2:]}
        (self._run_dir / f"{child.name}.pid").write_text(json.dumps(note))
        watch = asyncio.create_task(_until_ready(each, each.pid))
        try:
            each.ended = f"status {await each.process.wait()}"
        finally:
            watch.cancel()
        with suppress(OSError):  # what it started may hold its port
            os.killpg(each.pid, signal.SIGKILL)


async def _until_ready(each: Running, pid: int) -> None:
    pause_s, check = 0.01, each.child.ready
    while check is not None:
        with suppress(Exception):  # an error means the same as False: not yet
            async with asyncio.timeout(5):
                if await check(pid):
                    break
        await asyncio.sleep(pause_s)
        pause_s = min(1.2 * pause_s, 0.5)
    each.ready.set()


async def _end(each: Running, timeout_s: float) -> None:
    """Ask and wait, then kill; in the end nothing of its process group is left."""
    process, child = each.process, each.child
    if process is None or process.returncode is not None:
        return
    with suppress(ProcessLookupError, TimeoutError):
        process.send_signal(child.stop_signal)
        async with asyncio.timeout(timeout_s):
            await process.wait()
    with suppress(OSError, TimeoutError):
        os.killpg(process.pid, signal.SIGKILL)
        async with asyncio.timeout(KILL_S):
            await process.wait()
    if process.returncode not in child.clean_statuses:
        log.warning("%s was stopped with status %s", child.name, process.returncode)


def _open_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        path.replace(f"{path}.1")
    return path.open("ab")


def _claim(run_dir: Path, log_dir: Path) -> IO[str]:
    """One launcher a folder. What a killed one left is known by pid, start and command line, and is killed."""
    for folder in (run_dir, log_dir):
        folder.mkdir(parents=True, exist_ok=True)
    claim = (run_dir / "launcher.lock").open("w")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it when we die
    except BlockingIOError:
        raise LaunchError(f"Đã có một vonggac đang chạy ở / already running in {run_dir.parent}") from None
    for path in run_dir.glob("*.pid"):
        with suppress(psutil.Error, OSError, ValueError, KeyError):
            note = json.loads(path.read_text())
            process = psutil.Process(note["pid"])
            if abs(process.create_time() - note["born"]) < BORN_S and process.cmdline()[-2:] == note["tail"]:
                os.killpg(process.pid, signal.SIGKILL)  # each leads a group of its own
                process.wait(KILL_S)
        path.unlink(missing_ok=True)
    return claim
