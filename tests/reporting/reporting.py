"""Reporting's real consumers, handed records as a broker would, with feeds that have every event that was told."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

from foundation.chassis.database import Database
from foundation.contracts import alerts as alerts_contract
from foundation.contracts import incidents as incidents_contract
from foundation.contracts import sites as sites_contract
from foundation.contracts.events import MODELS, Event
from foundation.contracts.sites import SiteState
from foundation.streams.consumer import StreamConsumer
from foundation.streams.feed import PAGE, FeedPage
from services.reporting.consumers import alerts, incidents, sites
from services.reporting.domain.facts import MEASURES, Fact, contribution, fold, incident_of
from services.reporting.settings import Settings
from tests.reporting.histories import AREA, State, stream

HANDLERS = {
    incidents_contract.TOPIC: incidents.apply,
    alerts_contract.TOPIC: alerts.apply,
    sites_contract.TOPIC: sites.apply,
}
TABLES = {
    "fact": "incident_id, incident_version, complete, site_id, commune_code, kind, severity, status, drill, "
    "effective_at, raised_at, acknowledged_at, on_scene_at, hour, incidents, cancelled, drills, "
    + ", ".join(f"{measure}_bucket" for measure in MEASURES),
    "fact_alert": "incident_id, alert_id, version, raised_at, acknowledged_at, on_scene_at",
    "rollup": "area, hour, commune_code, kind, site_id, incidents, cancelled, drills",
    "rollup_duration": "area, hour, commune_code, kind, site_id, measure, bucket, count",
    "site": "id, name, commune_code, kind, version",
}
Tables = dict[str, set[tuple[Any, ...]]]


class Feeds:
    """What the producers would answer: everything they ever told."""

    def __init__(self) -> None:
        self.told: dict[str, list[Event]] = {topic: [] for topic in HANDLERS}

    def add(self, events: Sequence[Event]) -> None:
        """Events of one topic; a new epoch takes the place of the old one, a number that of the same number."""
        (topic,) = {event.topic for event in events}
        told = [*self.told[topic], *events]
        newest = max(event.epoch for event in told)
        numbered = {event.sequence: event for event in told if event.epoch == newest}
        self.told[topic] = [numbered[sequence] for sequence in sorted(numbered)]

    async def page(self, topic: str, area: str, after: int) -> FeedPage:
        events = [event for event in self.told[topic] if event.sequence > after and event.area == area][:PAGE]
        return FeedPage(events, events[-1].sequence if events else after)


class Reporting:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.feeds = Feeds()
        settings = Settings(database_url=database.url)
        self.consumers = {
            topic: StreamConsumer(topic, apply, database, self.feeds, settings)  # type: ignore[arg-type]
            for topic, apply in HANDLERS.items()
        }

    async def hear(self, events: Sequence[Event]) -> None:
        """One batch of one topic, as it comes from Kafka."""
        if not events:
            return
        self.feeds.add(events)
        records: Any = [
            SimpleNamespace(headers=event.headers(), value=event.payload, partition=0, offset=place)
            for place, event in enumerate(events)
        ]
        await self.consumers[events[0].topic].take(records)

    async def tell(self, states: Sequence[State]) -> None:
        """The next events of one topic, as one batch."""
        (topic,) = {event.topic for event in stream(states)}
        await self.hear(stream(states, first=len(self.feeds.told[topic]) + 1))

    async def hear_badly(self, random: Random, streams: Sequence[Sequence[Event]]) -> None:
        """All streams at once, each in batches of random size with records doubled, missing and swapped."""

        async def one(events: Sequence[Event]) -> None:
            self.feeds.add(events)
            waiting = list(events)
            while waiting:
                size = random.randint(1, 12)
                batch, waiting = waiting[:size], waiting[size:]
                batch = [event for event in batch if random.random() < 0.9] + random.choices(events, k=2)
                random.shuffle(batch)
                await self.hear(batch)
            await self.hear(events[-1:])

        await asyncio.gather(*(one(events) for events in streams if events))

    async def tables(self) -> Tables:
        async with self.database.transaction() as connection:
            return {
                table: {tuple(row) for row in await connection.fetch(f"SELECT {columns} FROM {table}")}
                for table, columns in TABLES.items()
            }

    async def log(self) -> list[Any]:
        """The event log, each stream in the order in which it was heard."""
        async with self.database.transaction() as connection:
            return list(await connection.fetch("SELECT * FROM event_log ORDER BY topic, area, epoch, sequence"))


def recounted(log: Sequence[Any]) -> Tables:
    """The tables as they follow from the log alone, counted anew and simply."""
    facts: dict[str, Fact] = {}
    named: dict[str, SiteState] = {}
    for row in log:
        state: Any = MODELS[row["type"]].model_validate_json(row["data"])
        if isinstance(state, SiteState):
            if state.id not in named or named[state.id].version < state.version:
                named[state.id] = state
        else:
            incident_id = incident_of(state)
            facts[incident_id] = fold(facts.get(incident_id, Fact(AREA, incident_id)), state)
    return {
        "fact": {_fact_row(fact) for fact in facts.values()},
        "fact_alert": {
            (fact.incident_id, alert_id, part.version, part.raised_at, part.acknowledged_at, part.on_scene_at)
            for fact in facts.values()
            for alert_id, part in fact.alerts.items()
        },
        **_rollups(list(facts.values())),
        "site": {(site.id, site.name, site.commune_code, site.kind, site.version) for site in named.values()},
    }


def _fact_row(fact: Fact) -> tuple[Any, ...]:
    part, given = fact.incident, contribution(fact)
    first = (fact.raised_at, fact.acknowledged_at, fact.on_scene_at)
    if part is None or given is None:
        return (fact.incident_id, 0, False, *(None,) * 7, *first, None, 0, 0, 0, None, None, None)
    told = (part.site_id, part.commune_code, part.kind, part.severity, part.status, part.drill, part.effective_at)
    return (fact.incident_id, part.version, True, *told, *first, given.cell.hour, *given.counts, *given.buckets)


def _rollups(facts: Sequence[Fact]) -> Tables:
    counts: Counter[tuple[Any, ...]] = Counter()
    durations: Counter[tuple[Any, ...]] = Counter()
    for given in filter(None, map(contribution, facts)):
        for place, number in enumerate(given.counts):
            counts[*given.cell, place] += number
        durations.update((*given.cell, m, b) for m, b in zip(MEASURES, given.buckets, strict=True) if b is not None)
    cells = {key[:-1] for key in counts}
    return {
        "rollup": {(*cell, *(counts[*cell, place] for place in range(3))) for cell in cells},
        "rollup_duration": {(*key, number) for key, number in durations.items()},
    }
