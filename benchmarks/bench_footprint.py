"""The embedded system: seconds until it is ready, the first time and again, and its memory at rest.

Memory is PSS, the proportional share of all its processes: a page that several share is counted once.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.stage import folder, options, tell
from tests.roof.launched import Launched

TARGETS = {
    "ready, first start: s": ("<=", 15.0),
    "ready, again: s": ("<=", 8.0),
    "at rest: PSS of all processes, MB": ("<=", 500.0),
}
MB = 1_000_000


async def main(rest: int, short: bool) -> int:
    async with folder() as path:
        system = Launched(path / "system", "--no-simulate")
        try:
            first = await system.start()
            await system.stop()
            again = await system.start()
            print(f"ready after {first:.1f} s, again after {again:.1f} s; now {rest} s of rest", flush=True)
            await asyncio.sleep(rest)
            sizes, many = _pss_mb(system)
        finally:
            await system.stop()
            await system.http.aclose()
    for name, size in sizes.most_common():
        print(f"  {size:7.1f} MB  {name} ({many[name]})")
    figures = {
        "ready, first start: s": first,
        "ready, again: s": again,
        "at rest: PSS of all processes, MB": sizes.total(),
        **{f"at rest: {name}, MB": size for name, size in sizes.most_common()},
    }
    return tell("footprint", figures, TARGETS, short=short, rest_s=rest)


def _pss_mb(system: Launched) -> tuple[Counter[str], Counter[str]]:
    """Memory and number of processes, by part."""
    assert system.process is not None
    sizes: Counter[str] = Counter()
    many: Counter[str] = Counter()
    for process in [psutil.Process(system.process.pid), *system.children()]:
        name = _part(process.cmdline())
        sizes[name] += process.memory_full_info().pss / MB  # type: ignore[assignment] - a Counter of floats
        many[name] += 1
    return sizes, many


def _part(words: list[str]) -> str:
    line = " ".join(words)
    known = {"serve incidents", "serve notifications", "serve reporting", "vonggac up", "postgres", "tansu"}
    return next((name for name in sorted(known) if name in line), Path(words[0]).name if words else "?")


if __name__ == "__main__":
    given = options(rest=60)
    sys.exit(asyncio.run(main(given.rest, given.short)))
