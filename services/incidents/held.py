"""Held alarms: a power loss becomes an incident only if it lasts (DOMAIN: "power failed and back within 5 min")."""

import asyncio
from uuid import uuid4

from foundation.chassis import ledger
from foundation.chassis.clock import Clock
from foundation.chassis.database import Database
from services.incidents.domain.correlation import raise_incident
from services.incidents.domain.incident import with_signal
from services.incidents.settings import Settings
from services.incidents.store import incidents as store

MOST_AT_ONCE = 200
DUE = "SELECT DISTINCT site_id, kind, drill FROM held_signal WHERE due_at <= $1 LIMIT $2"
BELONGS = "UPDATE signal SET incident_id = $2 WHERE id = $1"


async def raise_held(database: Database, settings: Settings, clock: Clock) -> None:
    """Raises what is due, again and again. Any number of processes may do this at once: the slot decides."""
    while True:
        await raise_due(database, clock)
        await asyncio.sleep(settings.held_poll_s)


async def raise_due(database: Database, clock: Clock) -> int:
    """Raises the held alarms that are due; several of one slot make one incident. Returns the number of incidents."""
    now = clock.now()
    async with database.transaction() as connection:
        keys = [tuple(row) for row in await connection.fetch(DUE, now, MOST_AT_ONCE)]
        if not keys:
            return 0
        await store.lock_slots(connection, keys)
        raised = {}
        for held in sorted(await store.held_of(connection, keys), key=lambda held: held.due_at):
            key = store.slot_key(held.arrival)
            if held.due_at > now and key not in raised:
                continue
            if key not in raised:
                raised[key] = raise_incident(held.arrival, uuid4(), follows=None, at=now)
            else:
                known = raised[key]
                raised[key] = with_signal(known, now, restored=known.restored | {held.arrival.detector: False})
            await connection.execute(BELONGS, held.arrival.signal_id, raised[key].id)
            await store.release(connection, held.arrival)
        await store.put(connection, raised.values())
        await ledger.append(connection, [store.changed(incident) for incident in raised.values()], now)
    return len(raised)
