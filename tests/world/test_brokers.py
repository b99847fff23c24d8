"""A broker can be killed, frozen, emptied and started again on its port, and ends with the tests."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.world import ports
from tests.world.brokers import Broker
from tests.world.processes import NotReady

WITHIN_S = 30.0


@pytest_asyncio.fixture(scope="module")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """The broker of choice, in a folder with a space; left running between the tests."""
    broker = Broker(tmp_path_factory.mktemp("broker") / "with a space")
    await broker.start()
    yield broker
    await broker.remove()


@pytest_asyncio.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(tmp_path, "embedded")
    await broker.start()
    yield broker
    await broker.remove()


async def produce(broker: Broker, topic: str, values: list[bytes]) -> int:
    """Sends the values one after another; the offset of the last."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    await producer.start()
    try:
        for value in values:
            last = await producer.send_and_wait(topic, value, partition=0)
        return int(last.offset)
    finally:
        await producer.stop()


async def read(broker: Broker, topic: str) -> list[bytes]:
    """All that the first partition holds now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[bytes] = []
        while await consumer.position(partition) < end:
            found.append((await asyncio.wait_for(consumer.getone(), WITHIN_S)).value)
        return found
    finally:
        await consumer.stop()


async def test_what_was_stored_survives_kill_9_on_the_same_port(kafka: Broker) -> None:
    if not kafka.keeps_data:
        pytest.skip("the embedded broker keeps nothing")
    address, first = kafka.bootstrap_servers, kafka.pid
    await kafka.create_topics(["kept"])
    await produce(kafka, "kept", [b"1", b"2", b"3"])
    await kafka.kill()
    assert kafka.pid is None
    await kafka.start()
    assert kafka.bootstrap_servers == address
    assert kafka.pid not in (None, first)
    assert await read(kafka, "kept") == [b"1", b"2", b"3"]


async def test_a_restart_that_loses_data_leaves_empty_topics_on_the_same_port(kafka: Broker) -> None:
    address = kafka.bootstrap_servers
    await kafka.create_topics(["lost"])
    assert await produce(kafka, "lost", [b"1", b"2", b"3"]) == 2
    await kafka.restart(keep_data=False)
    assert kafka.bootstrap_servers == address
    assert await read(kafka, "lost") == []
    assert await produce(kafka, "lost", [b"new"]) == 0
    await kafka.restart(keep_data=False, topics=False)
    assert "lost" not in await kafka.topics()


async def test_a_clean_restart_keeps_data(kafka: Broker) -> None:
    if not kafka.keeps_data:
        pytest.skip("the embedded broker keeps nothing")
    await kafka.create_topics(["clean"])
    await produce(kafka, "clean", [b"1"])
    await kafka.restart()
    assert await read(kafka, "clean") == [b"1"]


async def test_a_living_producer_goes_on_after_the_restart(kafka: Broker) -> None:
    await kafka.create_topics(["on"])
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        await producer.send_and_wait("on", b"before", partition=0)
        await kafka.kill()
        sending = asyncio.create_task(producer.send_and_wait("on", b"while down", partition=0))
        await kafka.start()
        await asyncio.wait_for(sending, WITHIN_S)
    finally:
        await producer.stop()
    assert (await read(kafka, "on"))[-1] == b"while down"


async def test_a_frozen_broker_answers_once_it_is_resumed(kafka: Broker) -> None:
    await kafka.create_topics(["frozen"])
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        await kafka.pause()
        assert kafka.pid is not None
        if kafka.kind != "apache-kafka-docker":
            assert psutil.Process(kafka.pid).status() == psutil.STATUS_STOPPED
        sending = asyncio.create_task(producer.send_and_wait("frozen", b"1", partition=0))
        await asyncio.sleep(0)
        assert not sending.done()
        await kafka.resume()
        await asyncio.wait_for(sending, WITHIN_S)
    finally:
        await kafka.resume()
        await producer.stop()


async def test_a_frozen_broker_can_be_killed_and_stopped(kafka: Broker) -> None:
    await kafka.pause()
    await kafka.kill()
    await kafka.start()
    await kafka.pause()
    await kafka.stop()
    assert kafka.pid is None
    await kafka.start()


async def test_topics_are_made_and_deleted_and_never_by_themselves(kafka: Broker) -> None:
    await kafka.create_topics(["a", "b"])
    await kafka.create_topics(["a"])
    await kafka.delete_topics(["a", "never there"])
    there = await kafka.topics()
    assert "b" in there
    assert "a" not in there
    await kafka.create_topics(["a"])
    assert await produce(kafka, "a", [b"1"]) == 0


async def test_the_listener_is_our_own_process(kafka: Broker) -> None:
    if kafka.kind == "apache-kafka-docker":
        pytest.skip("the listener is the engine's")
    assert kafka.pid is not None
    assert ports.listens(kafka.pid, int(kafka.bootstrap_servers.rpartition(":")[2]))


async def test_a_taken_port_is_said(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "embedded")
    with socket.socket() as other:
        other.bind((ports.HOST, int(broker.bootstrap_servers.rpartition(":")[2])))
        other.listen()
        with pytest.raises(NotReady, match=r"another process listens|ended at its start"):
            await broker.start()
    assert broker.pid is None
    await broker.start()
    await broker.remove()


async def test_the_embedded_broker_comes_back_empty_with_its_topics(embedded: Broker) -> None:
    await embedded.create_topics(["memory"])
    await produce(embedded, "memory", [b"1"])
    await embedded.kill()
    await embedded.start()
    assert "memory" in await embedded.topics()
    assert await read(embedded, "memory") == []
