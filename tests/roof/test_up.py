"""``vonggac up`` as its user meets it: one command, everything runs, anything may be killed, nothing is left behind."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from foundation.contracts.events import TOPICS as CONTRACT_TOPICS
from tests.roof.launched import STOPPED_WITHIN_S, Launched
from vonggac.up import TOPICS

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def launched(tmp_path: Path) -> AsyncIterator[Launched]:
    system = Launched(tmp_path / "một thư mục", "--no-simulate")
    yield system
    if system.process is not None and system.process.poll() is None:
        await system.stop()
    await system.http.aclose()


async def test_one_command_runs_everything_and_stops_cleanly(launched: Launched) -> None:
    await launched.start()
    ready = launched.ready
    assert stat.S_IMODE(launched.ready_file.stat().st_mode) == 0o600
    assert {"incidents_url", "notifications_url", "reporting_url", "kafka_bootstrap_servers", "token"} <= ready.keys()
    assert len(ready["devices"]) >= 2000
    assert set(ready["devices"][0]) == {"key", "device_id", "post_id", "site_id", "site_name", "commune_code"}
    for service in ("incidents", "notifications", "reporting"):
        assert launched.child(f"serve {service}")

    answer = await launched.post("break_in", ready["devices"][0])

    async def walked() -> bool:
        return await launched.figures() == (1, 1, 1, 1)

    await launched.until("one signal, one incident, one alert, one count", walked)
    said = await asyncio.to_thread(_status, launched)
    assert said.returncode == 0, said.stdout
    lines = {line.rpartition(" ")[0].strip(): line.rpartition(" ")[2] for line in said.stdout.splitlines()}
    assert lines["tín hiệu / signals"] == "1"
    assert lines["tin báo / alerts"] == "1"
    assert "embedded broker" in said.stdout

    children = launched.children()
    status, seconds = await launched.stop()
    assert (status, seconds < STOPPED_WITHIN_S) == (0, True)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert not launched.ready_file.exists()

    await launched.start()  # the same data, the same keys
    assert launched.ready["devices"] == ready["devices"]
    assert await launched.get("incidents", f"/v1/incidents/{answer['incident_id']}")
    await launched.post("break_in", ready["devices"][0])
    status, _ = await launched.stop(signal.SIGINT)
    assert status == 0


async def test_whatever_is_killed_comes_back_and_nothing_is_missing_or_doubled(launched: Launched) -> None:
    await launched.start()
    devices = list({device["site_id"]: device for device in launched.ready["devices"]}.values())
    sent = 0
    for words in (["serve incidents"], ["serve notifications"], ["serve reporting"], ["tansu"], ["bin/postgres"]):
        await launched.post("theft", devices[sent])
        victim = launched.child(*words)
        victim.kill()
        sent += 1
        await launched.post("theft", devices[sent])
        sent += 1
        expected = sent

        async def all_there(expected: int = expected) -> bool:
            return await launched.figures() == (expected,) * 4

        await launched.until(f"{expected} of everything after {words} was killed", all_there)


async def test_after_everything_was_killed_the_next_start_works(launched: Launched) -> None:
    await launched.start()
    await launched.post("theft", launched.ready["devices"][0])
    assert launched.process is not None
    children = launched.children()
    os.kill(launched.process.pid, signal.SIGKILL)
    for child in children:
        if child.is_running():
            child.kill()
    launched.process.wait()
    launched.ready_file.unlink()
    await launched.start()

    async def all_there() -> bool:
        return await launched.figures() == (1, 1, 1, 1)

    await launched.until("all is there again", all_there)


async def test_children_end_with_a_killed_launcher(launched: Launched) -> None:
    await launched.start()
    assert launched.process is not None
    children = launched.children()
    os.kill(launched.process.pid, signal.SIGKILL)
    launched.process.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 10)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


async def test_a_second_launcher_of_the_same_folder_is_told_so(launched: Launched) -> None:
    await launched.start()
    argv = [sys.executable, "-m", "vonggac", "up", "--data-dir", str(launched.data_dir)]
    said = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, timeout=30, check=False)
    assert said.returncode == 1
    assert "already running" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--port-base", "0"],
        ["up", "--port-base", "x"],
        ["serve", "nothing"],
        ["token", "create", "--keys-dir", "/nowhere"],
        ["token", "create", "--role", "emperor"],
        ["status", "--data-dir", "/nowhere"],
        ["fly"],
    ],
)
def test_wrong_arguments_are_one_clear_line_and_exit_code_2(arguments: list[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "vonggac", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert said.returncode == 2
    assert said.stderr.strip()
    assert "Traceback" not in said.stderr


def test_the_launcher_knows_the_topics_of_the_contracts() -> None:
    assert set(TOPICS) == set(CONTRACT_TOPICS.values())


def _status(launched: Launched) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "vonggac", "status", "--data-dir", str(launched.data_dir)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
