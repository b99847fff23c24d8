"""How much of the raw limit does intake keep? Alone (nothing is published), 64 connections, every signal an incident."""

import argparse
import asyncio
import os
import statistics
import sys
from pathlib import Path

from benchmarks.stage import database, folder, tell, wrk
from tests.world import ports, processes
from tests.world.services import ProcessService, until_ready
from tests.world.world import DEMO_SECRET
from vonggac.demo.seed import device_list


async def main(seconds: int, rounds: int) -> int:
    async with folder() as path, database(path) as cluster:
        keys = path / "keys.txt"
        one_a_site = {device["site_id"]: device["key"] for device in device_list(DEMO_SECRET)}
        keys.write_text("\n".join(one_a_site.values()) + "\n")
        ours, raw = [], []
        for _ in range(rounds):  # a fresh database each time: every signal is an incident of its own
            raw.append(await _bare(path, await cluster.create("incidents"), seconds, keys))
            ours.append(await _ours(path, await cluster.create("incidents"), seconds, keys))
            print(
                f"raw {raw[-1]['rate']:,.0f}/s   incidents {ours[-1]['rate']:,.0f}/s   p99 {ours[-1]['p99_ms']:.0f} ms"
            )
        rate, limit = (statistics.median(one["rate"] for one in side) for side in (ours, raw))
        figures = {
            "intake: ratio to the raw limit": rate / limit,
            "intake: signals a second": rate,
            "intake: p99 ms": statistics.median(one["p99_ms"] for one in ours),
            "raw limit: signals a second": limit,
        }
        return tell("intake", figures, {"intake: ratio to the raw limit": (">=", 0.25)})


async def _ours(path: Path, url: str, seconds: int, keys: Path) -> dict[str, float]:
    nowhere = f"127.0.0.1:{ports.free_port()}"  # no broker: neither relay nor consumer has work
    environment = {"INCIDENTS_DATABASE_URL": url, "KEYS_DIR": str(path / "keys"), "KAFKA_BOOTSTRAP_SERVERS": nowhere}
    service = ProcessService("incidents", environment, path)
    await service.start()
    try:
        return await asyncio.to_thread(wrk, service.url, seconds, keys)
    finally:
        await service.stop()


async def _bare(path: Path, url: str, seconds: int, keys: Path) -> dict[str, float]:
    port = ports.free_port()
    argv = [sys.executable, "-m", "benchmarks.bare", str(port)]
    process = processes.spawn(argv, log=path / "bare.log", env={**os.environ, "INCIDENTS_DATABASE_URL": url})
    try:
        await until_ready(f"http://127.0.0.1:{port}", process, path / "bare.log")
        return await asyncio.to_thread(wrk, f"http://127.0.0.1:{port}", seconds, keys)
    finally:
        await processes.end(process)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.seconds, given.rounds)))
