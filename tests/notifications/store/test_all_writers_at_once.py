"""Consumer, lookout for what was put off, and officers at the same moment: no deadlock, no lost step."""

import asyncio
import contextlib
import random
from collections import Counter

from foundation.chassis.identity import Scope
from foundation.chassis.problems import Problem
from services.notifications import actions
from services.notifications.domain.lifecycle import alert_id
from tests.notifications.desk import AREA, DONG_HA, NOON, Desk, after, incident

VERBS = [*actions.CHANGES, "transfer"]
UNITS = [f"CAX-{DONG_HA}", "PC07", "TRUC-BAN"]


async def test_no_deadlock_and_gapless_versions(desk: Desk, caplog):
    states = [incident("fire") for _ in range(12)]
    await desk.hear(*states)
    chance, busy = random.Random(3), True

    async def officer(name: str) -> None:
        scope = Scope(name, "province_desk", AREA)
        while busy:
            wanted, verb = alert_id(chance.choice(states).id, chance.choice(UNITS)), chance.choice(VERBS)
            with contextlib.suppress(Problem):
                async with desk.database.transaction() as connection:
                    if verb == "transfer":
                        target = chance.choice(["CAX-19429", "PC07"])
                        await actions.transfer(connection, scope, wanted, target, None, desk.clock.now())
                    else:
                        await actions.act(connection, scope, wanted, verb, None, desk.clock.now())

    async def lookout() -> None:
        while busy:
            await desk.look()
            await asyncio.sleep(0.001)

    others = [asyncio.create_task(officer(f"Cán bộ {number}")) for number in range(5)]
    others += [asyncio.create_task(lookout()) for _ in range(2)]
    for turn in range(12):
        states = [after(state, rings=state.rings + chance.randint(0, 1), notes=[f"lần {turn}"]) for state in states]
        old = chance.random() < 0.5
        await desk.hear(*chance.sample(states, 12), behind=old, said_at=NOON.replace(hour=4) if old else None)
    ended = [after(state, status="resolved") for state in states]
    await desk.hear(*ended)
    busy = False
    await asyncio.gather(*others)

    assert "batch tried again" not in caplog.text
    alerts = await desk.alerts()
    assert {alert.status for alert in alerts} == {"stood_down"}
    said = await desk.said()
    assert set(Counter((one.id, one.version) for one in said).values()) == {1}
    for alert in alerts:
        history = [one for one in said if one.id == alert.id]
        assert [one.version for one in history] == list(range(1, alert.version + 1))
        assert history[-1] == alert
