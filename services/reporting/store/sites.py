"""The sites as they are called now."""

from collections.abc import Iterable

import asyncpg

from foundation.contracts.sites import SiteState

KEEP_NEWEST = """
INSERT INTO site (id, area, name, commune_code, kind, version)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
ON CONFLICT (id) DO UPDATE SET name = excluded.name, commune_code = excluded.commune_code, kind = excluded.kind,
    version = excluded.version
WHERE site.version < excluded.version
"""


async def keep_newest(connection: asyncpg.Connection, area: str, states: Iterable[SiteState]) -> None:
    """Keeps each site's newest version."""
    newest: dict[str, SiteState] = {}
    for state in states:
        if state.id not in newest or newest[state.id].version < state.version:
            newest[state.id] = state
    rows = [(s.id, area, s.name, s.commune_code, s.kind, s.version) for _, s in sorted(newest.items())]
    await connection.execute(KEEP_NEWEST, *map(list, zip(*rows, strict=True)))
