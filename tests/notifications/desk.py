"""Notifications without Kafka: tell it what incidents says, and look at what it did."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson

from foundation.chassis.database import Database
from foundation.contracts import alerts, incidents
from foundation.contracts.alerts import AlertState
from foundation.contracts.events import HEAD_TYPE, Event
from foundation.contracts.fields import SiteRef, rfc3339
from foundation.contracts.incidents import ENDED, IncidentState
from foundation.contracts.kinds import KINDS
from foundation.streams.consumer import StreamConsumer
from foundation.streams.feed import FeedPage
from foundation.streams.ledger import open_streams
from services.notifications.consumers.incidents import IncidentConsumer
from services.notifications.domain.units import Unit
from services.notifications.settings import Settings
from services.notifications.store.units import put_units
from tests.world.clock import MovableClock

AREA = "44"
DONG_HA, KHE_SANH, UNCOVERED = "19333", "19429", "99999"
WITHIN_S = 20
NOON = datetime(2026, 11, 24, 5, tzinfo=UTC)


def units_of_the_province() -> list[Unit]:
    """Two communes with their police, fire police, and the province desk."""
    both = (DONG_HA, KHE_SANH)
    return [
        Unit(f"CAX-{DONG_HA}", "Công an phường Đông Hà", "commune_police", (DONG_HA,)),
        Unit(f"CAX-{KHE_SANH}", "Công an xã Khe Sanh", "commune_police", (KHE_SANH,)),
        Unit("PC07", "Phòng Cảnh sát PCCC và CNCH (PC07)", "fire_police", both),
        Unit("TRUC-BAN", "Trực ban Công an tỉnh Quảng Trị", "province_desk", both),
    ]


def incident(kind: str = "break_in", *, commune: str = DONG_HA, at: datetime = NOON, **more: Any) -> IncidentState:
    """The first version of an incident that began at ``at``."""
    site = SiteRef(id=str(uuid4()), name="Trường THPT Đông Hà", kind="school", commune_code=commune)
    fields: dict[str, Any] = {
        "id": str(uuid4()), "version": 1, "area": AREA, "cause": "raised", "site": site, "kind": kind,
        "severity": KINDS[kind].severity if kind in KINDS else 2, "status": "open", "effective_at": at,
        "received_at": at, "last_signal_at": at, "changed_at": at,
    }  # fmt: skip
    return IncidentState(**fields | more)


def after(state: IncidentState, **changes: Any) -> IncidentState:
    """The next version."""
    status = changes.get("status", state.status)
    cause = status if status in ENDED | {"confirmed"} else "signal"
    return state.model_copy(update={"version": state.version + 1, "cause": cause, **changes})


@dataclass(frozen=True)
class Record:
    """A record as aiokafka gives it."""

    headers: list[tuple[str, bytes]]
    value: bytes
    partition: int = 0
    offset: int = 0
    topic: str = incidents.TOPIC


class NoFeed:
    async def page(self, topic: str, area: str, after: int) -> FeedPage:
        raise AssertionError("these tests leave no gap")


class StandingClock(MovableClock):
    """Stands at noon but for what it is moved: a slow machine must not make fresh news look old."""

    def timestamp(self) -> float:
        return NOON.timestamp() + self.offset_s


class Desk:
    """``hear`` is one batch from Kafka. The clock runs from noon and is moved by hand."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.clock = StandingClock()
        self.settings = Settings(database_url=url, **settings)
        self.database = Database(url)
        self.consumer = IncidentConsumer(self.clock, self.settings)
        self.stream = StreamConsumer(
            incidents.TOPIC,
            self.consumer.apply,
            self.database,
            NoFeed(),
            self.settings,  # type: ignore[arg-type]
        )
        self._last = 0

    async def open(self, units: Sequence[Unit]) -> None:
        await self.database.open()
        async with self.database.transaction() as connection:
            await open_streams(connection, [alerts.TOPIC], [AREA])
            await connection.execute(
                "INSERT INTO consumed (topic, area, epoch) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING",
                incidents.TOPIC,
                AREA,
            )
            await put_units(connection, AREA, units)

    async def close(self) -> None:
        await self.database.close()

    def events(self, *states: IncidentState, said_at: datetime | None = None) -> list[Event]:
        """These states as numbered events that incidents said at ``said_at`` (default: now)."""
        time = rfc3339(said_at or self.clock.now())
        first, self._last = self._last + 1, self._last + len(states)
        return [
            Event(incidents.TOPIC, AREA, 1, number, state.id, incidents.TYPE, state.version, time,
                  state.model_dump_json().encode())
            for number, state in enumerate(states, first)
        ]  # fmt: skip

    def _head(self) -> Event:
        return Event(incidents.TOPIC, AREA, 1, self._last, "", HEAD_TYPE, 0, rfc3339(self.clock.now()), b"{}")

    async def hear(self, *states: IncidentState, behind: bool = False, said_at: datetime | None = None) -> None:
        """Applies one batch; without states it is the head alone, as incidents says it every five seconds."""
        await self.take(self.events(*states, said_at=said_at) or [self._head()], behind)

    async def take(self, events: Sequence[Event], behind: bool = False) -> None:
        records = [Record(event.headers(), event.payload) for event in events]
        async with asyncio.timeout(WITHIN_S):  # it would try again for ever
            await self.stream.take(records, behind)  # type: ignore[arg-type]

    async def look(self) -> None:
        """One look of the loop that routes what was put off."""
        await self.consumer._route_due(self.database, AREA)

    async def pass_time(self, **delta: float) -> None:
        self.clock.advance(**{"seconds": timedelta(**delta).total_seconds()})
        await self.look()

    async def alerts(self, of: IncidentState | None = None) -> list[AlertState]:
        """All alerts, or those of one incident, by unit."""
        states = await self.database.pool.fetch("SELECT state FROM alert ORDER BY incident_id, unit_code")
        found = [AlertState.model_validate_json(row["state"]) for row in states]
        return [alert for alert in found if of is None or alert.incident_id == of.id]

    async def said(self) -> list[AlertState]:
        """All events on the ledger, in order."""
        rows = await self.database.pool.fetch("SELECT payload FROM ledger ORDER BY sequence")
        return [AlertState.model_validate(orjson.loads(row["payload"])) for row in rows]

    async def held(self, of: IncidentState) -> str | None:
        held: str | None = await self.database.pool.fetchval("SELECT held FROM incident WHERE id = $1", of.id)
        return held
