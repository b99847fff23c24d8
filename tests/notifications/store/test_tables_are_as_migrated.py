"""The tables that SQLModel reads are those that the migrations make."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from foundation.chassis.database import Database
from services.notifications.store.tables import METADATA

OF_THE_CHASSIS = {"stream", "ledger", "relay_cursor", "consumed", "alembic_version"}


def is_ours(thing, name, kind, reflected, compared) -> bool:
    """Indexes and unique constraints are the migrations' own; tables, columns, keys and defaults must agree."""
    return kind not in ("index", "unique_constraint") and not (kind == "table" and name in OF_THE_CHASSIS)


def differences(connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True, "include_object": is_ours}
    return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)


async def test_no_difference(url: str):
    database = Database(url)
    async with database.engine.connect() as connection:
        found = await connection.run_sync(differences)
    await database.engine.dispose()
    assert found == [], found
