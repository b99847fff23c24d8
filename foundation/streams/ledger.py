"""The ledger: gapless numbers, and number order is commit order, per stream.

A plain sequence read with a cursor misses rows that commit late. Here the stream's row is updated as the *last*
statement of a transaction, so it is locked until the commit and the next writer waits for its turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import asyncpg

from foundation.chassis.problems import NoStream
from foundation.contracts.events import Event
from foundation.contracts.fields import rfc3339

CHANNEL = "ledger"

SCHEMA = """
CREATE TABLE stream (
    topic text NOT NULL, area text NOT NULL, epoch bigint NOT NULL DEFAULT 1, head bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, area)
);
CREATE TABLE ledger (
    topic text NOT NULL, area text NOT NULL, sequence bigint NOT NULL, key text NOT NULL, type text NOT NULL,
    version bigint NOT NULL, time timestamptz NOT NULL, traceparent text NOT NULL,
    payload text NOT NULL CHECK (octet_length(payload) <= 65536),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, area, sequence)
);
CREATE TABLE relay_cursor (
    topic text NOT NULL, area text NOT NULL, sequence bigint NOT NULL DEFAULT 0, PRIMARY KEY (topic, area)
);
"""

NUMBER_AND_INSERT = """
WITH numbered AS (
    UPDATE stream SET head = head + cardinality($3::text[]) WHERE topic = $1 AND area = $2 RETURNING head
)
INSERT INTO ledger (topic, area, sequence, key, type, version, time, traceparent, payload)
SELECT $1, $2, n.head - cardinality($3::text[]) + r.place, r.key, r.type, r.version, $4, r.traceparent, r.payload
FROM numbered n,
     unnest($3::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
     WITH ORDINALITY AS r (key, type, version, traceparent, payload, place)
RETURNING sequence
"""
"""The stream's row is the lock; the numbers are handed out in the order of the arrays."""

READ = """
SELECT l.sequence, l.key, l.type, l.version, l.time, l.traceparent, l.payload, s.epoch
FROM ledger l JOIN stream s USING (topic, area)
WHERE l.topic = $1 AND l.area = $2 AND l.sequence > $3 ORDER BY l.sequence LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no number yet. ``payload`` is JSON in UTF-8, at most 64 KiB."""

    topic: str
    area: str
    key: str
    type: str
    version: int
    payload: str
    traceparent: str = ""


async def open_streams(connection: asyncpg.Connection, topics: Sequence[str], areas: Sequence[str]) -> None:
    """Makes the rows of the streams that are not there yet."""
    pairs = [(topic, area) for topic in topics for area in areas]
    await connection.executemany("INSERT INTO stream (topic, area) VALUES ($1, $2) ON CONFLICT DO NOTHING", pairs)
    await connection.executemany("INSERT INTO relay_cursor (topic, area) VALUES ($1, $2) ON CONFLICT DO NOTHING", pairs)


async def append(connection: asyncpg.Connection, events: Sequence[NewEvent], at: datetime) -> None:
    """Numbers and stores ``events``: call it as the last step of a transaction, and only once in it.

    Raises ``NoStream`` for an area whose stream was never opened.
    """
    if not events:
        return
    ordered = sorted(events, key=lambda event: (event.topic, event.area))  # stable: keeps each stream's own order
    for (topic, area), group in groupby(ordered, key=lambda event: (event.topic, event.area)):
        rows = list(group)
        numbers = await connection.fetch(
            NUMBER_AND_INSERT,
            topic,
            area,
            [event.key for event in rows],
            at,
            [event.type for event in rows],
            [event.version for event in rows],
            [event.traceparent for event in rows],
            [event.payload for event in rows],
        )
        if len(numbers) != len(rows):
            raise NoStream(f"{topic}/{area}")
    await connection.execute(f"NOTIFY {CHANNEL}")  # takes effect at the commit; one a transaction


async def read(connection: asyncpg.Connection, topic: str, area: str, after: int, limit: int) -> list[Event]:
    """The events numbered above ``after``, in order, at most ``limit``."""
    return [
        Event(
            topic=topic,
            area=area,
            epoch=row["epoch"],
            sequence=row["sequence"],
            key=row["key"],
            type=row["type"],
            version=row["version"],
            time=rfc3339(row["time"]),
            payload=row["payload"].encode(),
            traceparent=row["traceparent"],
        )
        for row in await connection.fetch(READ, topic, area, after, limit)
    ]


async def heads(connection: asyncpg.Connection) -> dict[tuple[str, str], tuple[int, int, int]]:
    """``(topic, area)`` → ``(epoch, head, relayed)`` of every stream."""
    rows = await connection.fetch(
        "SELECT s.topic, s.area, s.epoch, s.head, c.sequence FROM stream s JOIN relay_cursor c USING (topic, area)"
    )
    return {(row["topic"], row["area"]): (row["epoch"], row["head"], row["sequence"]) for row in rows}
