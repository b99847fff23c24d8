"""Processes of the tests end with them, ports are their own, and the broker is chosen aloud."""

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.world import broker_choice, kafka_jars, ports, processes
from tests.world.broker_docker import environment

WITHIN_S = 30.0


def test_it_ends_with_the_test_process(tmp_path: Path) -> None:
    session = (
        "import asyncio, pathlib, sys\n"
        "from tests.world.brokers import Broker\n"
        "broker = Broker(pathlib.Path(sys.argv[1]), 'embedded')\n"
        "asyncio.run(broker.start())\n"
        "print(broker.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", session, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=kafka_jars.CACHE.parent,
    ) as child:
        assert child.stdout is not None
        broker = psutil.Process(int(child.stdout.readline()))
        child.send_signal(signal.SIGKILL)
        psutil.wait_procs([broker], timeout=WITHIN_S)
        assert not broker.is_running()


def test_only_the_main_thread_may_start_a_process(tmp_path: Path) -> None:
    raised: list[BaseException] = []

    def attempt() -> None:
        try:
            processes.spawn([sys.executable, "-c", ""], log=tmp_path / "log")
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert raised


def test_a_stranger_s_listener_is_told_apart() -> None:
    with socket.socket() as ours, subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        ours.bind((ports.HOST, ports.free_port()))
        ours.listen()
        port = ours.getsockname()[1]
        assert ports.accepts(port)
        assert ports.listens(psutil.Process().pid, port)
        assert not ports.listens(other.pid, port)
        other.communicate(b"\n")


def test_ports_are_given_once_and_outside_the_range_of_clients() -> None:
    given = [ports.free_port() for _ in range(200)]
    assert len(set(given)) == len(given)
    with socket.socket() as client:
        client.bind((ports.HOST, 0))
        assert max(given) < client.getsockname()[1]


def test_where_apache_kafka_cannot_be_had_the_header_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(broker_choice, "why_no_docker", lambda: "no Docker engine answers")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("TEST_BROKER", raising=False)
    choice = broker_choice.choose.__wrapped__()
    assert str(choice) == "embedded broker (no Docker engine answers; no Java)"
    monkeypatch.setenv("TEST_BROKER", "zookeeper")
    with pytest.raises(ValueError, match="zookeeper"):
        broker_choice.choose.__wrapped__()


def test_two_sessions_fetch_once_and_a_failed_fetch_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fetched: list[Path] = []

    def fetch(home: Path) -> None:
        fetched.append(home)
        if len(fetched) == 1:
            raise kafka_jars.NoKafka("cut off")

    monkeypatch.setattr(kafka_jars, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(kafka_jars, "java", lambda: "java")
    monkeypatch.setattr(kafka_jars, "_fetch", fetch)
    monkeypatch.setattr(kafka_jars, "_format", lambda program, home: (home / "formatted").mkdir())
    with pytest.raises(kafka_jars.NoKafka):
        kafka_jars.kafka_home()
    assert [left.suffix for left in (tmp_path / "cache").iterdir()] == [".lock"]
    sessions = [threading.Thread(target=kafka_jars.kafka_home) for _ in range(4)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    assert len(fetched) == 2
    assert (kafka_jars.kafka_home() / "formatted").is_dir()


def test_the_container_gets_the_same_small_settings() -> None:
    named = environment(19092, 19093)
    assert named["KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE"] == "4194304"
    assert named["KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS"] == "0"
    assert named["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:19092"
