"""The consumer: applies each event of a stream once, in order, without a gap, whatever Kafka delivers.

One integer in the consumer's own database says what it has; it is locked first and moved in the same transaction
as the effects. Kafka's offsets only say where to start reading; duplicates, holes and disorder heal from the feed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiokafka import ConsumerRecord
from aiokafka.structs import TopicPartition as KafkaPartition
from faststream import AckPolicy, BaseMiddleware
from faststream.kafka import KafkaBroker, KafkaMessage, TopicPartition
from prometheus_client import Counter, Gauge

from foundation.chassis.database import Database
from foundation.chassis.settings import ServiceSettings
from foundation.contracts.events import Event, NotOurs, from_record
from foundation.streams.feed import FeedClient
from foundation.streams.relay import ensure_topics

log = logging.getLogger(__name__)

MAX_RECORDS = 500
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
COMMIT_EVERY_S = 1.0

APPLIED = Counter("vonggac_consumer_applied_total", "Events applied", ["topic"])
SKIPPED = Counter("vonggac_consumer_skipped_total", "Events already known", ["topic"])
REFUSED = Counter("vonggac_consumer_refused_total", "Records that no producer of ours numbered", ["topic", "reason"])
HEALED = Counter("vonggac_consumer_healed_total", "Events read from the feed to close a gap", ["topic"])
REWOUND = Counter("vonggac_consumer_rewound_total", "Times the log was lost under us and read again", ["topic"])
RETRIES = Counter("vonggac_consumer_retries_total", "Batches tried again after a failure", ["topic", "error"])
HAVE = Gauge("vonggac_consumer_sequence", "The number up to which a stream is applied", ["topic", "area"])

SCHEMA = """
CREATE TABLE consumed (
    topic text NOT NULL, area text NOT NULL, epoch bigint NOT NULL DEFAULT 0, sequence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, area)
);
"""
LOCK = """
INSERT INTO consumed (topic, area) VALUES ($1, $2)
ON CONFLICT (topic, area) DO UPDATE SET topic = excluded.topic RETURNING epoch, sequence
"""
MOVE = "UPDATE consumed SET epoch = $3, sequence = $4 WHERE topic = $1 AND area = $2"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one stream, in order, without a gap. ``behind``: more of the stream is known to follow at once."""

    area: str
    events: list[Event]
    behind: bool


Apply = Callable[[asyncpg.Connection, Batch], Awaitable[None]]


@dataclass
class StreamConsumer:
    """Applies one topic. ``apply`` runs inside the transaction that moves the number; what it raises is retried."""

    topic: str
    apply: Apply
    database: Database
    feed: FeedClient
    settings: ServiceSettings
    trouble: str = ""
    """Why nothing is applied at the moment, in a word; empty while all is well."""
    heard_at: float = 0.0
    _committed_at: float = field(default=0.0, repr=False)

    async def take(self, records: Sequence[ConsumerRecord[Any, Any]], behind: bool = False) -> None:
        """Applies what came from Kafka; returns when every gap before it is healed too. Never raises."""
        streams: dict[str, list[Event]] = {}
        for record in records:
            try:
                event = from_record(self.topic, record.headers, record.value)
                if event.area not in self.settings.areas or self.settings.partition(event.area) != record.partition:
                    raise NotOurs("wrong area")
                if event.epoch < 1:
                    raise NotOurs("epochs count from 1")
            except NotOurs as reason:
                REFUSED.labels(self.topic, "malformed").inc()
                log.warning("record refused", extra={"topic": self.topic, "offset": record.offset, "why": str(reason)})
            else:
                streams.setdefault(event.area, []).append(event)
        for area, events in streams.items():
            await self._until_done(area, events, behind)

    async def _until_done(self, area: str, events: list[Event], behind: bool) -> None:
        for attempt in range(10**9):
            try:
                await self._in_order(area, events, behind)
            except Exception as error:
                self.trouble = type(error).__name__
                RETRIES.labels(self.topic, self.trouble).inc()
                log.warning(
                    "batch tried again", extra={"topic": self.topic, "area": area, "error": self.trouble}, exc_info=True
                )
                await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            else:
                self.trouble = ""
                return

    async def _in_order(self, area: str, events: list[Event], behind: bool) -> None:
        """Applies the run that follows what we have; closes the gap before what does not follow."""
        events = sorted(events, key=_place)
        have = await self._apply_run(area, events, _end(events), behind)
        while have < _end(events):
            epoch = events[-1].epoch
            page = await self.feed.page(self.topic, area, have[1] if have[0] == epoch else 0)
            HEALED.labels(self.topic).inc(len(page.events))
            reached = await self._apply_run(area, page.events, _end(events), behind, epoch)
            if reached == have and any(event.epoch == epoch for event in page.events):
                raise RuntimeError("the feed does not go on from what we have")
            if reached == have:  # the producer itself knows of no such number
                known = [event for event in events if _place(event) <= have or event.epoch < epoch]
                REFUSED.labels(self.topic, "number from the future").inc(len(events) - len(known))
                log.warning("numbers beyond their stream", extra={"topic": self.topic, "area": area})
                events = known
            if reached == have or reached < _end(events):
                reached = await self._apply_run(area, events, _end(events), behind)
            have = reached

    async def _apply_run(
        self, area: str, events: Sequence[Event], end: tuple[int, int], behind: bool, told_epoch: int = 0
    ) -> tuple[int, int]:
        """One transaction: lock the number, apply what follows it up to ``end``, move it. Returns what is reached.

        A new epoch (the first one, or the producer was set back and counts anew) is believed only when the feed has
        told it: a stranger's would stop the stream for good.
        """
        async with self.database.transaction() as connection:
            epoch, have = await connection.fetchrow(LOCK, self.topic, area)
            run: list[Event] = []
            for event in events:
                if epoch < event.epoch == told_epoch:
                    epoch, have = told_epoch, 0
                if _place(event) == (epoch, have + len(run) + 1) and not event.is_head:
                    run.append(event)
            reached = (epoch, have + len(run))
            behind = behind or reached < end
            if run or not behind:  # an empty batch tells that the end is reached: what was put off is done now
                await self.apply(connection, Batch(area, run, behind))
            if run:
                await connection.execute(MOVE, self.topic, area, *reached)
        SKIPPED.labels(self.topic).inc(sum(not event.is_head for event in events) - len(run))
        APPLIED.labels(self.topic).inc(len(run))
        HAVE.labels(self.topic, area).set(reached[1])
        return reached

    async def after_batch(self, consumer: Any, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Commits where to start reading next time; at most once a second, and no failure of it matters."""
        now = asyncio.get_running_loop().time()
        self.heard_at = now
        if now - self._committed_at < COMMIT_EVERY_S:
            return
        self._committed_at = now
        offsets = {KafkaPartition(r.topic, r.partition): r.offset + 1 for r in records}
        with contextlib.suppress(Exception):
            async with asyncio.timeout(5):
                await consumer.commit(offsets)

    async def rewind_if_lost(self, consumer: Any) -> None:
        """Reads the log from its beginning if its end lies before our position: the broker lost it under us."""
        # The positions first: what arrives between the two questions must not look like a loss.
        positions = {partition: await consumer.position(partition) for partition in consumer.assignment()}
        ends = await consumer.end_offsets(list(positions))
        for partition, position in positions.items():
            if ends[partition] < position:
                REWOUND.labels(self.topic).inc()
                log.warning("log lost, reading it again", extra={"topic": self.topic, "partition": partition.partition})
                consumer.seek(partition, 0)


def _place(event: Event) -> tuple[int, int]:
    return (event.epoch, event.sequence)


def _end(events: Sequence[Event]) -> tuple[int, int]:
    """The place up to which a stream is known to reach; ``events`` in order."""
    return _place(events[-1]) if events else (0, 0)


class _Rewind(BaseMiddleware[Any, Any]):
    """FastStream swallows what is raised around a handler, and a later commit would pass over the batch: go back."""

    async def after_processed(self, exc_type: Any = None, exc_val: Any = None, exc_tb: Any = None) -> bool | None:
        if isinstance(exc_val, Exception) and isinstance(self.msg, tuple):  # a cancellation is the stop itself
            consumer = self.context.get("consumer_of", {}).get(self.msg[0].topic)
            for record in reversed(self.msg):
                if consumer is not None:
                    consumer.seek(KafkaPartition(record.topic, record.partition), record.offset)
            log.error("batch read again", extra={"error": type(exc_val).__name__})
            await asyncio.sleep(1)
        return False


async def consume(database: Database, settings: ServiceSettings, service: str, streams: list[StreamConsumer]) -> None:
    """Consumes until cancelled; one process at a time. Raises when the broker cannot be reached: start again."""
    await database.hold("consumer", lambda: _consume(settings, service, streams))


async def _consume(settings: ServiceSettings, service: str, streams: list[StreamConsumer]) -> None:
    broker = KafkaBroker(
        settings.kafka_bootstrap_servers,
        apply_types=False,
        consumer_only=True,
        middlewares=[_Rewind],
        graceful_timeout=2,
        logger=None,
    )
    subscribed = {stream.topic: _subscribe(broker, settings, service, stream) for stream in streams}
    try:
        await ensure_topics(settings, list(subscribed))
        await broker.start()
        broker.context.set_global(
            "consumer_of", {settings.topic(topic): sub.consumer for topic, sub in subscribed.items()}
        )
        while True:
            await asyncio.sleep(settings.silence_s / 2)
            now = asyncio.get_running_loop().time()
            for stream in streams:
                consumer = subscribed[stream.topic].consumer
                if now - stream.heard_at >= settings.silence_s and not stream.trouble and consumer is not None:
                    async with asyncio.timeout(5):
                        await stream.rewind_if_lost(consumer)
    finally:
        await broker.stop()


def _subscribe(broker: KafkaBroker, settings: ServiceSettings, service: str, stream: StreamConsumer) -> Any:
    """A batch subscriber told its partitions; raw records in, so that nothing can fail before our own loop."""
    name = settings.topic(stream.topic)
    subscriber = broker.subscriber(
        partitions=[TopicPartition(name, settings.partition(area), declare=False) for area in settings.areas],
        group_id=f"{settings.topic_prefix}{service}",
        batch=True,
        max_records=MAX_RECORDS,
        batch_timeout_ms=10,
        fetch_max_wait_ms=20 if settings.embedded_broker else 500,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,
        parser=_bare,
        decoder=_raw,
    )

    async def on_batch(records: tuple[ConsumerRecord[Any, Any], ...]) -> None:
        consumer = subscriber.consumer
        last = records[-1]
        end = consumer.highwater(KafkaPartition(last.topic, last.partition)) if consumer is not None else None
        await stream.take(records, behind=end is not None and end > last.offset + 1)
        if consumer is not None:
            await stream.after_batch(consumer, records)

    subscriber(on_batch)
    return subscriber


async def _bare(records: tuple[ConsumerRecord[Any, Any], ...]) -> KafkaMessage:
    return KafkaMessage(raw_message=records, body=b"", consumer=None)  # type: ignore[arg-type]


async def _raw(message: KafkaMessage) -> Any:
    return message.raw_message
