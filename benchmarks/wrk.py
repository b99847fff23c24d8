"""wrk, the load generator of the intake benchmark, and what it says."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stage import needs_wrk

SCRIPT = Path(__file__).parent / "signals.lua"
CONNECTIONS = 64
MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Measured:
    """Answers a second, the milliseconds that 99 of 100 did not exceed, and how many were answered."""

    rate: float
    p99_ms: float
    answered: int


def wrk(url: str, seconds: int, keys: Path) -> Measured:
    """Sends signals over 64 connections as fast as they are answered. Raises ``RuntimeError`` if one is refused.

    ``keys``: a file with one device key a line, all of different sites. One thread: two would take the other core
    from what is measured.
    """
    argv = [needs_wrk(), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--timeout", "10", "--latency", "-s", SCRIPT, url]
    done = subprocess.run(argv, env={**os.environ, "KEYS": str(keys)}, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", done.stdout)
    rate, many = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout), re.search(r"(\d+) requests in", done.stdout)
    if slow is None or rate is None or many is None:
        raise RuntimeError(done.stdout)
    return Measured(float(rate[1]), float(slow[1]) * MS[slow[2]], int(many[1]))
