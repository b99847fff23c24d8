"""What people did about an incident: operators here, and the police as heard over Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

# Whole-state events repeat what they said before, so what is known is left alone.
ADD = """
INSERT INTO timeline (incident_id, at, type, by, unit_code, unit_name, alert_id, result, reason)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[],
    $8::text[], $9::text[]) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the timeline; the fields in the order of the insert."""

    incident_id: UUID
    at: datetime
    type: str
    by: str | None = None
    unit_code: str | None = None
    unit_name: str | None = None
    alert_id: UUID | None = None
    result: str | None = None
    reason: str | None = None


async def add(connection: asyncpg.Connection, acts: Sequence[Act]) -> None:
    """Adds the lines that are not there yet."""
    if acts:
        await connection.execute(ADD, *[[getattr(act, name) for act in acts] for name in Act.__slots__])
