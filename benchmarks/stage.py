"""What every benchmark stands on: durable PostgreSQL, Apache Kafka, services as processes, and how figures are told."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.world.brokers import Broker
from tests.world.databases import Cluster
from tests.world.world import World, prepare_templates

OUT = Path(__file__).parent.parent / ".ci" / "out" / "bench"


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """A folder for data and logs, thrown away at the end."""
    path = Path(tempfile.mkdtemp(prefix="vonggac-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@asynccontextmanager
async def database(path: Path) -> AsyncIterator[Cluster]:
    """PostgreSQL that waits for its disk (fsync on), with the demo province prepared."""
    cluster = Cluster(path / "postgres", durable=True)
    await cluster.start()
    try:
        await prepare_templates(cluster)
        yield cluster
    finally:
        await cluster.remove()


@asynccontextmanager
async def whole_system() -> AsyncIterator[World]:
    """Three services as processes, Kafka and PostgreSQL."""
    async with folder() as path, database(path) as cluster:
        broker = Broker(path / "broker")
        await broker.start()
        print(f"broker: {broker.kind}")
        try:
            async with World(cluster, broker, path, processes=True, settings={"HEADS_EVERY_S": "5"}) as world:
                yield world
        finally:
            await broker.remove()


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the sorted values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1))]


def tell(name: str, figures: dict[str, Any], targets: dict[str, tuple[str, float]]) -> int:
    """Prints the figures against their targets and keeps them as JSON; 1 if one is missed.

    ``targets``: figure → (``>=`` or ``<=``, number).
    """
    missed = 0
    for figure, value in figures.items():
        if figure in targets:
            sign, target = targets[figure]
            held = value >= target if sign == ">=" else value <= target
            missed += not held
            print(f"{figure:46} {value:>12,.3f}   {sign} {target:g}   {'đạt / met' if held else 'CHƯA ĐẠT / MISSED'}")
        else:
            print(f"{figure:46} {value:>12,.3f}" if isinstance(value, float) else f"{figure:46} {value:>12}")
    OUT.mkdir(parents=True, exist_ok=True)
    kept = {"figures": figures, "targets": targets, "cores": os.cpu_count()}
    (OUT / f"{name}.json").write_text(json.dumps(kept, indent=1))
    return 1 if missed else 0


def wrk(url: str, seconds: int, keys: Path) -> dict[str, float]:
    """Runs wrk with 64 connections; requests a second and the 99th percentile in ms. Exits with 2 where it is missing."""
    program = shutil.which("wrk")
    if program is None:
        print("needs wrk (Debian's package of that name)", file=sys.stderr)
        raise SystemExit(2)
    script = Path(__file__).parent / "signals.lua"
    done = subprocess.run(
        [program, "-t1", "-c64", f"-d{seconds}", "--latency", "-s", script, url],
        env={**os.environ, "KEYS": str(keys)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    words = done.stdout.split()
    p99 = words[words.index("99%") + 1]
    unit = 1000.0 if p99.endswith("s") and not p99.endswith("ms") else 1.0
    return {"rate": float(words[words.index("Requests/sec:") + 1]), "p99_ms": float(p99.rstrip("ms")) * unit}
