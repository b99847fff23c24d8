"""Our copies of incidents. Set-based: one statement for many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from foundation.contracts.incidents import TOPIC, IncidentState
from services.notifications.domain.reaction import NEVER, Held, LastRouted

# The row that the consumer holds while it applies: who holds it is the only writer of an area's copies.
LOCK_STREAM = "SELECT 1 FROM consumed WHERE topic = $1 AND area = $2 FOR UPDATE"
# What a batch is about, and what was put off earlier, in one order of locking. $4: put off until then; null for all.
LOCK = """
SELECT id, version, state, held, routed_key, routed_rings, route_by FROM incident
WHERE id IN (
    SELECT unnest($2::uuid[]) UNION
    (SELECT id FROM incident WHERE area = $1 AND route_by IS NOT NULL AND ($4::timestamptz IS NULL OR route_by <= $4)
     ORDER BY route_by LIMIT $3)
)
ORDER BY id FOR UPDATE
"""
PUT = """
INSERT INTO incident (id, area, version, status, state, route_by, held, routed_key, routed_rings)
SELECT r.id, $1, r.version, r.status, r.state, r.route_by, r.held, r.routed_key, r.routed_rings
FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::int[])
    AS r (id, version, status, state, route_by, held, routed_key, routed_rings)
ORDER BY r.id
ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, state = excluded.state,
    route_by = excluded.route_by, held = excluded.held, routed_key = excluded.routed_key,
    routed_rings = excluded.routed_rings
"""
LOCK_ONE = "SELECT state FROM incident WHERE id = $1 AND area = $2 FOR UPDATE"
# Due by its own deadline, or because nothing of the backlog came for a while.
DUE = """
SELECT EXISTS (
    SELECT 1 FROM incident WHERE area = $1 AND route_by IS NOT NULL
    AND (route_by <= $2 OR NOT EXISTS (SELECT 1 FROM heard WHERE area = $1 AND backlog_at > $3))
)
"""
HEARD = """
INSERT INTO heard (area, at, backlog_at) VALUES ($1, $2::timestamptz, CASE WHEN $3 THEN $2::timestamptz END)
ON CONFLICT (area) DO UPDATE SET at = excluded.at, backlog_at = coalesce(excluded.backlog_at, heard.backlog_at)
"""
QUIET = "SELECT coalesce(backlog_at <= $2, true) FROM heard WHERE area = $1"


@dataclass(slots=True)
class Copy:
    """An incident as last heard (``payload`` is its JSON), what routing did, and until when it may be put off."""

    version: int
    payload: str
    last: LastRouted = NEVER
    held: Held | None = None
    route_by: datetime | None = None
    stored: bool = False
    """True if our database knows it already: it may have alerts."""
    traceparent: str = ""


async def lock_stream(connection: asyncpg.Connection, area: str) -> bool:
    """Takes the consumer's place in the order of locks; False if nothing was ever consumed."""
    return bool(await connection.fetchval(LOCK_STREAM, TOPIC, area))


async def lock(
    connection: asyncpg.Connection, area: str, ids: Sequence[str], put_off: int = 0, until: datetime | None = None
) -> dict[str, Copy]:
    """Locks the copies of ``ids``, and of at most ``put_off`` that wait to be routed (by ``until``, if given)."""
    rows = await connection.fetch(LOCK, area, ids, put_off, until)
    return {
        str(row["id"]): Copy(
            row["version"],
            row["state"],
            LastRouted(row["routed_key"], row["routed_rings"]),
            row["held"],
            row["route_by"],
            stored=True,
        )
        for row in rows
    }


async def put(connection: asyncpg.Connection, area: str, copies: Sequence[tuple[IncidentState, Copy]]) -> None:
    """Writes copies that were locked, or are new."""
    if not copies:
        return
    await connection.execute(
        PUT,
        area,
        [incident.id for incident, _ in copies],
        [copy.version for _, copy in copies],
        [incident.status for incident, _ in copies],
        [copy.payload for _, copy in copies],
        [copy.route_by for _, copy in copies],
        [copy.held for _, copy in copies],
        [copy.last.key for _, copy in copies],
        [copy.last.rings for _, copy in copies],
    )


async def locked(connection: asyncpg.Connection, area: str, incident_id: str) -> IncidentState | None:
    """One incident, locked until the end of the transaction."""
    state = await connection.fetchval(LOCK_ONE, incident_id, area)
    return None if state is None else IncidentState.model_validate_json(state)


async def heard(connection: asyncpg.Connection, area: str, at: datetime, *, backlog: bool) -> None:
    """Notes that incidents was heard, and whether it was old news."""
    await connection.execute(HEARD, area, at, backlog)


async def any_due(connection: asyncpg.Connection, area: str, now: datetime, quiet: timedelta) -> bool:
    """True if an incident that was put off should be routed at ``now``."""
    return bool(await connection.fetchval(DUE, area, now, now - quiet))


async def is_quiet(connection: asyncpg.Connection, area: str, now: datetime, quiet: timedelta) -> bool:
    """True if nothing of a backlog came for so long."""
    return await connection.fetchval(QUIET, area, now - quiet) is not False
