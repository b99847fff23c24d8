"""A database of notifications for each test that asks for one."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.notifications.desk import Desk, units_of_the_province
from tests.world.databases import Cluster


@pytest.fixture
async def url(cluster: Cluster) -> AsyncIterator[str]:
    """The URL of a migrated database of this test's own, without the units of the demo province."""
    url = await cluster.create("notifications")
    connection = await asyncpg.connect(url)
    await connection.execute("TRUNCATE unit, coverage")
    await connection.close()
    yield url
    await cluster.drop(url)


@pytest.fixture
async def desk(url: str) -> AsyncIterator[Desk]:
    """Notifications without a broker, with the units of a small province."""
    desk = Desk(url)
    await desk.open(units_of_the_province())
    yield desk
    await desk.close()
