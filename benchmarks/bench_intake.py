"""How much of the raw limit does intake keep? Alone (nothing is published), 64 connections, every signal an incident.

The raw limit is benchmarks/bare.py: the same rows in the same PostgreSQL, asked by the same wrk, turn by turn.
"""

import asyncio
import os
import statistics
import sys
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.stage import database, folder, needs_wrk, options, tell
from benchmarks.wrk import Measured, wrk
from tests.world import ports, processes
from tests.world.databases import Cluster
from tests.world.services import ProcessService, until_ready
from tests.world.world import DEMO_SECRET
from vonggac.demo.seed import device_list

RATIO = "intake: share of the raw limit"
ROOT = Path(__file__).parent.parent


async def main(seconds: int, rounds: int, short: bool) -> int:
    needs_wrk()
    async with folder() as path, database(path) as cluster:
        keys = path / "keys.txt"
        one_a_site = {device["site_id"]: device["key"] for device in device_list(DEMO_SECRET)}
        keys.write_text("\n".join(one_a_site.values()) + "\n", encoding="utf-8")
        ours, raw = [], []
        for _ in range(rounds):  # a fresh database each time: every signal is an incident of its own
            raw.append(await _bare(path, cluster, seconds, keys))
            ours.append(await _ours(path, cluster, seconds, keys))
            print(
                f"raw limit {raw[-1].rate:7,.0f}/s   incidents {ours[-1].rate:7,.0f}/s   p99 {ours[-1].p99_ms:.0f} ms",
                flush=True,
            )
    rate, limit = (statistics.median(one.rate for one in side) for side in (ours, raw))
    figures = {
        RATIO: rate / limit,
        "intake: signals a second": rate,
        "intake: answered, 99 of 100 within ms": statistics.median(one.p99_ms for one in ours),
        "raw limit: signals a second": limit,
        "raw limit: answered, 99 of 100 within ms": statistics.median(one.p99_ms for one in raw),
    }
    runs = [{"raw": r.rate, "incidents": o.rate} for r, o in zip(raw, ours, strict=True)]
    return tell("intake", figures, {RATIO: (">=", 0.25)}, short=short, seconds=seconds, runs=runs)


async def _ours(path: Path, cluster: Cluster, seconds: int, keys: Path) -> Measured:
    url = await cluster.create("incidents")
    nowhere = f"127.0.0.1:{ports.free_port()}"  # no broker: neither relay nor consumer has work
    environment = {"INCIDENTS_DATABASE_URL": url, "KEYS_DIR": str(path / "keys"), "KAFKA_BOOTSTRAP_SERVERS": nowhere}
    service = ProcessService("incidents", environment, path)
    await service.start()
    try:
        measured = await asyncio.to_thread(wrk, service.url, seconds, keys)
    finally:
        await service.stop()
    await _check(url, measured)
    await cluster.drop(url)
    return measured


async def _bare(path: Path, cluster: Cluster, seconds: int, keys: Path) -> Measured:
    url, port = await cluster.create("incidents"), ports.free_port()
    process = processes.spawn(
        [sys.executable, "-m", "benchmarks.bare", str(port)], log=path / "bare.log", cwd=ROOT,
        env={**os.environ, "INCIDENTS_DATABASE_URL": url},
    )  # fmt: skip
    try:
        await until_ready(f"http://127.0.0.1:{port}", process, path / "bare.log")
        measured = await asyncio.to_thread(wrk, f"http://127.0.0.1:{port}", seconds, keys)
    finally:
        await processes.end(process)
    await _check(url, measured)
    await cluster.drop(url)
    return measured


async def _check(url: str, measured: Measured) -> None:
    """That what was measured is what was asked: durable, and every answered signal stored as an incident of its own."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            """SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on' AS durable,
                (SELECT count(*) FROM signal) AS signals, (SELECT count(*) FROM incident) AS incidents,
                (SELECT count(*) FROM ledger WHERE topic <> 'vonggac.sites') AS events"""
        )
    finally:
        await connection.close()
    assert row["durable"], "PostgreSQL does not wait for its disk"
    assert measured.answered <= row["signals"] == row["incidents"] == row["events"], dict(row)


if __name__ == "__main__":
    given = options(seconds=10, rounds=3)
    sys.exit(asyncio.run(main(given.seconds, given.rounds, given.short)))
