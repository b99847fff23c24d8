"""Held alarms: a power loss becomes an incident only if it lasts (DOMAIN: "power failed and back within 5 min")."""

import asyncio
from uuid import uuid4

from foundation.chassis.clock import Clock
from foundation.chassis.database import Database
from foundation.streams import ledger
from services.incidents.domain.correlation import changes, correlate, remember
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
    """Decides the held alarms that are due, each as any alarm of its time. Returns the number of incidents changed."""
    now = clock.now()
    async with database.transaction() as connection:
        keys = [tuple(row) for row in await connection.fetch(DUE, now, MOST_AT_ONCE)]
        if not keys:
            return 0
        await store.lock_slots(connection, keys)
        due = sorted(await store.held_of(connection, keys), key=lambda held: held.due_at)
        due = [held for held in due if held.due_at <= now]
        slots = await store.slots_near(connection, [held.arrival for held in due])
        for held in due:
            slot = slots[store.slot_key(held.arrival)]
            decision = correlate(held.arrival, slot, uuid4(), held_until=now)
            assert decision.incident is not None, "an alarm that is not held belongs to an incident"
            remember(slot, held.arrival, decision)
            await connection.execute(BELONGS, held.arrival.signal_id, decision.incident.id)
            await store.release(connection, held.arrival)
        changed = [incident for slot in slots.values() for incident in changes(slot)]
        await store.put(connection, changed)
        await ledger.append(connection, [store.changed(incident) for incident in changed], now)
    return len(changed)
