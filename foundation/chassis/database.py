"""PostgreSQL: what writes is a transaction of named SQL (asyncpg), what reads lists is SQLModel (SQLAlchemy)."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources

import asyncpg
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

log = logging.getLogger(__name__)

BUSY_RETRY_S = 0.5
"""How often a standby asks whether it may take over, in seconds."""


class Database:
    """One database of one service. Opening it does not connect: a service serves while its database is away."""

    def __init__(self, url: str, connections: int = 12) -> None:
        self.url = url
        self.connections = connections
        self._pool: asyncpg.Pool | None = None
        self.engine: AsyncEngine = create_async_engine(
            url.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=4, max_overflow=4, pool_pre_ping=True
        )

    async def open(self) -> None:
        """Prepares the pool; the first use connects."""
        self._pool = await asyncpg.create_pool(
            self.url, min_size=0, max_size=self.connections, timeout=5, command_timeout=60
        )

    async def close(self) -> None:
        """Closes all connections; those in use are ended after two seconds."""
        if self._pool is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._pool.close()
            self._pool.terminate()
        await self.engine.dispose()

    @property
    def pool(self) -> asyncpg.Pool:
        assert self._pool is not None, "Database.open() first"
        return self._pool

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that writes; committed when the block ends well. Waits at most 5 s for a connection."""
        async with self.pool.acquire(timeout=5) as connection, connection.transaction():
            yield connection

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """One snapshot for reads that must agree with one another."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextlib.asynccontextmanager
    async def listening(self, channel: str, wake: asyncio.Event) -> AsyncIterator[asyncpg.Connection]:
        """A connection of its own on which ``wake`` is set at each NOTIFY, and when the connection dies."""
        connection = await asyncpg.connect(self.url, timeout=5)
        try:
            connection.add_termination_listener(lambda _: wake.set())
            await connection.add_listener(channel, lambda *_: wake.set())
            yield connection
        finally:
            connection.terminate()

    async def hold(self, lease: str, work: Callable[[], Awaitable[None]]) -> None:
        """Does ``work`` while this process holds ``lease``, a session lock of the database; returns when it is lost.

        Only one process of all that share the database works at a time. The lock dies with its connection,
        so a killed holder is followed within ``BUSY_RETRY_S``; what a frozen holder still writes is refused by the
        compare-and-set of the cursor or the locked ``consumed`` row.
        """
        connection = await asyncpg.connect(self.url, timeout=5)
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", lease):
                await asyncio.sleep(BUSY_RETRY_S)
            log.info("lease taken", extra={"lease": lease})
            task = asyncio.ensure_future(work())
            try:
                while not task.done():
                    await asyncio.wait({task}, timeout=BUSY_RETRY_S)
                    await connection.fetchval("SELECT 1", timeout=5)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            if not task.cancelled():
                task.result()
        finally:
            connection.terminate()


_ONE_MIGRATION = asyncio.Lock()
"""Alembic's ``op`` is one for the whole process: two migrations at once would write into each other's database."""


async def migrate(database: Database, package: str) -> None:
    """Brings the schema to the newest migration in ``<package>/store/migrations``; one process at a time does it."""

    def upgrade(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended('migrate', 0))")
        config = Config()
        folder = str(resources.files(package) / "store" / "migrations")
        config.set_main_option("script_location", folder.replace("%", "%%"))
        script = ScriptDirectory.from_config(config)
        context = EnvironmentContext(config, script, fn=lambda revision, _: script._upgrade_revs("head", revision))
        with context:
            context.configure(connection=connection, transactional_ddl=False)
            context.run_migrations()

    async with _ONE_MIGRATION, database.engine.begin() as connection:
        await connection.run_sync(upgrade)


def run_script(script: str) -> None:
    """Executes the statements of a migration one by one: the driver prepares each, and takes only one at a time."""
    for statement in script.split(";\n"):
        if statement.strip():
            op.execute(statement)


WORLD_STATES = ("08", "28", "3D", "40", "42P01", "53", "55", "57", "58", "XX")
"""SQLSTATE classes and codes of failures that pass: connection, rollback, a table not yet migrated, resources, …"""


def is_world_failure(error: BaseException) -> bool:
    """True when a failure is the world's (connection, time-out, deadlock, full disk, shutdown), not the message's."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(WORLD_STATES)
    cause = getattr(error, "orig", None) or error.__cause__
    if cause is not None and cause is not error and is_world_failure(cause):
        return True
    away = (OSError, TimeoutError, PoolTimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    return isinstance(error, away)
