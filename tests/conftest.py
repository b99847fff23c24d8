"""Fixtures of all tests: one broker and one PostgreSQL a session, and worlds on top of them."""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.world.broker_choice import choose
from tests.world.brokers import Broker
from tests.world.databases import Cluster
from tests.world.logs import LogWatch
from tests.world.world import World, prepare_templates
from vonggac import postgres

OUT = Path(__file__).parent.parent / ".ci" / "out"
SCALES = ("small", "ci", "large")


def pytest_configure(config: pytest.Config) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if os.environ.get("VONGGAC_NEEDS_APACHE_KAFKA") and choose().kind == "embedded":
        pytest.exit(f"these tests must run on Apache Kafka, and there is none: {choose()}", returncode=1)


def pytest_report_header() -> list[str]:
    scale = os.environ.get("VONGGAC_SCALE", "small")
    return [f"broker: {choose()}", f"postgresql: {postgres.programs()}", f"cores: {os.cpu_count()}, scale: {scale}"]


@pytest.fixture(scope="session")
def scale() -> str:
    """``small`` (make test), ``ci`` or ``large``."""
    given = os.environ.get("VONGGAC_SCALE", "small")
    assert given in SCALES, f"VONGGAC_SCALE must be one of {SCALES}"
    return given


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of a test with chance in it; SEED repeats one."""
    number = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"{request.node.name}: SEED={number}")
    return number


@pytest.fixture(scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """The session's broker, started."""
    broker = Broker(tmp_path_factory.mktemp("broker"))
    await broker.start()
    yield broker
    await broker.remove()


@pytest.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """The session's PostgreSQL, started, with templates of migrated databases and the demo province."""
    cluster = Cluster(tmp_path_factory.mktemp("postgres"))
    await cluster.start()
    await prepare_templates(cluster)
    yield cluster
    await cluster.remove()


@pytest.fixture
def logs() -> "LogWatch":
    """Hears the services of this process; an unexpected error line fails the test."""
    return LogWatch()


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, cluster: Cluster, broker: Broker, tmp_path: Path, logs: LogWatch
) -> AsyncIterator[World]:
    """A started system in this process, with a clock that moves."""
    options = getattr(request, "param", {})
    with logs:
        async with World(cluster, broker, tmp_path, **options) as world:
            yield world
        await asyncio.sleep(0)


@pytest.fixture
async def processes(cluster: Cluster, broker: Broker, tmp_path: Path, logs: LogWatch) -> AsyncIterator[World]:
    """A started system of real processes, which can be killed; their logs are heard."""
    with logs:
        async with World(cluster, broker, tmp_path, processes=True, heard=logs) as world:
            yield world
