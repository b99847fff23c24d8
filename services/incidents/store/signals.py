"""Who sent, what was already received, and the set-based insert of a batch of signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.incidents.domain.incident import Place


@dataclass(frozen=True, slots=True)
class Sender:
    """A device with its place, as it is now. ``hashes``: those of its valid secrets."""

    device_id: UUID
    type: str
    hashes: tuple[bytes, ...]
    revoked: bool
    post_id: UUID
    place: Place


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first try of a signal was answered."""

    signal_id: UUID
    device_id: UUID
    body_hash: bytes
    incident_id: UUID | None
    answer_status: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One row of ``signal``; the fields in the order of the insert."""

    id: UUID
    area: str
    device_id: UUID
    post_id: UUID
    site_id: UUID
    kind: str
    event: str
    drill: bool
    zone: str
    note: str | None
    lat: float | None
    lon: float | None
    occurred_at: datetime
    sent_at: datetime | None
    received_at: datetime
    effective_at: datetime
    skew_ms: int | None
    body_hash: bytes
    decided: str
    incident_id: UUID | None
    answer_status: str | None


SENDERS = """
SELECT d.id, d.type, d.secret_hash, d.old_secret_hash, d.revoked_at, d.post_id,
       s.id AS site_id, s.area, s.name, s.kind, s.commune_code, s.address, s.lat, s.lon
FROM device d JOIN post p ON p.id = d.post_id JOIN site s ON s.id = p.site_id WHERE d.id = ANY ($1)
"""

# A held alarm was answered without an incident, and is so again although it has become one since.
STORED_ANSWERS = """
SELECT id, device_id, body_hash, CASE WHEN answer_status IS NOT NULL THEN incident_id END, answer_status, received_at
FROM signal WHERE id = ANY ($1)
"""

# Sorted by id: two processes that store the same retried ids meet in the same order and cannot deadlock.
INSERT = """
INSERT INTO signal (id, area, device_id, post_id, site_id, kind, event, drill, zone, note, lat, lon, occurred_at,
    sent_at, received_at, effective_at, skew_ms, body_hash, decided, incident_id, answer_status)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::bool[],
    $9::text[], $10::text[], $11::float8[], $12::float8[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[],
    $16::timestamptz[], $17::bigint[], $18::bytea[], $19::text[], $20::uuid[], $21::text[])
"""


async def senders(connection: asyncpg.Connection, device_ids: Sequence[UUID]) -> dict[UUID, Sender]:
    """The devices of these ids that exist, revoked ones too."""
    return {
        row["id"]: Sender(
            device_id=row["id"],
            type=row["type"],
            hashes=tuple(item for item in (row["secret_hash"], row["old_secret_hash"]) if item is not None),
            revoked=row["revoked_at"] is not None,
            post_id=row["post_id"],
            place=Place(
                row["site_id"],
                row["area"],
                row["name"],
                row["kind"],
                row["commune_code"],
                row["address"],
                row["lat"],
                row["lon"],
            ),
        )
        for row in await connection.fetch(SENDERS, device_ids)
    }


async def stored_answers(connection: asyncpg.Connection, ids: Sequence[UUID]) -> dict[UUID, StoredAnswer]:
    """What was answered to those of these signals that are stored already."""
    return {row["id"]: StoredAnswer(*row) for row in await connection.fetch(STORED_ANSWERS, ids)}


async def insert(connection: asyncpg.Connection, rows: Sequence[SignalRow]) -> None:
    """Stores signals. Raises ``UniqueViolationError`` if one was stored meanwhile by another process."""
    ordered = sorted(rows, key=lambda row: row.id)
    columns = [[getattr(row, name) for row in ordered] for name in SignalRow.__slots__]
    await connection.execute(INSERT, *columns)
