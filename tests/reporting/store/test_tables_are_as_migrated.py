"""What SQLModel believes of the tables is what the migrations made."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.reporting.store.tables import METADATA
from tests.reporting.reporting import Reporting

WRITTEN_ONLY = {"event_log", "fact_alert", "consumed", "alembic_version"}
"""Written and read by named SQL alone."""


def differences(connection: Connection) -> list[object]:
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: kind != "table" or name not in WRITTEN_ONLY,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


async def test_tables_are_as_migrated(reporting: Reporting) -> None:
    async with reporting.database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
