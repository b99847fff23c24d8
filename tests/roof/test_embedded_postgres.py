"""What the embedded PostgreSQL promises, tried on the real server: who runs it, who may open what, what it survives."""

import asyncio
import json
import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from vonggac import postgres
from vonggac.supervise import LaunchError, Supervisor

ROOT = os.geteuid() == 0
LAUNCHER = """
import asyncio, json, pathlib, sys
from vonggac import postgres, supervise
async def main(data_dir):
    async with supervise.Supervisor(data_dir) as supervisor:
        await supervisor.start(postgres.prepare(data_dir))
        print(json.dumps(supervisor.running["postgres"].pid), flush=True)
        await asyncio.Event().wait()
asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """With spaces and letters; when root runs the tests, in folders of mode 0700 that the server's user cannot pass."""
    folder = tmp_path / "dữ liệu vọng gác"
    yield folder
    shutil.rmtree(postgres.socket_dir(folder), ignore_errors=True)


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """Under folders that everyone may pass."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name) / "vonggac"
        shutil.rmtree(postgres.socket_dir(Path(name) / "vonggac"), ignore_errors=True)


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[Supervisor]:
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(postgres.prepare(data_dir))
        yield supervisor


def server(supervisor: Supervisor) -> psutil.Process:
    pid = supervisor.running["postgres"].pid
    assert pid is not None
    return psutil.Process(pid)


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)  # init may not reap orphans
    except psutil.NoSuchProcess:
        return False


async def until(condition: Callable[[], object], within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def test_the_programs_are_those_of_version_18() -> None:
    said = subprocess.run([postgres.programs() / "postgres", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("postgres (PostgreSQL) 18.")


async def test_it_keeps_what_was_stored_over_a_second_start(data_dir: Path) -> None:
    async with running(data_dir):
        urls = postgres.database_urls(data_dir)
        await ask(urls["incidents"], "CREATE TABLE kept AS SELECT 'Đông Hà' AS place")
    async with running(data_dir):
        assert postgres.database_urls(data_dir) == urls
        assert await ask(urls["incidents"], "SELECT place FROM kept") == "Đông Hà"


async def test_no_role_can_open_the_database_of_another(data_dir: Path) -> None:
    async with running(data_dir):
        for role in postgres.SERVICES:
            assert await ask(postgres.url(data_dir, role, role), "SELECT current_user = current_database()")
            for other in {*postgres.SERVICES, "postgres", "template1"} - {role}:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await ask(postgres.url(data_dir, role, other), "SELECT 1")
        wrong = postgres.url(data_dir, "incidents", "incidents").replace("incidents:", "incidents:x")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(wrong, "SELECT 1")
        assert (data_dir / "postgres" / postgres.PASSWORDS).stat().st_mode & 0o777 == 0o600


async def test_it_is_durable_unreachable_by_network_and_speaks_utf8(data_dir: Path) -> None:
    expected = {
        "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on", "jit": "off",
        "listen_addresses": "", "server_encoding": "UTF8", "password_encryption": "scram-sha-256", "TimeZone": "UTC",
    }  # fmt: skip
    async with running(data_dir) as supervisor:
        superuser = postgres.url(data_dir, postgres.SUPERUSER, "postgres")
        assert {name: await ask(superuser, f"SHOW {name}") for name in expected} == expected
        assert await ask(superuser, "SELECT upper('vọng gác đường')") == "VỌNG GÁC ĐƯỜNG"
        assert server(supervisor).net_connections(kind="inet") == []
        socket = postgres.socket_dir(data_dir) / postgres.SOCKET
        assert (len(os.fsencode(socket)) <= 103, socket.parent.stat().st_mode & 0o777) == (True, 0o700)
        psql = (postgres.psql(), "-XAtc", "SELECT 6 * 7", postgres.database_urls(data_dir)["reporting"])
        process = await asyncio.create_subprocess_exec(*psql, stdout=subprocess.PIPE)
        assert (await process.communicate())[0] == b"42\n"


async def test_what_people_wrote_does_not_reach_the_log(data_dir: Path) -> None:
    note = "Nguyễn Văn Kín 0905000000"
    async with running(data_dir):
        connection = await asyncpg.connect(postgres.database_urls(data_dir)["incidents"])
        await connection.execute("CREATE TABLE notes (note text PRIMARY KEY CHECK (length(note) > 3))")
        await connection.execute("INSERT INTO notes VALUES ($1)", note)
        for bad in (f"INSERT INTO notes VALUES ('{note}')", f"SELECT '{note}'::uuid", f'SELECT 1 FROM "{note}"'):
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(bad)
        await connection.close()
    assert note not in (data_dir / "logs" / "postgres.log").read_text()


async def test_killed_it_comes_back_with_all_that_was_committed(data_dir: Path) -> None:
    async with running(data_dir) as supervisor:
        url, child = postgres.database_urls(data_dir)["incidents"], supervisor.running["postgres"]
        await ask(url, "CREATE TABLE kept AS SELECT 1 AS n")
        busy = await asyncpg.connect(url)
        await busy.execute("INSERT INTO kept VALUES (2)")
        server(supervisor).kill()
        await until(lambda: child.restarts == 1 and child.ready.is_set())
        assert await ask(url, "SELECT sum(n) FROM kept") == 3
        assert busy.is_closed()


async def test_kill_9_of_the_launcher_leaves_no_server_and_the_next_start_works(data_dir: Path) -> None:
    launcher = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LAUNCHER, data_dir, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert launcher.stdout is not None
    postmaster = psutil.Process(json.loads(await launcher.stdout.readline()))
    connection = await asyncpg.connect(postgres.database_urls(data_dir)["incidents"])
    family = [postmaster, *postmaster.children(recursive=True)]
    launcher.kill()
    await launcher.wait()
    await until(lambda: not any(map(lives, family)))
    assert len(family) > 3
    connection.terminate()
    async with running(data_dir):
        assert await ask(postgres.database_urls(data_dir)["incidents"], "SELECT 1") == 1


async def test_locks_of_a_dead_server_whose_pid_another_process_has_now(data_dir: Path) -> None:
    async with running(data_dir) as supervisor:
        owner = server(supervisor).uids().effective
        lock, socket_lock = data_dir / "postgres" / "postmaster.pid", f"{postgres.SOCKET}.lock"
        kept = {path: path.read_text() for path in (lock, postgres.socket_dir(data_dir) / socket_lock)}
    stranger = await asyncio.create_subprocess_exec("sleep", "600", user=owner if ROOT else None)
    try:
        for path, text in kept.items():
            path.write_text("\n".join([str(stranger.pid), *text.splitlines()[1:], ""]))
            os.chown(path, owner, -1)
        async with running(data_dir) as supervisor:
            assert supervisor.running["postgres"].restarts == 0
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_backend_that_outlives_its_server_does_not_hinder_the_next(data_dir: Path) -> None:
    """It holds the shared memory, and the server refuses to start beside it."""
    async with running(data_dir) as supervisor:
        child = supervisor.running["postgres"]
        connection = await asyncpg.connect(postgres.database_urls(data_dir)["incidents"])
        backend = psutil.Process(connection.get_server_pid())
        backend.send_signal(signal.SIGSTOP)
        server(supervisor).kill()
        await until(lambda: child.restarts == 1 and child.ready.is_set())
        await until(lambda: not lives(backend))
        connection.terminate()


async def test_a_cluster_that_was_never_finished_is_made_anew(data_dir: Path) -> None:
    half = data_dir / "postgres.new-x" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    async with running(data_dir):
        assert await ask(postgres.database_urls(data_dir)["incidents"], "SELECT 1") == 1
    assert not half.parent.exists()


def test_data_of_another_version_is_left_alone(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True, mode=0o700)
    if ROOT:
        os.chown(data_dir / "postgres", *postgres._server_user(data_dir / "nothing"))
    (data_dir / "postgres" / "PG_VERSION").write_text("16")
    with pytest.raises(LaunchError, match="PostgreSQL 16"):
        postgres.prepare(data_dir)


@pytest.mark.parametrize("how", ["link", "open"])
def test_a_socket_folder_that_is_not_ours_is_refused(data_dir: Path, how: str) -> None:
    data_dir.mkdir()
    folder = postgres.socket_dir(data_dir)
    if how == "link":
        folder.symlink_to(data_dir)
    else:
        folder.mkdir()
        folder.chmod(0o777)
    try:
        with pytest.raises(LaunchError, match="not our private folder"):
            postgres.prepare(data_dir)
    finally:
        if folder.is_symlink():
            folder.unlink()


@pytest.mark.skipif(not ROOT, reason="only root must become another user")
class TestAsRoot:
    """PostgreSQL refuses root: it runs as a system user, and no folder's mode is changed for it."""

    async def test_below_open_folders_it_has_no_privilege(self, open_dir: Path) -> None:
        async with running(open_dir) as supervisor:
            process = server(supervisor)
            assert process.username() == postgres.SYSTEM_USER
            assert "CapEff:\t0000000000000000" in Path(f"/proc/{process.pid}/status").read_text()

    async def test_below_private_folders_it_may_pass_and_modes_stay(self, data_dir: Path) -> None:
        async with running(data_dir) as supervisor:
            process = server(supervisor)
            assert process.username() == postgres.SYSTEM_USER
            assert "CapEff:\t0000000000000002" in Path(f"/proc/{process.pid}/status").read_text()
        assert [each.stat().st_mode & 0o777 for each in data_dir.parents[:2]] == [0o700, 0o700]

    async def test_where_users_cannot_be_made_it_is_nobody(
        self, open_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "SYSTEM_USER", "vonggac-nowhere")
        monkeypatch.setattr(postgres, "ENVIRONMENT", {**postgres.ENVIRONMENT, "PATH": "/usr/bin:/bin"})
        async with running(open_dir) as supervisor:
            assert server(supervisor).username() == "nobody"
        monkeypatch.undo()
        async with running(open_dir) as supervisor:  # and stays so, whatever users there are later
            assert server(supervisor).username() == "nobody"

    def test_where_nothing_of_it_is_possible_one_line_says_so(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "TIED", [])
        with pytest.raises(LaunchError, match=r"^PostgreSQL không chạy được bằng root.* / cannot run as root here$"):
            postgres.prepare(data_dir)

    def test_an_ordinary_user_runs_it_as_themselves(self, open_dir: Path) -> None:
        nobody = pwd.getpwnam("nobody")
        open_dir.mkdir()
        os.chown(open_dir, nobody.pw_uid, nobody.pw_gid)

        def as_nobody() -> None:  # forked, for the interpreter itself may lie where nobody cannot read
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            asyncio.run(use())

        async def use() -> None:
            for expected in (0, 1):  # first and second start
                async with running(open_dir) as supervisor:
                    url = postgres.database_urls(open_dir)["incidents"]
                    await ask(url, "CREATE TABLE IF NOT EXISTS starts (n int)")
                    assert await ask(url, "SELECT count(*) FROM starts") == expected
                    await ask(url, "INSERT INTO starts VALUES (1)")
                    assert server(supervisor).uids().effective == nobody.pw_uid
            shutil.rmtree(postgres.socket_dir(open_dir))

        process = multiprocessing.get_context("fork").Process(target=as_nobody)
        process.start()
        process.join(60)
        assert process.exitcode == 0
