"""Killed, paused, cut and crashed at random: nothing that was acknowledged is lost, nothing is doubled."""

import pytest

from tests.faults.plan import SERVICES, TARGETS, plan
from tests.faults.run import FaultRun
from tests.world.logs import LogWatch
from tests.world.world import World

KILLS = {"small": 8, "ci": 40, "large": 1000}
PER_KILL_S = 30


@pytest.mark.timeout(KILLS["large"] * PER_KILL_S)
async def test_the_accounts_balance_after_kills_at_random(
    processes: World, logs: LogWatch, seed: int, scale: str
) -> None:
    run = FaultRun(processes, seed, KILLS[scale])
    report = await run.run()
    print(f"SEED={seed} {dict(run.done)}\n{report}")
    report.check()
    assert run.done["kills"] >= KILLS[scale]
    assert report.ok["signals"] >= KILLS[scale]


def test_a_plan_repeats_and_hits_each_part_at_least_twice() -> None:
    first = plan(7, 40)
    assert first == plan(7, 40)
    assert first != plan(8, 40)
    hits = [fault.target for burst in first for fault in burst if fault.verb == "kill"]
    assert all(hits.count(target) >= 2 for target in TARGETS["kill"])
    crashed = [fault.target for burst in first for fault in burst if fault.verb == "crash"]
    assert set(crashed) >= set(SERVICES)
