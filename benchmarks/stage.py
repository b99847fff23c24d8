"""What every benchmark stands on: durable PostgreSQL, Apache Kafka, services as processes, and how figures are told."""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tests.world.brokers import Broker
from tests.world.databases import Cluster
from tests.world.world import World, prepare_templates

OUT = Path(__file__).parent.parent / ".ci" / "out" / "bench"
PRODUCTION = {"HEADS_EVERY_S": "5", "SILENCE_S": "2"}
"""The defaults of production, where the tests' world has shorter ones."""
LOAD_BEFORE = os.getloadavg()[0]

Targets = Mapping[str, tuple[str, float]]
"""Figure → (``>=`` or ``<=``, number)."""


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
async def servers() -> AsyncIterator[tuple[Cluster, Broker, Path]]:
    """PostgreSQL and Kafka for several worlds, one after another."""
    async with folder() as path, database(path) as cluster:
        broker = Broker(path / "broker")
        await broker.start()
        print(f"broker: {broker.kind}", flush=True)
        try:
            yield cluster, broker, path
        finally:
            await broker.remove()


@asynccontextmanager
async def system(cluster: Cluster, broker: Broker, path: Path) -> AsyncIterator[World]:
    """Three services as processes on fresh databases and topics, with the settings of production."""
    async with World(cluster, broker, path, processes=True, settings=dict(PRODUCTION)) as world:
        yield world


@asynccontextmanager
async def whole_system() -> AsyncIterator[World]:
    """Three services as processes, Kafka and PostgreSQL."""
    async with servers() as (cluster, broker, path), system(cluster, broker, path) as world:
        yield world


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-round(len(ordered) * share * 1000) // 1000) - 1)]


def options(**defaults: int) -> argparse.Namespace:
    """Whole numbers from the command line, each with its default; ``short``: one of them was changed."""
    parser = argparse.ArgumentParser()
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"default {default}")
    given = parser.parse_args()
    given.short = any(getattr(given, name) != default for name, default in defaults.items())
    return given


def tell(name: str, figures: Mapping[str, float], targets: Targets, *, short: bool = False, **details: Any) -> int:
    """Prints the figures against their targets and keeps them as JSON; 1 if one is missed.

    The ratio says how many times better than its target a figure is. ``short``: a try, no measurement.
    """
    print()
    ratios = {figure: _ratio(figures[figure], *targets[figure]) for figure in targets if figure in figures}
    for figure, value in figures.items():
        line = f"{figure:52} {value:>11,.3f}"
        if figure in ratios:
            sign, target = targets[figure]
            said = "đạt / met" if ratios[figure] >= 1 else "CHƯA ĐẠT / MISSED"
            line += f"   {sign} {target:g}   ratio {ratios[figure]:.2f}   {said}"
        print(line, flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    kept = {
        "figures": figures, "targets": targets, "ratios": ratios, "short": short, "machine": _machine(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "details": details,
    }  # fmt: skip
    (OUT / f"{name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if any(ratio < 1 for ratio in ratios.values()) else 0


def _ratio(value: float, sign: str, target: float) -> float:
    return value / target if sign == ">=" else target / max(value, 1e-9)


def _machine() -> dict[str, Any]:
    models = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "load_before": round(LOAD_BEFORE, 2),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def cpu_seconds(world: World) -> dict[str, float]:
    """Processor time used so far, by part; the load generator is this process."""
    parts = {"load generator": os.getpid(), "PostgreSQL": world.cluster.pid, "Kafka": world.broker.pid}
    for name, several in world.services.items():
        parts[name] = several[0].process.pid  # type: ignore[attr-defined] - services are processes here
    used = {}
    for name, pid in parts.items():
        if pid is not None:  # a broker in a container has a process that is not ours to ask
            process = psutil.Process(pid)
            family = [process, *(process.children() if name == "PostgreSQL" else ())]
            used[name] = sum(times.user + times.system for times in (one.cpu_times() for one in family))
    return used


def needs_wrk() -> str:
    """The program wrk. Says so and exits with 2 where it is missing."""
    program = shutil.which("wrk")
    if program is None:
        print("cần wrk / needs wrk: apt-get install wrk", file=sys.stderr)
        raise SystemExit(2)
    return program
