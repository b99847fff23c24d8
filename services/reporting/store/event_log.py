"""What was heard, append-only. From it every figure can be recounted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from foundation.contracts.events import Event

APPEND = """
INSERT INTO event_log (topic, area, epoch, sequence, type, key, version, time, data)
SELECT $1, $2, h.* FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[],
    $9::json[]) AS h
"""
"""No ON CONFLICT: the consumer's number hands each event over once, and a second time would be a bug to hear of."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it is kept: ``data`` is JSON of the known fields that are not personal."""

    event: Event
    time: datetime
    data: str


async def append(connection: asyncpg.Connection, topic: str, area: str, entries: Sequence[Entry]) -> None:
    """Keeps events of one stream."""
    events = [entry.event for entry in entries]
    await connection.execute(
        APPEND,
        topic,
        area,
        [event.epoch for event in events],
        [event.sequence for event in events],
        [event.type for event in events],
        [event.key for event in events],
        [event.version for event in events],
        [entry.time for entry in entries],
        [entry.data for entry in entries],
    )
