"""What is kept of one incident and its alerts, and what it adds to the figures. Values in, values out.

Events are whole states with versions, so a fact is the newest state of each of its parts: any order, any interleaving
of the two topics and any repetition ends in the same fact.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from foundation.contracts.alerts import AlertState
from foundation.contracts.incidents import IncidentState
from services.reporting.domain.buckets import hour_of
from services.reporting.domain.histogram import bucket_of

MEASURES = ("signal_to_alert", "alert_to_acknowledged", "acknowledged_to_on_scene")
"""The durations that are measured, in the order in which they follow one another."""
MILLISECOND = timedelta(milliseconds=1)

State = IncidentState | AlertState


@dataclass(frozen=True, slots=True)
class IncidentPart:
    """The newest that was heard of the incident itself."""

    version: int
    site_id: str
    commune_code: str
    kind: str
    severity: int
    status: str
    drill: bool
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class AlertPart:
    """The newest that was heard of one alert: when what was done about it."""

    version: int
    raised_at: datetime
    acknowledged_at: datetime | None
    on_scene_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fact:
    """One incident and its alerts. Without its incident it is incomplete: counted apart and never shown."""

    area: str
    incident_id: str
    incident: IncidentPart | None = None
    alerts: Mapping[str, AlertPart] = field(default_factory=dict)

    @property
    def raised_at(self) -> datetime | None:
        """When the first unit was alerted."""
        return min((alert.raised_at for alert in self.alerts.values()), default=None)

    @property
    def acknowledged_at(self) -> datetime | None:
        """When the first unit acknowledged."""
        return min((a.acknowledged_at for a in self.alerts.values() if a.acknowledged_at is not None), default=None)

    @property
    def on_scene_at(self) -> datetime | None:
        """When the first unit was on scene."""
        return min((a.on_scene_at for a in self.alerts.values() if a.on_scene_at is not None), default=None)


class Cell(NamedTuple):
    """Where something is counted: ``hour`` is the start of a local hour."""

    area: str
    hour: datetime
    commune_code: str
    kind: str
    site_id: str


class Counts(NamedTuple):
    """``incidents`` has the cancelled ones in it and no drills."""

    incidents: int
    cancelled: int
    drills: int


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one fact adds to the figures: its counts, and the bucket of each of ``MEASURES`` (None: not known)."""

    cell: Cell
    counts: Counts
    buckets: tuple[int | None, int | None, int | None] = (None, None, None)


def incident_of(state: State) -> str:
    """The id of the incident that ``state`` is about."""
    return state.id if isinstance(state, IncidentState) else state.incident_id


def fold(fact: Fact, state: State) -> Fact:
    """The fact after ``state`` was heard; the very same object when ``state`` says nothing new."""
    if isinstance(state, IncidentState):
        if fact.incident is not None and fact.incident.version >= state.version:
            return fact
        return replace(fact, incident=_incident_part(state))
    known = fact.alerts.get(state.id)
    if known is not None and known.version >= state.version:
        return fact
    part = AlertPart(state.version, state.raised_at, state.acknowledged_at, state.on_scene_at)
    return replace(fact, alerts={**fact.alerts, state.id: part})


def _incident_part(state: IncidentState) -> IncidentPart:
    return IncidentPart(
        version=state.version,
        site_id=state.site.id,
        commune_code=state.site.commune_code,
        kind=state.kind,
        severity=state.severity,
        status=state.status,
        drill=state.drill,
        effective_at=state.effective_at,
    )


def contribution(fact: Fact) -> Contribution | None:
    """What the fact adds to the figures; None while it is incomplete. A drill is only counted as a drill."""
    incident = fact.incident
    if incident is None:
        return None
    cell = Cell(fact.area, hour_of(incident.effective_at), incident.commune_code, incident.kind, incident.site_id)
    if incident.drill:
        return Contribution(cell, Counts(incidents=0, cancelled=0, drills=1))
    instants = (incident.effective_at, fact.raised_at, fact.acknowledged_at, fact.on_scene_at)
    first, second, third = (_bucket(*pair) for pair in pairwise(instants))
    counts = Counts(incidents=1, cancelled=int(incident.status == "cancelled"), drills=0)
    return Contribution(cell, counts, (first, second, third))


def _bucket(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else bucket_of((end - start) // MILLISECOND)


@dataclass(frozen=True, slots=True)
class Movement:
    """What is to be added to the rollups; nothing in it is zero, and what is subtracted is negative."""

    counts: dict[Cell, Counts]
    durations: dict[tuple[Cell, str, int], int]
    """By cell, measure and bucket."""


def movement(changes: Iterable[tuple[Contribution | None, Contribution | None]]) -> Movement:
    """What takes each contribution's place: the old one subtracted, the new one added, all in one sum."""
    counts: dict[Cell, Counts] = {}
    durations: Counter[tuple[Cell, str, int]] = Counter()
    for pair in changes:
        for given, sign in zip(pair, (-1, 1), strict=True):
            if given is None:
                continue
            before = counts.get(given.cell, (0, 0, 0))
            counts[given.cell] = Counts(*(b + sign * n for b, n in zip(before, given.counts, strict=True)))
            for measure, bucket in zip(MEASURES, given.buckets, strict=True):
                if bucket is not None:
                    durations[given.cell, measure, bucket] += sign
    return Movement(
        {cell: numbers for cell, numbers in counts.items() if any(numbers)},
        {key: number for key, number in durations.items() if number},
    )
