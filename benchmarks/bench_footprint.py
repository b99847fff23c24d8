"""The embedded system at rest: seconds until it is ready, first and again, and the memory of all its processes (PSS)."""

import asyncio
import sys
from pathlib import Path

import psutil

from benchmarks.stage import folder, tell
from tests.roof.launched import Launched

REST_S = 60
TARGETS = {
    "ready, first start: s": ("<=", 15.0),
    "ready, again: s": ("<=", 8.0),
    "idle: PSS of all processes, MB": ("<=", 500.0),
}


async def main() -> int:
    async with folder() as path:
        system = Launched(path / "system", "--no-simulate")
        first = await system.start()
        await system.stop()
        again = await system.start()
        await asyncio.sleep(REST_S)
        sizes = _pss_mb(system)
        for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
            print(f"  {size:7.1f} MB  {name}")
        await system.stop()
        await system.http.aclose()
    figures = {
        "ready, first start: s": first,
        "ready, again: s": again,
        "idle: PSS of all processes, MB": sum(sizes.values()),
    }
    return tell("footprint", figures, TARGETS)


def _pss_mb(system: Launched) -> dict[str, float]:
    """By name: the proportional share of memory (pages that several processes share are counted once)."""
    assert system.process is not None
    sizes: dict[str, float] = {}
    for process in [psutil.Process(system.process.pid), *system.children()]:
        line = process.cmdline()
        name = " ".join(Path(word).name for word in line[:1] + line[-2:]) if line else process.name()
        name = "postgres" if "postgres" in name else name
        sizes[name] = sizes.get(name, 0) + process.memory_full_info().pss / 2**20
    return sizes


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
