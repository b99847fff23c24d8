"""The register: sites, posts and devices. Every change of a site is said on the ledger; one transaction each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from foundation.contracts import sites as contract
from foundation.contracts.fields import Position
from foundation.streams import ledger

SITE_COLUMNS = ("name", "kind", "commune_code", "address", "former_district", "lat", "lon", "active")

PUT_SITES = """
INSERT INTO site (id, area, name, kind, commune_code, address, former_district, lat, lon, changed_at)
SELECT id, area, name, kind, commune_code, address, former_district, lat, lon, $10
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[],
    $9::float8[]) AS new (id, area, name, kind, commune_code, address, former_district, lat, lon)
ON CONFLICT DO NOTHING RETURNING *
"""
PUT_POSTS = """
INSERT INTO post (id, area, site_id, name) SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[])
ON CONFLICT DO NOTHING
"""
PUT_DEVICES = """
INSERT INTO device (id, area, post_id, name, type, secret_hash)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::bytea[]) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class NewSite:
    """A site to be put under protection."""

    id: UUID
    area: str
    name: str
    kind: str
    commune_code: str
    address: str | None = None
    former_district: str | None = None
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class NewPost:
    """A place at a site where guards are on duty."""

    id: UUID
    area: str
    site_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A sender, with the hash of its secret."""

    id: UUID
    area: str
    post_id: UUID
    name: str
    type: str
    secret_hash: bytes


async def put_sites(connection: asyncpg.Connection, sites: Sequence[NewSite], at: datetime) -> None:
    """Adds the sites that are not there yet and says them on the ledger: the last step of a transaction."""
    rows = await connection.fetch(PUT_SITES, *_columns(sites, NewSite), at)
    await ledger.append(connection, [_site_changed(row) for row in rows], at)


async def put_posts(connection: asyncpg.Connection, posts: Sequence[NewPost]) -> None:
    """Adds the posts that are not there yet."""
    await connection.execute(PUT_POSTS, *_columns(posts, NewPost))


async def put_devices(connection: asyncpg.Connection, devices: Sequence[NewDevice]) -> None:
    """Adds the devices that are not there yet."""
    await connection.execute(PUT_DEVICES, *_columns(devices, NewDevice))


async def change_site(
    connection: asyncpg.Connection, site_id: UUID, area: str, changes: Mapping[str, Any], at: datetime
) -> bool:
    """Changes some columns of a site; False if there is none in the area."""
    chosen = {name: value for name, value in changes.items() if name in SITE_COLUMNS}
    sets = "".join(f", {name} = ${place}" for place, name in enumerate(chosen, 4))
    row = await connection.fetchrow(
        f"UPDATE site SET version = version + 1, changed_at = $3{sets} WHERE id = $1 AND area = $2 RETURNING *",
        site_id, area, at, *chosen.values(),
    )  # fmt: skip
    if row is not None:
        await ledger.append(connection, [_site_changed(row)], at)
    return row is not None


async def rename(
    connection: asyncpg.Connection, table: str, row_id: UUID, area: str, name: str | None, post_id: UUID | None = None
) -> bool:
    """Renames a post or a device, or moves a device to another post; False if there is none in the area."""
    moves = ", post_id = COALESCE($4, post_id)" if table == "device" else ""
    values = [row_id, area, name] + ([post_id] if moves else [])
    query = f"UPDATE {table} SET name = COALESCE($3, name){moves} WHERE id = $1 AND area = $2 RETURNING 1"
    return await connection.fetchval(query, *values) is not None


async def rotate_secret(connection: asyncpg.Connection, device_id: UUID, area: str, secret_hash: bytes) -> bool:
    """Gives a device a new secret; the one before stays valid until the next rotation. False if unknown or revoked."""
    query = """
    UPDATE device SET old_secret_hash = secret_hash, secret_hash = $3
    WHERE id = $1 AND area = $2 AND revoked_at IS NULL RETURNING 1
    """
    return await connection.fetchval(query, device_id, area, secret_hash) is not None


async def revoke(connection: asyncpg.Connection, device_id: UUID, area: str, at: datetime) -> bool:
    """Ends all keys of a device for good; the instant of the first time is kept. False if there is none."""
    query = "UPDATE device SET revoked_at = COALESCE(revoked_at, $3) WHERE id = $1 AND area = $2 RETURNING 1"
    return await connection.fetchval(query, device_id, area, at) is not None


def _columns(rows: Sequence[Any], model: type) -> list[list[Any]]:
    return [[getattr(row, name) for row in rows] for name in model.__slots__]  # type: ignore[attr-defined]


def _site_changed(row: Mapping[str, Any]) -> ledger.NewEvent:
    state = contract.SiteState(
        id=str(row["id"]), version=row["version"], area=row["area"], name=row["name"], kind=row["kind"],
        commune_code=row["commune_code"], address=row["address"], former_district=row["former_district"],
        position=Position(lat=row["lat"], lon=row["lon"]) if row["lat"] is not None else None,
        active=row["active"], changed_at=row["changed_at"],
    )  # fmt: skip
    return ledger.NewEvent(contract.TOPIC, state.area, state.id, contract.TYPE, state.version, state.model_dump_json())
