"""What the embedded broker promises, tried on the real one."""

import asyncio
import importlib.util
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from vonggac import broker
from vonggac.supervise import LaunchError, Running, Supervisor

TOPICS = ("vonggac.incidents", "vonggac.alerts", "vonggac.sites")


@pytest.fixture
def port() -> int:
    return broker.free_port()


@asynccontextmanager
async def running(data_dir: Path, port: int) -> AsyncIterator[tuple[Supervisor, Running]]:
    async with Supervisor(data_dir) as supervisor:
        await supervisor.start(broker.child(port, TOPICS))
        yield supervisor, supervisor.running["broker"]


async def until(condition: Callable[[], object], within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


async def partitions(port: int) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
    try:
        await admin.start()
        return {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(list(TOPICS))}
    finally:
        await admin.close()


async def test_when_it_is_ready_each_topic_is_there_with_one_partition(tmp_path: Path, port: int) -> None:
    async with running(tmp_path, port):
        assert await partitions(port) == dict.fromkeys(TOPICS, 1)
        await broker.ensure_topics(f"127.0.0.1:{port}", TOPICS)  # harmless when they are there


async def test_what_is_sent_is_received(tmp_path: Path, port: int) -> None:
    address = f"127.0.0.1:{port}"
    async with running(tmp_path, port):
        producer = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=False)
        consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", fetch_max_wait_ms=20)
        await producer.start()
        await producer.send_and_wait(TOPICS[0], "Đột nhập".encode())
        await producer.stop()
        await consumer.start()
        consumer.assign([TopicPartition(TOPICS[0], 0)])
        async with asyncio.timeout(10):
            assert (await consumer.getone()).value == "Đột nhập".encode()
        await consumer.stop()


async def test_killed_it_comes_back_as_a_new_cluster_at_the_same_address_with_its_topics(
    tmp_path: Path, port: int
) -> None:
    async with running(tmp_path, port) as (_, child):
        killed = child.pid
        assert killed is not None
        before = psutil.Process(killed).cmdline()
        os.kill(killed, signal.SIGKILL)
        await until(lambda: child.restarts == 1 and child.ready.is_set())
        assert await partitions(port) == dict.fromkeys(TOPICS, 1)
        assert child.pid is not None
        after = psutil.Process(child.pid).cmdline()
        changed = [word.partition("=")[0] for word in after if word not in before]
        assert changed == ["--cluster-id"]


async def test_a_foreign_listener_is_not_taken_for_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        taken = foreign.getsockname()[1]
        assert broker.listens(os.getpid(), taken)
        async with Supervisor(tmp_path) as supervisor:
            with pytest.raises(LaunchError, match="broker"):
                await supervisor.start(broker.child(taken, TOPICS))


async def test_it_is_restarted_when_it_has_grown_too_large(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "CHECK_S", 0.05)
    assert broker.MEMORY_BYTES == 256 * 1024 * 1024
    async with running(tmp_path, port) as (supervisor, child):
        pid = child.pid
        assert pid is not None
        holding = asyncio.create_task(broker.hold_memory(supervisor, bound_bytes=broker.rss_bytes(pid) - 1))
        await until(lambda: child.restarts >= 1)
        holding.cancel()
        await until(child.ready.is_set)
        assert await partitions(port) == dict.fromkeys(TOPICS, 1)


@pytest.mark.parametrize(
    ("sizes", "restarted_after"),
    [
        ([100, 100, 100], None),  # within the bound
        ([180, 230, 260, 260], 4),  # grows, then a quiet second
        ([180, 210, 240, 270, 301], 5),  # grows without a quiet second, up to one and a half of the bound
        ([*range(201, 290, 10)], 5),  # grows without a quiet second for longer than it may wait
    ],
)
async def test_it_is_restarted_in_a_quiet_moment_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], restarted_after: int | None
) -> None:
    class Over(Exception):
        """The story ends."""

    class Everyone:
        running = {"broker": SimpleNamespace(pid=1)}
        restarted_after: int | None = None

        async def restart(self, _name: str) -> None:
            self.restarted_after = looked
            raise Over

    looked, everyone = 0, Everyone()

    def rss_bytes(_pid: int) -> int:
        nonlocal looked
        looked += 1
        if looked > len(sizes):
            raise Over
        return sizes[looked - 1]

    monkeypatch.setattr(broker, "rss_bytes", rss_bytes)
    monkeypatch.setattr(broker, "CHECK_S", 0.001)
    monkeypatch.setattr(broker, "QUIET_BYTES_A_S", 1000)
    monkeypatch.setattr(broker, "QUIET_WAIT_S", 0.0045)
    with pytest.raises(Over):
        await broker.hold_memory(everyone, bound_bytes=200)  # type: ignore[arg-type]
    assert everyone.restarted_after == restarted_after


def test_where_there_is_no_broker_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(LaunchError, match=r"KAFKA_BOOTSTRAP_SERVERS / no embedded broker"):
        broker.binary()
