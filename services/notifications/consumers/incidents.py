"""What notifications does with what incidents says: topic ``vonggac.incidents``.

A batch is folded to the newest state of each incident before anything rings. While a backlog is read, routing is put
off (``route_by`` in the database is the deadline), so that what is over by the end of it never rings. A backlog shows
by its age, not only by how much is waiting: after an outage of Kafka the relay sends it in small pieces.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from prometheus_client import Counter

from foundation.chassis.clock import Clock, pause
from foundation.chassis.database import Database
from foundation.chassis.web import parse_instant
from foundation.contracts.alerts import AlertState
from foundation.contracts.events import Event
from foundation.contracts.incidents import ENDED, TYPE, IncidentState
from foundation.streams.consumer import Batch
from services.notifications.domain.reaction import Held, react
from services.notifications.domain.ringing import Ages, Ringing, ringing
from services.notifications.settings import Settings
from services.notifications.store import alerts as alert_store
from services.notifications.store import incidents as store
from services.notifications.store import units as unit_store
from services.notifications.store.incidents import Copy

log = logging.getLogger(__name__)

PAGE = 500
"""Most put-off incidents routed in one transaction."""
LOOK_EVERY_S = 0.25
NOTE_EVERY = timedelta(seconds=1)

RAISED = Counter("vonggac_alerts_raised_total", "Alerts raised by routing", ["severity"])
LATE = Counter("vonggac_alerts_late_total", "Alerts raised later than 15 minutes after the fact")
RUNG_AGAIN = Counter("vonggac_alerts_rung_again_total", "Alerts that rang again")
HELD = Counter("vonggac_incidents_held_total", "Incidents recorded without a ring although not over", ["why"])


class UnknownType(ValueError):
    """An event of a type that this release cannot read: it waits until we are brought up to date."""


@dataclass
class IncidentConsumer:
    """Applies the incidents of all areas of this process, and routes what was put off."""

    clock: Clock
    settings: Settings

    def __post_init__(self) -> None:
        self._ages = Ages(self.settings.late_after, self.settings.never_rings_after)
        self._quiet = timedelta(seconds=self.settings.backlog_quiet_s)
        self._noted: dict[str, datetime] = {}

    async def apply(self, connection: asyncpg.Connection, batch: Batch) -> None:
        """Folds a batch; rings unless it is part of a backlog. An empty one says that the end is reached."""
        now = self.clock.now()
        newest = _newest(batch.events)
        backlog = self._is_backlog(batch, now)
        copies = await store.lock(connection, batch.area, list(newest), 0 if backlog else PAGE)
        changed = _fold(newest, copies)
        await self._note(connection, batch.area, now, backlog=backlog)
        await self._settle(connection, batch.area, changed | _waiting(copies), now, backlog=backlog)

    async def route_put_off(self, database: Database) -> None:
        """Routes, until cancelled, what was put off and is due: also when nothing more comes from Kafka."""
        while True:
            for area in self.settings.areas:
                while await self._route_due(database, area) == PAGE:
                    pass
            await pause(LOOK_EVERY_S)

    async def _route_due(self, database: Database, area: str) -> int:
        """Routes at most a page; returns how many."""
        async with database.pool.acquire(timeout=5) as connection:
            if not await store.any_due(connection, area, self.clock.now(), self._quiet):
                return 0
        async with database.transaction() as connection:
            await store.lock_stream(connection, area)
            now = self.clock.now()
            until = None if await store.is_quiet(connection, area, now, self._quiet) else now
            copies = await store.lock(connection, area, [], PAGE, until)
            await self._settle(connection, area, copies, now, backlog=False)
        return len(copies)

    def _is_backlog(self, batch: Batch, now: datetime) -> bool:
        if not batch.events:
            return False
        if batch.behind and len(batch.events) >= self.settings.backlog_batch:
            return True
        age = now - parse_instant(batch.events[-1].time)
        return age > timedelta(seconds=self.settings.backlog_after_s)

    async def _note(self, connection: asyncpg.Connection, area: str, now: datetime, *, backlog: bool) -> None:
        """At most once a second, except for a backlog."""
        if backlog or abs(now - self._noted.get(area, now - NOTE_EVERY)) >= NOTE_EVERY:
            await store.heard(connection, area, now, backlog=backlog)
            self._noted[area] = now

    async def _settle(
        self, connection: asyncpg.Connection, area: str, copies: dict[str, Copy], now: datetime, *, backlog: bool
    ) -> None:
        """Brings alerts in line with these copies, or puts that off; writes copies, alerts and ledger in this order."""
        incidents = [(IncidentState.model_validate_json(copy.payload), copy) for _, copy in sorted(copies.items())]
        if not incidents:
            return
        units = await unit_store.answering(connection, area, {i.site.commune_code for i, _ in incidents})
        known = await alert_store.of_incidents(connection, [i.id for i, copy in incidents if copy.stored])
        written: list[AlertState] = []
        for incident, copy in incidents:
            if backlog and incident.status not in ENDED:
                copy.route_by = copy.route_by or now + self._patience(incident, now)
                continue
            reaction = react(incident, copy.last, known.get(incident.id, []), units, now, self._ages)
            if reaction.held and reaction.held != copy.held:
                _say_held(incident, reaction.held)
            copy.last, copy.held, copy.route_by = reaction.last, reaction.held, None
            written += reaction.alerts
        await store.put(connection, area, incidents)
        await alert_store.write(connection, written, now, {i.id: copy.traceparent for i, copy in incidents})
        _count(written)

    def _patience(self, incident: IncidentState, now: datetime) -> timedelta:
        late = ringing(incident, now, self._ages) is not Ringing.RING
        return timedelta(seconds=self.settings.defer_late_at_most_s if late else self.settings.defer_at_most_s)


def _newest(events: list[Event]) -> dict[str, Event]:
    """The newest version of each incident in a batch. Raises ``UnknownType``."""
    newest: dict[str, Event] = {}
    for event in events:
        if event.type != TYPE:
            raise UnknownType(event.type)
        if event.key not in newest or event.version > newest[event.key].version:
            newest[event.key] = event
    return newest


def _fold(newest: dict[str, Event], copies: dict[str, Copy]) -> dict[str, Copy]:
    """The copies that these events changed; a version that is not newer than ours changes nothing."""
    changed: dict[str, Copy] = {}
    for key, event in newest.items():
        copy = copies.setdefault(key, Copy(0, ""))
        if event.version > copy.version:
            copy.version, copy.payload, copy.traceparent = event.version, event.payload.decode(), event.traceparent
            changed[key] = copy
    return changed


def _waiting(copies: dict[str, Copy]) -> dict[str, Copy]:
    return {key: copy for key, copy in copies.items() if copy.route_by is not None}


def _say_held(incident: IncidentState, why: Held) -> None:
    HELD.labels(why).inc()
    log.warning("incident rings nobody", extra={"incident": incident.id, "why": why})


def _count(written: list[AlertState]) -> None:
    for alert in written:
        if alert.cause == "raised":
            RAISED.labels(alert.severity).inc()
            LATE.inc(alert.late)
        elif alert.cause == "rung_again":
            RUNG_AGAIN.inc()
