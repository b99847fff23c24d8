"""The relay: publishes a service's ledger to Kafka, in order, each event at least once."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from prometheus_client import Counter, Gauge

from foundation.chassis.clock import Clock, pause
from foundation.chassis.database import Database
from foundation.chassis.settings import ServiceSettings
from foundation.contracts.events import HEAD_TYPE, Event
from foundation.contracts.fields import rfc3339
from foundation.streams import ledger

log = logging.getLogger(__name__)

BATCH = 1000
POLL_S = 1.0
"""Safety net under NOTIFY."""
PUBLISHED = Counter("vonggac_relay_published_total", "Events acknowledged by Kafka", ["topic"])
WAITING = Gauge("vonggac_relay_waiting_events", "Events in the ledger that Kafka does not have yet", ["topic", "area"])
KAFKA_UP = Gauge("vonggac_relay_kafka_up", "1 while the relay of this process reaches Kafka")

MOVE_CURSOR = "UPDATE relay_cursor SET sequence = $4 WHERE topic = $1 AND area = $2 AND sequence = $3 RETURNING 1"


async def ensure_topics(settings: ServiceSettings, topics: Sequence[str]) -> None:
    """Makes the topics that are not there yet, one partition an area: before any client connects to them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers, request_timeout_ms=5000)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        names = [settings.topic(topic) for topic in topics]
        new = [NewTopic(name, len(settings.areas), 1) for name in names if name not in there]
        if new:
            with contextlib.suppress(TopicAlreadyExistsError):
                await admin.create_topics(new)
    finally:
        await admin.close()


async def relay(database: Database, settings: ServiceSettings, clock: Clock, topics: Sequence[str]) -> None:
    """Publishes until cancelled; one process at a time. Any failure is raised and starts again at the cursor."""
    await database.hold("relay", lambda: _publish(database, settings, clock, topics))


async def _publish(database: Database, settings: ServiceSettings, clock: Clock, topics: Sequence[str]) -> None:
    wake = asyncio.Event()
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        acks="all",
        enable_idempotence=not settings.embedded_broker,
        request_timeout_ms=5000,
        retry_backoff_ms=50,
        max_batch_size=262_144,
    )
    try:
        await ensure_topics(settings, topics)
        await producer.start()
        KAFKA_UP.set(1)
        async with database.listening(ledger.CHANNEL, wake) as connection:
            said_at = 0.0
            while True:
                streams = await ledger.heads(connection)
                due = clock.timestamp() - said_at >= settings.heads_every_s
                for (topic, area), (epoch, head, cursor) in sorted(streams.items()):
                    WAITING.labels(topic, area).set(head - cursor)
                    if area not in settings.areas:
                        continue
                    events = await ledger.read(connection, topic, area, cursor, BATCH) if head > cursor else []
                    if events:
                        await _send(producer, settings, events)
                        await _move(connection, topic, area, cursor, events[-1].sequence)
                        PUBLISHED.labels(topic).inc(len(events))
                        cursor = events[-1].sequence
                        if head > cursor:
                            wake.set()
                    if due:
                        await _send(producer, settings, [_head(topic, area, epoch, cursor, clock)])
                said_at = clock.timestamp() if due else said_at
                await pause(POLL_S, or_when=wake)
    except KafkaError as error:
        log.warning("kafka away, publishing again from the cursor", extra={"error": type(error).__name__})
        raise
    finally:
        KAFKA_UP.set(0)
        await producer.stop()


def _head(topic: str, area: str, epoch: int, sequence: int, clock: Clock) -> Event:
    return Event(topic, area, epoch, sequence, "", HEAD_TYPE, 0, rfc3339(clock.now()), b"{}")


async def _send(producer: AIOKafkaProducer, settings: ServiceSettings, events: Sequence[Event]) -> None:
    """Sends in order and waits until Kafka has acknowledged every one."""
    sent = [
        await producer.send(
            settings.topic(event.topic),
            value=event.payload,
            key=event.key.encode() or None,
            partition=settings.partition(event.area),
            headers=event.headers(),
        )
        for event in events
    ]
    await asyncio.gather(*sent)


async def _move(connection: asyncpg.Connection, topic: str, area: str, old: int, new: int) -> None:
    """Compare-and-set: a relay that lost its lease while it was frozen cannot move the cursor of its successor."""
    if not await connection.fetchval(MOVE_CURSOR, topic, area, old, new):
        raise ConnectionError("another relay moved the cursor")
