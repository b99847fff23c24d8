"""Intake: the signals that wait together share one transaction, and each is answered after the commit.

A 201 means stored. A batch that fails for the data's sake is halved until the culprit is alone, so that one bad
signal never hurts its neighbours; one that fails for the world's sake is answered 503, and the post sends again.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
from prometheus_client import Counter, Histogram

from foundation.chassis.clock import Clock
from foundation.chassis.database import Database, is_world_failure
from foundation.chassis.identity import DeviceKey
from foundation.chassis.problems import Problem
from foundation.contracts.kinds import KINDS
from foundation.streams import ledger
from services.incidents.domain.correlation import Arrival, Decision, SignalEvent, changes, correlate, remember
from services.incidents.domain.timing import Timing, effective_time
from services.incidents.settings import Settings
from services.incidents.store import incidents as incident_store
from services.incidents.store import signals as signal_store
from services.incidents.store.signals import Sender, SignalRow, StoredAnswer

log = logging.getLogger(__name__)

SIGNALS = Counter("vonggac_signals_total", "Signals stored, by what they did", ["kind", "decided"])
REPEATED = Counter("vonggac_signals_repeated_total", "Signals that were stored already")
REFUSED = Counter("vonggac_signals_refused_total", "Signals refused at the door", ["reason"])
BATCH = Histogram("vonggac_intake_batch_signals", "Signals of one transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 500))
SAME_ID_RETRIES = 5
"""Another process may have stored the same id between our look and our insert: look again."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as sent, parsed and normalised. ``body_hash`` is over all but ``sent_at``."""

    id: UUID
    kind: str
    event: SignalEvent
    drill: bool
    zone: str
    note: str | None
    lat: float | None
    lon: float | None
    occurred_at: datetime
    sent_at: datetime | None
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a signal is answered. ``first``: 201 the first time, 200 from then on, with the same body."""

    stored: StoredAnswer
    first: bool


@dataclass(slots=True)
class Waiting:
    """A signal in the queue, and where its answer is awaited."""

    key: DeviceKey
    signal: Signal
    received_at: datetime
    timing: Timing
    traceparent: str
    answer: asyncio.Future[Answer] = field(repr=False)


class Intake:
    """The queue of one process; each ``run`` has one transaction at a time."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(settings.waiting_signals)

    async def submit(self, key: DeviceKey, signal: Signal, traceparent: str) -> Answer:
        """Waits until the signal is stored. Raises ``Problem`` (401, 409, 503), or what the database raised.

        A requester who hangs up does not cancel the batch: the signal is stored all the same.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        now = self._clock.now()
        timing = effective_time(signal.occurred_at, signal.sent_at, now)
        try:
            self._queue.put_nowait(Waiting(key, signal, now, timing, traceparent, answer))
        except asyncio.QueueFull as error:
            REFUSED.labels("busy").inc()
            raise Problem("busy") from error
        return await answer

    async def authenticate(self, key: DeviceKey) -> Sender:
        """The sender with this key. Raises 401."""
        async with self._database.pool.acquire(timeout=5) as connection:
            known = await signal_store.senders(connection, [key.device_id])
        if reason := _refusal(key, known):
            _count_refusal(key, reason)
            raise Problem("unauthorized")
        return known[key.device_id]

    async def run(self) -> None:
        """Takes all that wait, at most ``batch_signals``, again and again."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._settings.batch_signals and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            BATCH.observe(len(batch))
            await self._answer(batch)

    async def _answer(self, batch: list[Waiting]) -> None:
        try:
            answers = await self._stored(batch)
        except Exception as error:
            if len(batch) > 1 and not is_world_failure(error):
                middle = len(batch) // 2
                await self._answer(batch[:middle])
                await self._answer(batch[middle:])
                return
            answers = [error] * len(batch)
        except BaseException:
            for waiting in batch:
                waiting.answer.cancel()
            raise
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)

    async def _stored(self, batch: Sequence[Waiting]) -> list[Answer | Exception]:
        for attempt in range(SAME_ID_RETRIES):
            try:
                async with self._database.transaction() as connection:
                    work = _Work(connection, batch)
                    await work.store(self._clock.now())
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                if attempt + 1 == SAME_ID_RETRIES:
                    raise
            else:
                work.count()
                return [work.answer(waiting) for waiting in batch]
        raise AssertionError("unreachable")


class _Work:
    """One transaction over one batch."""

    def __init__(self, connection: asyncpg.Connection, batch: Sequence[Waiting]) -> None:
        self._connection = connection
        self._batch = batch
        self._senders: dict[UUID, Sender] = {}
        self._answers: dict[UUID, StoredAnswer] = {}
        self._rows: list[SignalRow] = []
        self._first: set[int] = set()
        self._refused: dict[int, str] = {}

    async def store(self, now: datetime) -> None:
        """Locks, decides, writes; the ledger last."""
        self._senders = await signal_store.senders(self._connection, [w.key.device_id for w in self._batch])
        fresh: dict[UUID, tuple[Waiting, Arrival]] = {}
        for waiting in self._batch:
            if reason := _refusal(waiting.key, self._senders):
                self._refused[id(waiting)] = reason
            elif waiting.signal.id not in fresh:
                fresh[waiting.signal.id] = (waiting, self._arrival(waiting))
        if not fresh:
            return
        await incident_store.lock_slots(
            self._connection, [incident_store.slot_key(arrival) for _, arrival in fresh.values()]
        )
        self._answers = await signal_store.stored_answers(self._connection, list(fresh))
        new = [pair for signal_id, pair in fresh.items() if signal_id not in self._answers]
        if new:
            await self._correlate(sorted(new, key=lambda pair: pair[1].effective_at), now)  # stable: else as they came

    async def _correlate(self, new: Sequence[tuple[Waiting, Arrival]], now: datetime) -> None:
        slots = await incident_store.slots_near(self._connection, [arrival for _, arrival in new])
        traces: dict[UUID, str] = {}
        decisions: list[tuple[Arrival, Decision]] = []
        for waiting, arrival in new:
            slot = slots[incident_store.slot_key(arrival)]
            decision = correlate(arrival, slot, uuid4())
            remember(slot, arrival, decision)
            decisions.append((arrival, decision))
            self._keep(waiting, arrival, decision)
            if decision.incident is not None:
                traces[decision.incident.id] = waiting.traceparent
        await signal_store.insert(self._connection, self._rows)
        for arrival, decision in decisions:
            if decision.held is not None:
                await incident_store.hold(self._connection, decision.held)
            elif decision.releases:
                await incident_store.release(self._connection, arrival)
        changed = [incident for slot in slots.values() for incident in changes(slot)]
        await incident_store.put(self._connection, changed)
        await ledger.append(self._connection, [incident_store.changed(i, traces[i.id]) for i in changed], now)

    def _keep(self, waiting: Waiting, arrival: Arrival, decision: Decision) -> None:
        signal, timing = waiting.signal, waiting.timing
        incident_id = decision.incident.id if decision.incident else None
        self._rows.append(
            SignalRow(
                id=signal.id, area=arrival.place.area, device_id=arrival.device_id, post_id=arrival.post_id,
                site_id=arrival.place.site_id, kind=signal.kind, event=signal.event, drill=arrival.drill,
                zone=signal.zone, note=signal.note, lat=signal.lat, lon=signal.lon, occurred_at=signal.occurred_at,
                sent_at=signal.sent_at, received_at=waiting.received_at, effective_at=timing.effective_at,
                skew_ms=timing.skew_ms, body_hash=signal.body_hash, decided=decision.decided,
                incident_id=incident_id, answer_status=decision.answer_status,
            )
        )  # fmt: skip
        self._first.add(id(waiting))
        self._answers[signal.id] = StoredAnswer(
            signal.id, arrival.device_id, signal.body_hash, incident_id, decision.answer_status, waiting.received_at
        )

    def answer(self, waiting: Waiting) -> Answer | Exception:
        """The answer to one of the batch, from what is stored."""
        if id(waiting) in self._refused:
            return Problem("unauthorized")
        stored = self._answers[waiting.signal.id]
        if stored.device_id != waiting.key.device_id or stored.body_hash != waiting.signal.body_hash:
            return Problem("signal-id-used")  # says nothing about the stored one
        return Answer(stored, id(waiting) in self._first)

    def count(self) -> None:
        """Counts what was done, after the commit."""
        for row in self._rows:
            SIGNALS.labels(row.kind, row.decided).inc()
        REPEATED.inc(len(self._batch) - len(self._rows) - len(self._refused))
        for waiting in self._batch:
            if reason := self._refused.get(id(waiting)):
                _count_refusal(waiting.key, reason)

    def _arrival(self, waiting: Waiting) -> Arrival:
        sender, signal = self._senders[waiting.key.device_id], waiting.signal
        kind = KINDS[signal.kind]
        return Arrival(
            signal_id=signal.id, device_id=sender.device_id, post_id=sender.post_id, place=sender.place, kind=kind,
            event=signal.event, drill=signal.drill or kind.drill, by_person=sender.type == "phone",
            zone=signal.zone, note=signal.note, received_at=waiting.received_at,
            effective_at=waiting.timing.effective_at,
        )  # fmt: skip


def _refusal(key: DeviceKey, known: dict[UUID, Sender]) -> str:
    """Why a key is refused; empty if it is not."""
    sender = known.get(key.device_id)
    if sender is not None and sender.revoked:
        return "revoked"
    return "" if sender is not None and any(key.matches(stored) for stored in sender.hashes) else "unknown key"


def _count_refusal(key: DeviceKey, reason: str) -> None:
    REFUSED.labels(reason).inc()
    if reason == "revoked":
        log.warning("signal of a revoked device", extra={"device_id": str(key.device_id)})
