"""Alerts: lock, write, and say it on the ledger. Set-based: one statement for many."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from foundation.contracts.alerts import TOPIC, TYPE, AlertState
from foundation.streams import ledger
from foundation.streams.ledger import NewEvent

LOCK_OF_INCIDENTS = "SELECT state FROM alert WHERE incident_id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
LOCK = "SELECT state FROM alert WHERE id = ANY($1::uuid[]) AND area = $2 ORDER BY id FOR UPDATE"
INCIDENT_OF = "SELECT incident_id FROM alert WHERE id = $1 AND area = $2"
INSERT = """
INSERT INTO alert (id, area, incident_id, unit_code, status, kind, severity, late, raised_at, state)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::bool[],
    $9::timestamptz[], $10::text[])
"""
UPDATE = """
UPDATE alert SET status = r.status, kind = r.kind, severity = r.severity, state = r.state
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::text[]) AS r (id, status, kind, severity, state)
WHERE alert.id = r.id
"""
RECORD = "INSERT INTO action (alert_id, version, action, by, at, reason) VALUES ($1, $2, $3, $4, $5, $6)"


async def of_incidents(connection: asyncpg.Connection, ids: Sequence[str]) -> dict[str, list[AlertState]]:
    """All alerts of some incidents, by incident; locked until the end of the transaction."""
    found: dict[str, list[AlertState]] = {}
    if ids:
        for row in await connection.fetch(LOCK_OF_INCIDENTS, ids):
            alert = AlertState.model_validate_json(row["state"])
            found.setdefault(alert.incident_id, []).append(alert)
    return found


async def incident_of(connection: asyncpg.Connection, area: str, alert_id: UUID) -> UUID | None:
    """The incident that an alert is about. Nothing is locked."""
    found: UUID | None = await connection.fetchval(INCIDENT_OF, alert_id, area)
    return found


async def locked(connection: asyncpg.Connection, area: str, ids: Iterable[UUID]) -> dict[UUID, AlertState]:
    """Some alerts by id, locked until the end of the transaction."""
    rows = await connection.fetch(LOCK, sorted(ids), area)
    return {UUID(alert.id): alert for alert in (AlertState.model_validate_json(row["state"]) for row in rows)}


async def write(
    connection: asyncpg.Connection, alerts: Sequence[AlertState], at: datetime, traces: Mapping[str, str] | None = None
) -> None:
    """Stores new alerts and new versions of known ones, and says each on the ledger: last in its transaction.

    Known ones must be locked. ``traces``: traceparent by incident.
    """
    if not alerts:
        return
    payloads = [alert.model_dump_json() for alert in alerts]
    both = list(zip(alerts, payloads, strict=True))
    await _insert(connection, [(alert, payload) for alert, payload in both if alert.version == 1])
    await _update(connection, [(alert, payload) for alert, payload in both if alert.version > 1])
    traces = traces or {}
    events = [
        NewEvent(TOPIC, alert.area, alert.id, TYPE, alert.version, payload, traces.get(alert.incident_id, ""))
        for alert, payload in both
    ]
    await ledger.append(connection, events, at)


async def record(connection: asyncpg.Connection, alert: AlertState, action: str, by: str, reason: str | None) -> None:
    """Keeps that an officer made this version, and the reason they gave."""
    await connection.execute(RECORD, alert.id, alert.version, action, by, alert.changed_at, reason)


async def _insert(connection: asyncpg.Connection, rows: Sequence[tuple[AlertState, str]]) -> None:
    if rows:
        await connection.execute(
            INSERT,
            [alert.id for alert, _ in rows],
            [alert.area for alert, _ in rows],
            [alert.incident_id for alert, _ in rows],
            [alert.unit.code for alert, _ in rows],
            [alert.status for alert, _ in rows],
            [alert.kind for alert, _ in rows],
            [alert.severity for alert, _ in rows],
            [alert.late for alert, _ in rows],
            [alert.raised_at for alert, _ in rows],
            [payload for _, payload in rows],
        )


async def _update(connection: asyncpg.Connection, rows: Sequence[tuple[AlertState, str]]) -> None:
    if rows:
        await connection.execute(
            UPDATE,
            [alert.id for alert, _ in rows],
            [alert.status for alert, _ in rows],
            [alert.kind for alert, _ in rows],
            [alert.severity for alert, _ in rows],
            [payload for _, payload in rows],
        )
