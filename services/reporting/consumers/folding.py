"""From states to figures, one batch at a time: lock the facts, fold purely, write what changed."""

from collections.abc import Sequence

import asyncpg

from services.reporting.domain.facts import State, contribution, fold, incident_of, movement
from services.reporting.store import facts, rollups


async def fold_into_facts(connection: asyncpg.Connection, area: str, states: Sequence[State]) -> None:
    """Brings facts and figures up to date with ``states``, all in one step."""
    held = await facts.lock(connection, area, map(incident_of, states))
    after = {incident_id: one.fact for incident_id, one in held.items()}
    for state in states:
        after[incident_of(state)] = fold(after[incident_of(state)], state)
    changed = [
        (one, fact, contribution(fact))
        for one, fact in ((held[incident_id], fact) for incident_id, fact in after.items())
        if fact is not one.fact
    ]
    if not changed:
        return
    alerts = [
        (fact.incident_id, alert_id, part)
        for one, fact, _ in changed
        for alert_id, part in fact.alerts.items()
        if one.fact.alerts.get(alert_id) is not part
    ]
    if alerts:
        await facts.save_alerts(connection, alerts)
    await facts.save(connection, [(fact, contributes) for _, fact, contributes in changed])
    await rollups.move(connection, movement((one.contributed, contributes) for one, _, contributes in changed))
