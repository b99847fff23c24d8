"""Facts: locked, folded, written back, a whole batch at a time.

The consumers of incidents and of alerts may meet on one incident at the same moment; the row of the fact is the lock,
and rows are always made and locked in the order of their ids, so that neither waits for the other in a circle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import asyncpg

from services.reporting.domain.facts import AlertPart, Cell, Contribution, Counts, Fact, IncidentPart

MAKE = """
INSERT INTO fact (incident_id, area) SELECT id, $1 FROM unnest($2::text[]) AS id
ON CONFLICT (incident_id) DO NOTHING
"""

LOCK = """
SELECT incident_id, area, incident_version, site_id, commune_code, kind, severity, status, drill, effective_at,
    hour, incidents, cancelled, drills,
    signal_to_alert_bucket, alert_to_acknowledged_bucket, acknowledged_to_on_scene_bucket
FROM fact WHERE incident_id = ANY($1::text[]) ORDER BY incident_id FOR UPDATE
"""

ALERTS_OF = """
SELECT incident_id, alert_id, version, raised_at, acknowledged_at, on_scene_at
FROM fact_alert WHERE incident_id = ANY($1::text[])
"""
"""A statement of its own after the lock: it must see what the one who held the lock before us has committed."""

SAVE = """
UPDATE fact SET incident_version = n.incident_version, site_id = n.site_id, commune_code = n.commune_code,
    kind = n.kind, severity = n.severity, status = n.status, drill = n.drill, effective_at = n.effective_at,
    raised_at = n.raised_at, acknowledged_at = n.acknowledged_at, on_scene_at = n.on_scene_at,
    hour = n.hour, incidents = n.incidents, cancelled = n.cancelled, drills = n.drills,
    signal_to_alert_bucket = n.first, alert_to_acknowledged_bucket = n.second,
    acknowledged_to_on_scene_bucket = n.third
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::bool[],
    $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
    $14::smallint[], $15::smallint[], $16::smallint[], $17::smallint[], $18::smallint[], $19::smallint[])
    AS n (incident_id, incident_version, site_id, commune_code, kind, severity, status, drill, effective_at,
        raised_at, acknowledged_at, on_scene_at, hour, incidents, cancelled, drills, first, second, third)
WHERE fact.incident_id = n.incident_id
"""

SAVE_ALERTS = """
INSERT INTO fact_alert (incident_id, alert_id, version, raised_at, acknowledged_at, on_scene_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
ON CONFLICT (incident_id, alert_id) DO UPDATE SET version = excluded.version, raised_at = excluded.raised_at,
    acknowledged_at = excluded.acknowledged_at, on_scene_at = excluded.on_scene_at
"""

COUNT = """
SELECT (SELECT count(*) FROM fact WHERE incidents > 0) AS incidents,
    (SELECT count(*) FROM fact WHERE complete) AS complete,
    (SELECT count(*) FROM fact WHERE NOT complete) AS incomplete,
    (SELECT count(*) FROM fact_alert) AS alerts, (SELECT count(*) FROM event_log) AS events
"""


PARTS = attrgetter(*(field.name for field in fields(IncidentPart)))
UNKNOWN = (0, None, None, None, None, None, None, None)
"""In place of ``PARTS`` while only alerts were heard."""


@dataclass(frozen=True, slots=True)
class Held:
    """A locked fact, and what it contributed when it was last written."""

    fact: Fact
    contributed: Contribution | None


async def lock(connection: asyncpg.Connection, area: str, incident_ids: Iterable[str]) -> dict[str, Held]:
    """The facts of these incidents, locked until the transaction ends; those never heard of are made."""
    ids = sorted(set(incident_ids))
    await connection.execute(MAKE, area, ids)
    rows = await connection.fetch(LOCK, ids)
    alerts: dict[str, dict[str, AlertPart]] = {}
    for incident_id, alert_id, *part in await connection.fetch(ALERTS_OF, ids):
        alerts.setdefault(incident_id, {})[alert_id] = AlertPart(*part)
    return {row["incident_id"]: _held(row, alerts.get(row["incident_id"], {})) for row in rows}


def _held(row: asyncpg.Record, alerts: dict[str, AlertPart]) -> Held:
    incident_id, area, version, site_id, commune_code, kind, severity, status, drill, effective_at = row[:10]
    hour, incidents, cancelled, drills, *buckets = row[10:]
    if version == 0:
        return Held(Fact(area, incident_id, None, alerts), None)
    part = IncidentPart(version, site_id, commune_code, kind, severity, status, drill, effective_at)
    cell = Cell(area, hour, commune_code, kind, site_id)
    contributed = Contribution(cell, Counts(incidents, cancelled, drills), tuple(buckets))
    return Held(Fact(area, incident_id, part, alerts), contributed)


async def save(connection: asyncpg.Connection, changed: Sequence[tuple[Fact, Contribution | None]]) -> None:
    """Writes locked facts back, with what they contribute from now on."""
    rows = [_row(fact, contributed) for fact, contributed in changed]
    await connection.execute(SAVE, *map(list, zip(*rows, strict=True)))


def _row(fact: Fact, given: Contribution | None) -> tuple[Any, ...]:
    known = UNKNOWN if fact.incident is None else PARTS(fact.incident)
    counted = (None, 0, 0, 0, None, None, None) if given is None else (given.cell.hour, *given.counts, *given.buckets)
    first = (fact.raised_at, fact.acknowledged_at, fact.on_scene_at)
    return (fact.incident_id, *known, *first, *counted)


async def save_alerts(connection: asyncpg.Connection, changed: Sequence[tuple[str, str, AlertPart]]) -> None:
    """Writes alerts of locked facts: incident, alert, and what is known of it."""
    rows = [(i, a, part.version, part.raised_at, part.acknowledged_at, part.on_scene_at) for i, a, part in changed]
    await connection.execute(SAVE_ALERTS, *map(list, zip(*rows, strict=True)))


async def count(connection: asyncpg.Connection) -> dict[str, int]:
    """What ``GET /v1/status`` tells: ``incidents`` are those in the figures, without drills."""
    return dict(await connection.fetchrow(COUNT))
