"""A station of incidents over a database of its own, copied from a migrated template."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from foundation.chassis.database import Database, migrate
from tests.incidents.station import Station
from tests.world.databases import Cluster

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture(scope="session")
async def empty(cluster: Cluster) -> str:
    """The URL of a migrated database without rows, to be copied."""
    url = await cluster.create()
    database = Database(url)
    await migrate(database, "services.incidents")
    await database.engine.dispose()
    return url


@pytest.fixture
async def url(cluster: Cluster, empty: str) -> AsyncIterator[str]:
    """The URL of an empty, migrated database of this test's own."""
    url = await cluster.copy(empty)
    yield url
    await cluster.drop(url)


@pytest.fixture
async def station(url: str, tmp_path: Path) -> AsyncIterator[Station]:
    """A station that this test has for itself."""
    station = Station(url, tmp_path / "keys")
    await station.open()
    yield station
    await station.close()


@pytest.fixture(scope="session")
async def desk(cluster: Cluster, empty: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Station]:
    """A station that tests share who leave its clock and other tests' sites alone."""
    url = await cluster.copy(empty)
    station = Station(url, tmp_path_factory.mktemp("keys"))
    await station.open()
    yield station
    await station.close()
    await cluster.drop(url)


@pytest.fixture
async def pair(station: Station) -> AsyncIterator[tuple[Station, Station]]:
    """Two processes of incidents, as far as the database can tell: each with its own intake and connections."""
    other = Station(station.url, station.keys, clock=station.clock)
    await other.open()
    yield station, other
    await other.close()
