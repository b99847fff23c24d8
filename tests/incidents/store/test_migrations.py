"""The migrations make, from nothing, the tables that the code believes in; again or side by side they do no harm."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from foundation.chassis.database import Database, migrate
from services.incidents.store import tables
from services.incidents.store.incidents import CHANGING, COLUMNS
from services.incidents.store.signals import SignalRow
from tests.world.databases import Cluster

SERVICES = ("incidents", "notifications", "reporting")
ROOT = Path(__file__).parents[3]
WRITTEN_ONLY = {"stream", "ledger", "relay_cursor", "consumed", "alembic_version", "correlation_slot", "held_signal"}
"""Written and read by named SQL alone."""
ONE_PROCESS = """
import asyncio, sys
from foundation.chassis.database import Database, migrate
async def main():
    database = Database(sys.argv[1])
    await migrate(database, sys.argv[2])
    await database.engine.dispose()
asyncio.run(main())
"""


def differences(connection: Connection) -> list[Any]:
    def included(name: str | None, kind: str, _: object) -> bool:
        return kind not in ("index", "unique_constraint") and (kind != "table" or name not in WRITTEN_ONLY)

    options = {"compare_type": True, "include_name": included}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.METADATA))


async def test_the_tables_are_as_the_code_believes(url: str) -> None:
    database = Database(url)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.engine.dispose()


def test_the_named_sql_writes_every_column_that_there_is() -> None:
    created = {"created_at"}
    assert set(COLUMNS) == set(tables.IncidentRow.model_fields) - created
    assert set(SignalRow.__slots__) == set(tables.Signal.model_fields) - created
    assert set(CHANGING) < set(COLUMNS)


@pytest.mark.parametrize("service", SERVICES)
async def test_there_is_one_head(service: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "services" / service / "store" / "migrations"))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


async def schema(database: Database) -> list[tuple[Any, ...]]:
    """Every column, constraint and index of a database."""
    queries = (
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, column_default::text"
        " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
        "SELECT tablename::text, indexdef::text FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
        "SELECT version_num::text FROM alembic_version",
    )
    await database.open()
    return [tuple(row) for query in queries for row in await database.pool.fetch(query)]


@pytest.mark.parametrize("service", SERVICES)
async def test_from_nothing_and_again(cluster: Cluster, service: str) -> None:
    url = await cluster.create()
    database = Database(url)
    await migrate(database, f"services.{service}")
    first = await schema(database)
    assert any(row[0] == "consumed" for row in first)
    await migrate(database, f"services.{service}")
    assert await schema(database) == first
    await database.close()
    await cluster.drop(url)


async def test_by_two_processes_at_once(cluster: Cluster) -> None:
    url = await cluster.create()
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", ONE_PROCESS, url, "services.incidents", cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    async with asyncio.timeout(60):
        said = [(await process.communicate())[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    database = Database(url)
    assert ("0001",) in await schema(database)
    await database.close()
    await cluster.drop(url)


async def test_a_migration_that_fails_leaves_nothing_half_done(cluster: Cluster) -> None:
    url = await cluster.create()
    database = Database(url)
    await database.open()
    await database.pool.execute("CREATE TABLE held_signal (in_the_way integer)")
    with pytest.raises(Exception, match="held_signal"):
        await migrate(database, "services.incidents")
    there = await database.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert [row["tablename"] for row in there] == ["held_signal"]
    await database.pool.execute("DROP TABLE held_signal")
    await migrate(database, "services.incidents")
    await database.close()
    await cluster.drop(url)
