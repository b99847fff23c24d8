"""Child processes of the tests: they end with the test process, and are waited for without blocking its loop.

Plain ``subprocess`` underneath, so that a process belongs to no event loop: a session's broker outlives the loop of
the test that restarted it.
"""

import asyncio
import atexit
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_living: set[subprocess.Popen[bytes]] = set()


class NotReady(RuntimeError):
    """A server of the tests did not come up; the message ends with the last lines of its log."""


def _dies_with(parent: int, death_signal: int) -> Callable[[], None]:
    def arrange() -> None:
        assert _libc is not None
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # the parent ended before the line above
            os._exit(1)

    return arrange


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: int | None = None,
    group: int | None = None,
    death_signal: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Starts a process whose output is appended to ``log`` and which ends when the test process ends.

    ``env`` is the whole environment, or None for ours. Ctrl-C in the terminal does not reach it. On Linux the kernel
    sends it ``death_signal``; that is tied to the *thread* that started it, so only the main thread may.
    Raises ``RuntimeError`` in another thread, ``OSError`` if the program cannot be started.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a process that must end with the tests can only be started by the main thread")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [os.fspath(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            start_new_session=True,
            preexec_fn=_dies_with(os.getpid(), death_signal) if _libc else None,
        )
    _living.add(process)
    return process


async def ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    """Waits until the process has ended, at most ``within_s``; whether it has."""
    until = time.monotonic() + within_s
    while process.poll() is None:
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(0.01)
    _living.discard(process)
    return True


async def end(process: subprocess.Popen[bytes], ask: int = signal.SIGTERM, within_s: float = 15.0) -> int:
    """Asks the process to end by the signal ``ask``, kills it after ``within_s``; its exit status.

    A paused process is resumed first: it could not hear us.
    """
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(ask)
    if not await ended(process, within_s):
        process.kill()
        await ended(process, within_s)
    return process.wait()


async def kill(process: subprocess.Popen[bytes]) -> None:
    """``kill -9``, and waits until the kernel has let go of the process and its port."""
    process.kill()
    if not await ended(process, 10.0):
        raise RuntimeError(f"process {process.pid} survived SIGKILL for 10 s")


async def freeze(process: subprocess.Popen[bytes]) -> None:
    """SIGSTOP; returns when the process stands."""
    if process.poll() is None:
        await freeze_all([psutil.Process(process.pid)])


async def freeze_all(family: Iterable[psutil.Process], within_s: float = 5.0) -> None:
    """SIGSTOP, and waits until it has taken effect: the signal alone may leave them running for a moment more."""
    until = time.monotonic() + within_s
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            while lives(process) and process.status() != psutil.STATUS_STOPPED:
                if time.monotonic() >= until:
                    raise RuntimeError(f"process {process.pid} still runs {within_s} s after SIGSTOP")
                await asyncio.sleep(0.002)


def lives(process: psutil.Process) -> bool:
    """A zombie does not: not every init hurries to reap the orphans that a killed server leaves."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def last_lines(log: Path, lines: int = 25) -> str:
    """The last lines of a log for a message; at most 64 KiB are read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65_536))
            text = file.read().decode(errors="replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(text.splitlines()[-lines:])


@atexit.register
def _leave_none() -> None:
    for process in _living:
        if process.poll() is None:
            process.kill()
