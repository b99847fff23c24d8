"""A database of notifications for each test that asks for one, copied from a migrated template."""

import asyncio
import os
import pwd
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import asyncpg
import pytest

from foundation.chassis.database import Database, migrate
from tests.notifications.desk import Desk, units_of_the_province
from tests.world.processes import spawn
from vonggac.postgres import programs

NUMBERS = count(1)
READY_S = 30


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL of our own, without its database's name; nothing of it outlives the session."""
    folder = Path(mkdtemp(prefix="vg-", dir="/tmp"))
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, user.pw_uid, user.pw_gid)
    ids = {"user": user.pw_uid, "group": user.pw_gid} if os.geteuid() == 0 else {}
    data = folder / "data"
    initdb = [programs() / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/", timeout=60, **ids)
    settings = ["-c", "listen_addresses=", "-k", folder, "-c", "fsync=off", "-c", "max_connections=120"]
    process = spawn([programs() / "postgres", "-D", data, *settings], log=folder / "log", cwd=Path("/"), **ids)
    yield f"postgresql://postgres@/{{}}?host={folder}"
    process.terminate()
    process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


async def connected(url: str) -> asyncpg.Connection:
    """A connection once the server takes one, at most ``READY_S`` after its start."""
    async with asyncio.timeout(READY_S):
        while True:
            try:
                return await asyncpg.connect(url, timeout=5)
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
async def template(server: str) -> str:
    """The name of a migrated database without rows."""
    connection = await connected(server.format("postgres"))
    await connection.execute("CREATE DATABASE notifications_template")
    await connection.close()
    database = Database(server.format("notifications_template"))
    await migrate(database, "services.notifications")
    await database.engine.dispose()
    return "notifications_template"


@pytest.fixture
async def url(server: str, template: str) -> str:
    """The URL of an empty, migrated database of this test's own."""
    name = f"notifications_{next(NUMBERS)}"
    connection = await connected(server.format("postgres"))
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    await connection.close()
    return server.format(name)


@pytest.fixture
async def desk(url: str) -> AsyncIterator[Desk]:
    """Notifications without a broker, with the units of a small province."""
    desk = Desk(url)
    await desk.open(units_of_the_province())
    yield desk
    await desk.close()
