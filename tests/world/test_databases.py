"""A world's databases are its own; the server survives what a test does to it, and keeps what was committed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import pytest_asyncio

from tests.world import processes
from tests.world.databases import Cluster, name_of, owner_of

WITHIN_S = 20.0


@pytest_asyncio.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("postgres") / "with a space")
    await cluster.start()
    await cluster.prepare("incidents", migrate)
    yield cluster
    await cluster.remove()


async def migrate(url: str) -> None:
    await run(url, "CREATE TABLE kept (id int PRIMARY KEY)")


async def run(url: str, statement: str) -> list[object]:
    """The first column of what the statement returns, on a connection of its own."""
    connection = await asyncpg.connect(url, timeout=WITHIN_S)
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def keep(url: str, number: int) -> None:
    await run(url, f"INSERT INTO kept VALUES ({number})")


async def kept(url: str) -> list[object]:
    return await run(url, "SELECT id FROM kept ORDER BY id")


async def test_each_world_has_a_database_of_its_own_from_the_template(cluster: Cluster) -> None:
    one, two = await asyncio.gather(cluster.create("incidents"), cluster.create("incidents"))
    await keep(one, 1)
    assert await kept(one) == [1]
    assert await kept(two) == []
    with pytest.raises(asyncpg.UndefinedTableError):
        await kept(await cluster.create())
    with pytest.raises(KeyError):
        await cluster.create("never prepared")


async def test_a_template_is_migrated_once_and_a_failed_one_leaves_nothing(cluster: Cluster) -> None:
    async def fail(url: str) -> None:
        raise ValueError(name_of(url))

    await cluster.prepare("incidents", fail)
    with pytest.raises(ValueError, match="template_notifications") as raised:
        await cluster.prepare("notifications", fail)
    url = await cluster.create()
    assert await run(url, f"SELECT 1 FROM pg_database WHERE datname = '{raised.value}'") == []


async def test_services_are_no_superusers_and_cannot_open_one_another_s_database(cluster: Cluster) -> None:
    await cluster.prepare("reporting", migrate)
    url, foreign = await cluster.create("incidents"), await cluster.create("reporting")
    assert (owner_of(url), owner_of(foreign)) == ("incidents", "reporting")
    assert await run(url, "SELECT rolsuper::int FROM pg_roles WHERE rolname = current_user") == [0]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(url.replace(name_of(url), name_of(foreign)), "SELECT 1")


async def test_what_was_committed_survives_kill_9(cluster: Cluster) -> None:
    url, first = await cluster.create("incidents"), cluster.pid
    assert first is not None
    guest = await asyncpg.connect(url)
    for number in range(50):
        await guest.execute("INSERT INTO kept VALUES ($1)", number)
    await cluster.kill()
    assert cluster.pid is None
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await guest.fetchval("SELECT 1")
    await cluster.start()
    assert cluster.pid not in (None, first)
    assert await kept(url) == list(range(50))


async def test_it_stops_without_waiting_for_clients(cluster: Cluster) -> None:
    url = await cluster.create("incidents")
    guest = await asyncpg.connect(url)
    await cluster.stop()
    assert cluster.pid is None
    await cluster.start()
    assert await kept(url) == []
    guest.terminate()


async def test_a_frozen_server_answers_once_it_is_resumed(cluster: Cluster) -> None:
    url = await cluster.create("incidents")
    guest = await asyncpg.connect(url)
    await cluster.pause()
    assert cluster.pid is not None
    family = [psutil.Process(cluster.pid), *psutil.Process(cluster.pid).children()]
    assert {member.status() for member in family} == {psutil.STATUS_STOPPED}
    asking = asyncio.create_task(guest.fetchval("SELECT 7"))
    await cluster.resume()
    assert await asyncio.wait_for(asking, WITHIN_S) == 7
    await guest.close()


async def test_a_frozen_server_can_be_killed_and_stopped(cluster: Cluster) -> None:
    for end in (cluster.kill, cluster.stop):
        await cluster.pause()
        await end()
        assert cluster.pid is None
        await cluster.start()


async def test_one_database_can_be_away_while_the_others_work(cluster: Cluster) -> None:
    away, other = await cluster.create("incidents"), await cluster.create("incidents")
    guest = await asyncpg.connect(away)
    await cluster.allow_connections(away, False)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await guest.fetchval("SELECT 1")
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await kept(away)
    await keep(other, 1)
    await cluster.allow_connections(away, True)
    assert await kept(away) == []


async def test_a_database_can_be_set_back_to_an_older_copy_while_in_use(cluster: Cluster) -> None:
    url = await cluster.create("incidents")
    await keep(url, 1)
    guest = await asyncpg.connect(url)
    copy = await cluster.copy(url)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await guest.fetchval("SELECT 1")
    await keep(url, 2)
    for number in (3, 4):  # twice: the copy stays
        await keep(url, number)
        await cluster.restore(url, copy)
        assert await kept(url) == [1]
        assert await kept(copy) == [1]


async def test_who_connects_during_a_restore_is_refused_as_in_an_outage(cluster: Cluster) -> None:
    url = await cluster.create("incidents")
    copy = await cluster.copy(url)
    refused: set[str] = set()

    async def insist() -> None:
        while True:
            try:
                await kept(url)
            except asyncpg.PostgresError as error:
                refused.add(error.sqlstate or "none")

    insisting = asyncio.create_task(insist())
    for _ in range(3):
        await cluster.restore(url, copy)
    insisting.cancel()
    await asyncio.gather(insisting, return_exceptions=True)
    assert refused <= {"08003", "08006", "55000", "57P01", "3D000"}
    assert await kept(url) == []


async def test_drop_and_dump(cluster: Cluster, tmp_path: Path) -> None:
    url = await cluster.create("incidents")
    await keep(url, 4711)
    await cluster.dump(url, tmp_path / "incidents.sql")
    assert "4711" in (tmp_path / "incidents.sql").read_text(encoding="utf-8")
    guest = await asyncpg.connect(url)
    await cluster.drop(url)
    await cluster.drop(url)
    guest.terminate()
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await kept(url)
    with pytest.raises(RuntimeError, match="pg_dump"):
        await cluster.dump(url, tmp_path / "gone.sql")


async def test_fast_is_not_careless_and_durable_is_as_in_production(tmp_path: Path, cluster: Cluster) -> None:
    url = await cluster.create()
    assert await run(url, "SHOW fsync") == ["off"]
    assert await run(url, "SHOW synchronous_commit") == ["on"]
    durable = Cluster(tmp_path, durable=True)
    await durable.start()
    try:
        assert await run(await durable.create(), "SHOW fsync") == ["on"]
    finally:
        await durable.remove()
    assert "ready to accept connections" in processes.last_lines(durable.log)
