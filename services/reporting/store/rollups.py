"""The figures kept ready: additive, so that cancelling, changing a kind and a late acknowledgement are one operation.

Rows are written in the order of their keys, counts before durations: two writers never wait in a circle. The rows that
became zero are deleted by the one who holds them, so that a recount finds the very same tables.
"""

from collections.abc import Iterable

import asyncpg

from services.reporting.domain.facts import Movement

ADD_COUNTS = """
WITH moved AS (
    INSERT INTO rollup AS r (area, hour, commune_code, kind, site_id, incidents, cancelled, drills)
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[],
        $6::bigint[], $7::bigint[], $8::bigint[])
    ON CONFLICT (area, hour, commune_code, kind, site_id) DO UPDATE SET incidents = r.incidents + excluded.incidents,
        cancelled = r.cancelled + excluded.cancelled, drills = r.drills + excluded.drills
    RETURNING area, hour, commune_code, kind, site_id, incidents, cancelled, drills
)
SELECT area, hour, commune_code, kind, site_id, least(incidents, cancelled, drills) < 0 AS negative
FROM moved WHERE least(incidents, cancelled, drills) < 0 OR greatest(incidents, drills) = 0
"""
"""Returns only the rows that are to be deleted, or that must not be: no CHECK can tell, as it sees the difference."""

ADD_DURATIONS = """
WITH moved AS (
    INSERT INTO rollup_duration AS r (area, hour, commune_code, kind, site_id, measure, bucket, count)
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::smallint[], $8::bigint[])
    ON CONFLICT (area, hour, commune_code, kind, site_id, measure, bucket)
        DO UPDATE SET count = r.count + excluded.count
    RETURNING area, hour, commune_code, kind, site_id, measure, bucket, count
)
SELECT area, hour, commune_code, kind, site_id, measure, bucket, count < 0 AS negative FROM moved WHERE count <= 0
"""

DELETE_COUNTS = """
DELETE FROM rollup WHERE (area, hour, commune_code, kind, site_id) IN (
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[]))
"""

DELETE_DURATIONS = """
DELETE FROM rollup_duration WHERE (area, hour, commune_code, kind, site_id, measure, bucket) IN (
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::smallint[]))
"""


class CountedBelowZero(RuntimeError):
    """More was subtracted from the figures than was ever added; nothing of the batch is kept."""


async def move(connection: asyncpg.Connection, moved: Movement) -> None:
    """Adds the differences to the figures. Raises ``CountedBelowZero``."""
    counts = [(*cell, *numbers) for cell, numbers in sorted(moved.counts.items())]
    await _add(connection, ADD_COUNTS, DELETE_COUNTS, counts)
    durations = [(*cell, measure, bucket, n) for (cell, measure, bucket), n in sorted(moved.durations.items())]
    await _add(connection, ADD_DURATIONS, DELETE_DURATIONS, durations)


async def _add(connection: asyncpg.Connection, add: str, delete: str, rows: Iterable[tuple[object, ...]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return
    left = await connection.fetch(add, *columns)
    if any(row["negative"] for row in left):
        raise CountedBelowZero("a rollup")
    if left:
        await connection.execute(delete, *map(list, zip(*(tuple(row)[:-1] for row in left), strict=True)))
