"""Where no Docker engine runs: the very commands of docker-compose.yml start here, and one break-in walks through."""

import re
import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from foundation.contracts.kinds import kind
from tests.deploy import settings_table
from tests.deploy.native import Native
from tests.deploy.walking import AGE_S, Walk, until
from tests.world.found import units_of_kind
from tests.world.logs import LogWatch
from vonggac.demo import province

SERVICES = ("incidents", "notifications", "reporting")
KEYS = "/run/vonggac/keys"
ENDED_WELL = {0, -15, 143}
"""By itself, or by SIGTERM: uvicorn raises the signal again when it is done."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Native]:
    """All of the file, up and healthy, in a folder with a space; in the end it must stop in good order."""
    native = Native(tmp_path_factory.mktemp("compose") / "with a space")
    try:
        await native.up()
        yield native
        watch = LogWatch()
        for name in SERVICES:
            watch.follow(native.log(name))
        watch.check()
    finally:
        ended = await native.down()
    assert {name: status for name, status in ended.items() if status not in ENDED_WELL} == {}


@pytest.fixture(scope="module")
async def walk(system: Native) -> AsyncIterator[Walk]:
    """With a token of the duty desk, made as docs/operators.md says."""
    token = await system.run("vonggac", "token", "create", "--keys-dir", KEYS, "--role", "province_desk")
    walk = Walk(system, token.strip())
    yield walk
    await walk.client.aclose()


async def test_a_break_in_walks_from_a_device_to_the_police_and_into_the_figures(walk: Walk) -> None:
    break_in = await walk.post()
    code = break_in.site.commune_code
    alerts = await walk.alerts(break_in)
    assert {alert["unit"]["code"] for alert in alerts} == units_of_kind("break_in", code) == {f"CAX-{code}"}
    alert = alerts[0]
    assert (alert["status"], alert["kind"], alert["severity"]) == ("raised", "break_in", kind("break_in").severity)
    assert alert["site"]["name"] == break_in.site.name

    door = f"{walk.system.url('notifications')}/v1/alerts/{alert['id']}/acknowledge"
    acknowledged = await walk.client.post(door)
    assert acknowledged.status_code == 200, acknowledged.text
    await until(
        lambda: walk.get("incidents", f"/v1/incidents/{break_in.incident}"),
        lambda shown: "acknowledged" in [entry["type"] for entry in shown["timeline"]],
    )
    figures = await walk.figures(
        break_in, lambda item: item["incidents"] == 1 and item["alert_to_acknowledged_s"]["p50"] is not None
    )
    assert (figures["cancelled"], figures["drills"]) == (0, 0)
    assert figures["signal_to_alert_s"]["p50"] >= AGE_S * 0.99


async def test_the_province_is_that_of_make_run(system: Native, walk: Walk) -> None:
    units = await walk.get("notifications", "/v1/units", limit="500")
    assert {unit["code"] for unit in units["items"]} == {unit.code for unit in province.demo_units()}
    sites: set[str] = set()
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        more = {"cursor": page["next"]} if page["next"] else {}
        page = await walk.get("incidents", "/v1/sites", limit="500", **more)
        sites |= {site["id"] for site in page["items"]}
    assert sites == {str(site.id) for site in province.demo_sites()}
    assert system.processes["simulate"].poll() is None, system.log("simulate").read_text()


async def test_vonggac_status_sees_all_of_it(system: Native, walk: Walk) -> None:
    said = await system.run("vonggac", "status", environment={"VONGGAC_TOKEN": walk.token})
    assert all(name in said for name in (*SERVICES, "vonggac.incidents", "vonggac.alerts", "vonggac.sites")), said


async def test_a_role_opens_its_own_database_and_no_other(system: Native) -> None:
    for name in SERVICES:
        environment = system.environment(system.compose.services[name])
        own = environment[f"{name.upper()}_DATABASE_URL"]
        assert urlsplit(own).password is None
        connection = await asyncpg.connect(own, passfile=environment["PGPASSFILE"])
        assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
        await connection.close()
        password = (system.volume("postgres-secrets") / f"{name}.password").read_text()
        for other in {*SERVICES, "postgres", "template1"} - {name}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(own.rpartition("/")[0] + f"/{other}", password=password)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(own, password="another")


async def test_each_holder_has_its_own_private_key_and_all_public_ones(system: Native) -> None:
    signers = {*SERVICES, "vonggac"}
    for holder in (*SERVICES, "operator"):
        keys = system.volume(f"{holder}-secrets") / "keys"
        own = "vonggac" if holder == "operator" else holder
        assert {file.stem for file in keys.glob("*.pub")} == signers
        assert {file.stem for file in keys.glob("*.key")} == {own}


async def test_secrets_and_databases_stay_when_compose_is_started_again(system: Native) -> None:
    before = contents(system)
    await system.run("secrets")
    await system.run("databases")
    assert contents(system) == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in secret_files(system))
    for name in SERVICES:
        assert await system.healthy(system.compose.services[name])


async def test_a_password_can_be_changed_while_everything_runs(system: Native) -> None:
    file = system.volume("postgres-secrets") / "reporting.password"
    old = file.read_text()
    file.unlink()
    await system.run("secrets")
    await system.run("databases")
    assert file.read_text() != old
    url = system.environment(system.compose.services["reporting"])["REPORTING_DATABASE_URL"]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url, password=old)
    connection = await asyncpg.connect(url, password=file.read_text())
    others = "FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
    await connection.execute(f"SELECT pg_terminate_backend(pid) {others}")
    await connection.close()
    await until(lambda: system.healthy(system.compose.services["reporting"]), bool)


async def test_no_log_holds_a_secret(system: Native) -> None:
    passwords = [path.read_text() for path in system.volume("postgres-secrets").glob("*.password")]
    logs = {path: path.read_text(errors="replace") for path in system.folder.rglob("*.log")}
    assert len(passwords) == len(SERVICES) + 1
    assert {"incidents.log", "postgres.log", "databases.log"} <= {path.name for path in logs}
    assert [path.name for path, text in logs.items() for password in passwords if password in text] == []


async def test_prometheus_scrapes_all_three(system: Native, walk: Walk) -> None:
    if "prometheus" in system.left_out:
        pytest.skip(system.left_out["prometheus"])
    up = await until(
        lambda: walk.get("prometheus", "/api/v1/query", query="up == 1"),
        lambda said: len(said["data"]["result"]) >= len(SERVICES),
    )
    assert {sample["metric"]["job"] for sample in up["data"]["result"]} == set(SERVICES)
    groups = (await walk.get("prometheus", "/api/v1/rules"))["data"]["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}  # unknown: not yet


async def test_a_restored_database_of_figures_catches_up(system: Native, walk: Walk) -> None:
    """As docs/operators.md says under "Backup and restore"."""
    before = await walk.post()
    await walk.figures(before, lambda item: item["incidents"] == 1)
    backup = await system.execute("postgres", documented("pg_dump", name="reporting"))
    after = await walk.post()
    await walk.figures(after, lambda item: item["incidents"] == 1)
    await system.stop("reporting")
    await system.execute("postgres", documented("pg_restore"), stdin=backup)
    await system.start("reporting")
    for each in (before, after):
        await walk.figures(each, lambda item: item["incidents"] == 1)


async def test_a_producer_set_back_to_a_backup_is_heard_again(system: Native, walk: Walk) -> None:
    """As docs/operators.md says: with a new epoch, since its numbers are given anew."""
    backup = await system.execute("postgres", documented("pg_dump", name="incidents"))
    lost = await walk.post()
    await walk.alerts(lost)
    await system.stop("incidents")
    restore = [word.replace("reporting", "incidents") for word in documented("pg_restore")]
    await system.execute("postgres", restore, stdin=backup)
    await system.execute("postgres", documented("psql"))
    await system.start("incidents")
    new = await walk.post()
    assert len(await walk.alerts(new)) == 1
    await walk.figures(new, lambda item: item["incidents"] == 1)
    assert len(await walk.alerts(lost)) == 1  # the police know of it still, and were told once


def documented(program: str, **variables: str) -> list[str]:
    """The command line, from this program on, that docs/operators.md gives."""
    page = settings_table.PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(rf"^docker compose exec .* postgres +({program} .*)$|  ({program} .*)$", page, re.MULTILINE)
    assert found is not None, program
    words = shlex.split(re.split(r" [<>] ", found[1] or found[2])[0])
    return [variables.get(word.removeprefix("$"), word) for word in words]


def secret_files(system: Native) -> Iterator[Path]:
    for name in system.compose.raw["volumes"]:
        if name.endswith("-secrets"):
            yield from (path for path in system.volume(name).rglob("*") if path.is_file())


def contents(system: Native) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in secret_files(system)}
