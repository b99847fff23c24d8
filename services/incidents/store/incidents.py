"""Incidents and their slots: lock, read, write, and say it on the ledger. Set-based: one statement for many."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from foundation.contracts import incidents as contract
from foundation.contracts.fields import Position, SiteRef
from foundation.contracts.kinds import KINDS
from foundation.streams.ledger import NewEvent
from services.incidents.domain.correlation import Arrival, Held, Slot
from services.incidents.domain.incident import Detector, Incident, Place

SlotKey = tuple[UUID, str, bool]
"""Site, kind, drill."""

# Slots are made before any is locked, and in order: whoever wants a slot that another is just making waits here,
# with nothing in its hands that the other could want.
MAKE_SLOTS = """
INSERT INTO correlation_slot (site_id, kind, drill)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bool[]) ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING
"""
# The order of the locks is the order of the keys, whoever asks: two processes agree on who is first.
LOCK_SLOTS = """
SELECT 1 FROM correlation_slot
WHERE (site_id, kind, drill) IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::bool[]))
ORDER BY site_id, kind, drill FOR UPDATE
"""
# Incidents of each slot near its signals' times; where something ends (a restoral, a cancel) also those that are
# still live, however old. An incident may come twice.
NEAR = """
SELECT i.* FROM unnest($1::uuid[], $2::text[], $3::bool[], $4::timestamptz[], $5::timestamptz[], $6::bool[])
    AS s (site_id, kind, drill, since, until, looks_back)
CROSS JOIN LATERAL (
    (SELECT * FROM incident WHERE site_id = s.site_id AND kind = s.kind AND drill = s.drill
        AND effective_at <= s.until AND last_signal_at >= s.since ORDER BY effective_at DESC LIMIT 20)
    UNION ALL
    (SELECT * FROM incident WHERE s.looks_back AND site_id = s.site_id AND kind = s.kind AND drill = s.drill
        AND status IN ('open', 'confirmed') ORDER BY effective_at DESC LIMIT 20)
) i
"""
HELD = """
SELECT h.due_at, s.* FROM held_signal h JOIN signal s ON s.id = h.signal_id
WHERE (h.site_id, h.kind, h.drill) IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::bool[]))
"""
HOLD = """
INSERT INTO held_signal (signal_id, site_id, kind, drill, device_id, zone, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""
RELEASE = "DELETE FROM held_signal WHERE (site_id, kind, drill, device_id, zone) = ($1, $2, $3, $4, $5)"

COLUMNS: dict[str, str] = {
    "id": "uuid", "version": "bigint", "cause": "text", "area": "text", "site_id": "uuid", "site_name": "text",
    "site_kind": "text", "commune_code": "text", "address": "text", "lat": "float8", "lon": "float8",
    "post_id": "uuid", "kind": "text", "severity": "smallint", "status": "text", "drill": "bool", "silent": "bool",
    "validation_level": "smallint", "rings": "int", "signals": "int", "restored": "jsonb",
    "effective_at": "timestamptz", "received_at": "timestamptz", "last_signal_at": "timestamptz",
    "changed_at": "timestamptz", "follows": "uuid", "ended_at": "timestamptz", "result": "text", "ended_by": "text",
    "end_reason": "text", "notes": "text",
}  # fmt: skip
CHANGING = (
    "version", "cause", "status", "validation_level", "rings", "signals", "restored", "last_signal_at", "changed_at",
    "ended_at", "result", "ended_by", "end_reason", "notes",
)  # fmt: skip
# A text array cannot be nested in unnest, so notes travel as JSON. New rows and changed ones in one statement.
SELECTED = {"notes": "ARRAY(SELECT jsonb_array_elements_text(notes::jsonb))"}
PUT = f"""
INSERT INTO incident ({", ".join(COLUMNS)})
SELECT {", ".join(SELECTED.get(name, name) for name in COLUMNS)}
FROM unnest({", ".join(f"${place}::{kind}[]" for place, kind in enumerate(COLUMNS.values(), 1))})
    AS new ({", ".join(COLUMNS)})
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in CHANGING)}
"""


async def lock_slots(connection: asyncpg.Connection, keys: Iterable[SlotKey]) -> None:
    """Locks slots in the order of their keys, making those that are new."""
    columns = _columns(sorted(set(keys)))
    await connection.execute(MAKE_SLOTS, *columns)
    await connection.execute(LOCK_SLOTS, *columns)


async def slots_near(connection: asyncpg.Connection, arrivals: Sequence[Arrival]) -> dict[SlotKey, Slot]:
    """What is known of the slots of these signals; call it with the slots locked."""
    spans: dict[SlotKey, tuple[datetime, datetime, bool]] = {}
    for arrival in arrivals:
        key, window, at = slot_key(arrival), timedelta(minutes=arrival.kind.window_min), arrival.effective_at
        since, until, looks_back = spans.get(key, (at - window, at + window, False))
        spans[key] = (min(since, at - window), max(until, at + window), looks_back or arrival.event != "alarm")
    slots = {key: Slot() for key in spans}
    if not slots:
        return slots
    bounds = [list(column) for column in zip(*spans.values(), strict=True)]
    for row in await connection.fetch(NEAR, *_columns(list(spans)), *bounds):
        incident = incident_of(row)
        slots[incident.place.site_id, incident.kind, incident.drill].stored[incident.id] = incident
    for slot in slots.values():
        slot.incidents = sorted(slot.stored.values(), key=lambda incident: incident.effective_at)
    if any(arrival.kind.hold_min for arrival in arrivals):
        for held in await held_of(connection, list(spans)):
            slots[slot_key(held.arrival)].held[held.arrival.detector] = held
    return slots


async def held_of(connection: asyncpg.Connection, keys: Sequence[SlotKey]) -> list[Held]:
    """The alarms that are held in these slots."""
    rows = await connection.fetch(HELD, *_columns(list(keys)))
    places = {row["id"]: row for row in await connection.fetch(PLACES, [row["site_id"] for row in rows])}
    return [
        Held(
            Arrival(
                signal_id=row["id"], device_id=row["device_id"], post_id=row["post_id"],
                place=Place(*places[row["site_id"]]), kind=KINDS[row["kind"]], event="alarm", drill=row["drill"],
                by_person=False, zone=row["zone"], note=row["note"], effective_at=row["effective_at"],
                received_at=row["received_at"],
            ),
            row["due_at"],
        )
        for row in rows
    ]  # fmt: skip


PLACES = "SELECT id, area, name, kind, commune_code, address, lat, lon FROM site WHERE id = ANY ($1)"


async def hold(connection: asyncpg.Connection, held: Held) -> None:
    """Keeps an alarm back until it is due."""
    arrival = held.arrival
    await connection.execute(HOLD, arrival.signal_id, *slot_key(arrival), *arrival.detector, held.due_at)


async def release(connection: asyncpg.Connection, arrival: Arrival) -> None:
    """Forgets the held alarm of a detector."""
    await connection.execute(RELEASE, *slot_key(arrival), *arrival.detector)


async def put(connection: asyncpg.Connection, incidents: Iterable[Incident]) -> None:
    """Writes incidents, new and changed, in the order of their ids."""
    rows = [_row(incident) for incident in sorted(incidents, key=lambda incident: incident.id)]
    if rows:
        await connection.execute(PUT, *zip(*rows, strict=True))


async def locked(connection: asyncpg.Connection, incident_id: UUID) -> Incident | None:
    """One incident under the lock of its slot, then its own; None if there is none."""
    row = await connection.fetchrow("SELECT site_id, kind, drill FROM incident WHERE id = $1", incident_id)
    if row is None:
        return None
    await lock_slots(connection, [tuple(row)])
    return incident_of(await connection.fetchrow("SELECT * FROM incident WHERE id = $1 FOR UPDATE", incident_id))


def slot_key(arrival: Arrival) -> SlotKey:
    """The slot in which a signal is correlated."""
    return (arrival.place.site_id, arrival.kind.code, arrival.drill)


def changed(incident: Incident, traceparent: str = "") -> NewEvent:
    """The event that says an incident's whole public state."""
    return NewEvent(
        topic=contract.TOPIC,
        area=incident.place.area,
        key=str(incident.id),
        type=contract.TYPE,
        version=incident.version,
        payload=state_of(incident).model_dump_json(),
        traceparent=traceparent,
    )


def state_of(incident: Incident) -> contract.IncidentState:
    """The public state of an incident."""
    place = incident.place
    position = Position(lat=place.lat, lon=place.lon) if place.lat is not None and place.lon is not None else None
    return contract.IncidentState(
        id=str(incident.id), version=incident.version, area=place.area, cause=incident.cause,
        site=SiteRef(
            id=str(place.site_id), name=place.name, kind=place.kind, commune_code=place.commune_code,
            address=place.address, position=position,
        ),
        post_id=str(incident.post_id) if incident.post_id else None, kind=incident.kind, severity=incident.severity,
        status=incident.status, drill=incident.drill, silent=incident.silent,
        validation_level=incident.validation_level, rings=incident.rings, signals=incident.signals,
        detectors=len(incident.restored), effective_at=incident.effective_at, received_at=incident.received_at,
        last_signal_at=incident.last_signal_at, changed_at=incident.changed_at,
        follows=str(incident.follows) if incident.follows else None, ended_at=incident.ended_at,
        result=incident.result, ended_by=incident.ended_by, end_reason=incident.end_reason,
        notes=list(incident.notes),
    )  # fmt: skip


def incident_of(row: Any) -> Incident:
    """The incident in a row of ``incident``."""
    restored = row["restored"]
    return Incident(
        id=row["id"], version=row["version"], cause=row["cause"],
        place=Place(
            row["site_id"], row["area"], row["site_name"], row["site_kind"], row["commune_code"], row["address"],
            row["lat"], row["lon"],
        ),
        post_id=row["post_id"], kind=row["kind"], severity=row["severity"], status=row["status"], drill=row["drill"],
        silent=row["silent"], validation_level=row["validation_level"], rings=row["rings"], signals=row["signals"],
        restored={_detector(name): over for name, over in orjson.loads(restored).items()},
        effective_at=row["effective_at"], received_at=row["received_at"], last_signal_at=row["last_signal_at"],
        changed_at=row["changed_at"], follows=row["follows"], ended_at=row["ended_at"], result=row["result"],
        ended_by=row["ended_by"], end_reason=row["end_reason"], notes=tuple(row["notes"]),
    )  # fmt: skip


def _row(incident: Incident) -> tuple[Any, ...]:
    place = incident.place
    restored = {f"{device.hex}/{zone}": over for (device, zone), over in incident.restored.items()}
    return (
        incident.id, incident.version, incident.cause, place.area, place.site_id, place.name, place.kind,
        place.commune_code, place.address, place.lat, place.lon, incident.post_id, incident.kind, incident.severity,
        incident.status, incident.drill, incident.silent, incident.validation_level, incident.rings,
        incident.signals, orjson.dumps(restored).decode(), incident.effective_at, incident.received_at,
        incident.last_signal_at, incident.changed_at, incident.follows, incident.ended_at, incident.result,
        incident.ended_by, incident.end_reason, orjson.dumps(incident.notes).decode(),
    )  # fmt: skip


def _detector(name: str) -> Detector:
    device, _, zone = name.partition("/")
    return (UUID(device), zone)


def _columns(keys: Sequence[SlotKey]) -> tuple[list[UUID], list[str], list[bool]]:
    return [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]
