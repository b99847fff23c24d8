"""Units and what they cover."""

from collections.abc import Iterable, Sequence

import asyncpg

from services.notifications.domain.units import UNIT_KINDS, Unit, Units

PUT = """
INSERT INTO unit (area, code, name, kind)
SELECT $1, r.* FROM unnest($2::text[], $3::text[], $4::text[]) AS r (code, name, kind) ORDER BY r.code
ON CONFLICT (area, code) DO UPDATE SET name = excluded.name, kind = excluded.kind
"""
CREATE = "INSERT INTO unit (area, code, name, kind) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true"
LOCK = "SELECT name, kind FROM unit WHERE area = $1 AND code = $2 FOR UPDATE"
UNCOVER = """
DELETE FROM coverage WHERE area = $1 AND unit_code = ANY($2::text[])
AND (unit_code, commune_code) NOT IN (SELECT * FROM unnest($3::text[], $4::text[]))
"""
COVER = """
INSERT INTO coverage (area, unit_code, commune_code)
SELECT $1, r.* FROM unnest($2::text[], $3::text[]) AS r ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING
"""
COVERED = "SELECT commune_code FROM coverage WHERE area = $1 AND unit_code = $2 ORDER BY 1"
# Commune police that cover one of the communes, and every unit that may answer for the whole area.
ANSWERING = """
SELECT u.code, u.name, u.kind, array_agg(c.commune_code) FILTER (WHERE c.commune_code IS NOT NULL) AS communes
FROM unit u LEFT JOIN coverage c ON c.area = u.area AND c.unit_code = u.code AND c.commune_code = ANY($2::text[])
WHERE u.area = $1 AND (c.commune_code IS NOT NULL OR u.kind <> 'commune_police')
GROUP BY u.area, u.code
"""


async def put_units(connection: asyncpg.Connection, area: str, units: Sequence[Unit]) -> None:
    """Makes or changes units; each then covers exactly the communes named with it. Doing it again changes nothing.

    Raises ``ValueError`` for a kind of unit that does not exist.
    """
    if unknown := {unit.kind for unit in units} - set(UNIT_KINDS):
        raise ValueError(f"no such kind of unit: {', '.join(sorted(unknown))}")
    codes = [unit.code for unit in units]
    await connection.execute(PUT, area, codes, [unit.name for unit in units], [unit.kind for unit in units])
    pairs = [(unit.code, commune) for unit in units for commune in unit.commune_codes]
    covered = [[code for code, _ in pairs], [commune for _, commune in pairs]]
    await connection.execute(UNCOVER, area, codes, *covered)
    await connection.execute(COVER, area, *covered)


async def create(connection: asyncpg.Connection, area: str, unit: Unit) -> bool:
    """Makes a new unit; False if the code is taken."""
    if not await connection.fetchval(CREATE, area, unit.code, unit.name, unit.kind):
        return False
    await put_units(connection, area, [unit])
    return True


async def locked(connection: asyncpg.Connection, area: str, code: str) -> Unit | None:
    """One unit, locked until the end of the transaction."""
    row = await connection.fetchrow(LOCK, area, code)
    if row is None:
        return None
    communes = await connection.fetch(COVERED, area, code)
    return Unit(code, row["name"], row["kind"], tuple(r["commune_code"] for r in communes))


async def answering(connection: asyncpg.Connection, area: str, communes: Iterable[str]) -> Units:
    """The units that may answer for some communes: what routing needs to know, as of now."""
    rows = await connection.fetch(ANSWERING, area, sorted(set(communes)))
    return Units(Unit(row["code"], row["name"], row["kind"], tuple(row["communes"] or ())) for row in rows)
