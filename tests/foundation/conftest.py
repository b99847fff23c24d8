"""A database with nothing in it but the streams of the chassis."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from foundation.chassis.database import Database
from foundation.streams import consumer, ledger
from tests.world.databases import Cluster

AREA, TOPICS = "44", ("vonggac.incidents", "vonggac.sites")

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture
async def database(cluster: Cluster) -> AsyncIterator[Database]:
    """Open, with the streams of two topics, and a table ``effect (number)``."""
    url = await cluster.create()
    database = Database(url)
    await database.open()
    async with database.transaction() as connection:
        await connection.execute(ledger.SCHEMA)
        await connection.execute(consumer.SCHEMA)
        await connection.execute("CREATE TABLE effect (number bigint)")
        await ledger.open_streams(connection, TOPICS, [AREA])
    yield database
    await database.close()
    await cluster.drop(url)
