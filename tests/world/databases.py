"""One PostgreSQL cluster for a test session: a database a world, copied from a template in a tenth of a second.

A database is named by its URL, whose role is its owner: the service that the database is for, no superuser.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from asyncpg import Connection

from tests.world.postgres_server import PostgresServer
from vonggac import postgres

EMPTIED_WITHIN_S = 15.0
DUMPED_WITHIN_S = 60.0

Migrate = Callable[[str], Awaitable[None]]
"""Brings the empty database of a URL to the newest schema, and leaves no connection open."""


class Cluster(PostgresServer):
    """The server with its databases. ``start``, ``stop``, ``kill``, ``pause`` and ``resume`` are the server's."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        super().__init__(folder, durable=durable)
        self._templates: dict[str, str] = {}

    async def prepare(self, service: str, migrate: Migrate) -> None:
        """Makes the template of a service's databases; once, further calls do nothing.

        Nobody can connect to it afterwards: a template with a guest cannot be copied.
        """
        if service in self._templates:
            return
        name = _new_name(f"template_{service}")
        async with self._admin() as admin:
            await _create(admin, name, service, "template0")
            try:
                await migrate(postgres.url(self.folder, service, name))
            except BaseException:
                await _drop(admin, name)
                raise
            await _close(admin, name)
        self._templates[service] = name

    async def create(self, template: str | None = None) -> str:
        """The URL of a new database: a copy of what was prepared for the service ``template``, or an empty one.

        Raises ``KeyError`` if nothing was prepared for that service.
        """
        owner = template or postgres.SERVICES[0]
        name = _new_name(owner)
        async with self._admin() as admin:
            await _create(admin, name, owner, self._templates[template] if template else "template0")
        return postgres.url(self.folder, owner, name)

    async def drop(self, url: str) -> None:
        """Drops it with whoever is connected; nothing if it is not there."""
        async with self._admin() as admin:
            await _drop(admin, name_of(url))

    async def allow_connections(self, url: str, allowed: bool) -> None:
        """False: as if this one database were down; ends all connections and refuses new ones (SQLSTATE 55000)."""
        async with self._admin() as admin:
            if allowed:
                await _open(admin, name_of(url))
            else:
                await _close(admin, name_of(url))

    async def copy(self, url: str) -> str:
        """The URL of a copy of the database as it is now. It loses its connections, for about 0.1 s."""
        owner, name = owner_of(url), _new_name(f"{owner_of(url)}_copy")
        async with self._admin() as admin, _closed(admin, name_of(url)):
            await _create(admin, name, owner, name_of(url))
        return postgres.url(self.folder, owner, name)

    async def restore(self, url: str, from_copy: str) -> None:
        """Sets the database back to what ``from_copy`` holds, as a restored backup would; the copy stays.

        It loses its connections for a moment. Who connects meanwhile is refused with SQLSTATE 55000, or in the very
        instant of the change with 3D000, "does not exist": both are an outage, as with a real restore.
        """
        name, owner = name_of(url), owner_of(url)
        coming, going = _new_name(f"{owner}_coming"), _new_name(f"{owner}_going")
        async with self._admin() as admin:
            async with _closed(admin, name_of(from_copy)):
                await _create(admin, coming, owner, name_of(from_copy))
            async with _closed(admin, name), admin.transaction():
                await admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{going}"')
                await admin.execute(f'ALTER DATABASE "{coming}" RENAME TO "{name}"')
            await _drop(admin, going)

    async def dump(self, url: str, file: Path) -> None:
        """Writes the database as SQL text, for whoever looks into a failed test. Raises ``RuntimeError``."""
        dump = await asyncio.create_subprocess_exec(
            *(postgres.programs() / "pg_dump", "--dbname", url, "--file", file, "--inserts"),
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await asyncio.wait_for(dump.communicate(), DUMPED_WITHIN_S)
        except TimeoutError:
            dump.kill()
            raise
        if dump.returncode != 0:
            raise RuntimeError(f"pg_dump: {said.decode(errors='replace').strip()}")


def name_of(url: str) -> str:
    """The database that the URL names."""
    return unquote(urlsplit(url).path.removeprefix("/"))


def owner_of(url: str) -> str:
    """The service whose database it is."""
    return unquote(urlsplit(url).netloc.partition("@")[0].partition(":")[0])


def _new_name(beginning: str) -> str:
    return f"{beginning}_{uuid.uuid4().hex[:12]}"


async def _create(admin: Connection, name: str, owner: str, template: str) -> None:
    await admin.execute(f'CREATE DATABASE "{name}" OWNER "{owner}" TEMPLATE "{template}"')
    await admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')


async def _drop(admin: Connection, name: str) -> None:
    await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _open(admin: Connection, name: str) -> None:
    await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


async def _close(admin: Connection, name: str) -> None:
    """Refuses new connections, ends those that are there, and returns when the last is gone."""
    await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    until = time.monotonic() + EMPTIED_WITHIN_S
    ending = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    while guests := await admin.fetch(ending, name):
        if time.monotonic() >= until:
            raise RuntimeError(f"{len(guests)} connections to {name} outlive their end for {EMPTIED_WITHIN_S} s")
        await asyncio.sleep(0.005)


@asynccontextmanager
async def _closed(admin: Connection, name: str) -> AsyncIterator[None]:
    """Nobody is connected meanwhile; afterwards who may connect is as it was before."""
    allowed = await admin.fetchval("SELECT datallowconn FROM pg_database WHERE datname = $1", name)
    await _close(admin, name)
    try:
        yield
    finally:
        if allowed:
            await _open(admin, name)
