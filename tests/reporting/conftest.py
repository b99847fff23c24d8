"""A database of reporting for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from foundation.chassis.database import Database, migrate
from tests.reporting.reporting import Reporting
from tests.world.databases import Cluster


async def migrated(url: str) -> None:
    database = Database(url)
    try:
        await migrate(database, "services.reporting")
    finally:
        await database.engine.dispose()


@pytest.fixture
async def url(cluster: Cluster) -> AsyncIterator[str]:
    """The URL of an empty, migrated database of this test's own."""
    await cluster.prepare("reporting", migrated)
    url = await cluster.create("reporting")
    yield url
    await cluster.drop(url)


@pytest.fixture
async def reporting(url: str) -> AsyncIterator[Reporting]:
    """Reporting's consumers over that database, without a broker."""
    database = Database(url)
    await database.open()
    yield Reporting(database)
    await database.close()
