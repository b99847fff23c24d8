"""One incident: its state and the ways in which it may change. Values in, values out."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from foundation.contracts.incidents import ENDED, IncidentCause, IncidentStatus

MAX_DETECTORS = 256
"""Detectors an incident remembers; further ones join without being told apart."""
MAX_NOTES = 3
VERIFIED_BY_TWO = 2
"""ANSI/TMA-AVS-01 level 2: a person is probably there (two detectors, or someone saw it)."""
THREAT_TO_LIFE = 4

Detector = tuple[UUID, str]
"""A device and a zone of it."""


class WrongState(Exception):
    """The incident is not in a state from which this may be done."""


@dataclass(frozen=True, slots=True)
class Place:
    """The site as it is written into incidents and events."""

    site_id: UUID
    area: str
    name: str
    kind: str
    commune_code: str
    address: str | None = None
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident at one version. ``restored`` tells for each detector whether its alarm is over."""

    id: UUID
    version: int
    cause: IncidentCause
    place: Place
    post_id: UUID | None
    kind: str
    severity: int
    status: IncidentStatus
    drill: bool
    silent: bool
    validation_level: int
    rings: int
    signals: int
    restored: dict[Detector, bool]
    effective_at: datetime
    received_at: datetime
    last_signal_at: datetime
    changed_at: datetime
    follows: UUID | None = None
    ended_at: datetime | None = None
    result: str | None = None
    ended_by: str | None = None
    end_reason: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self.status in ENDED


def confirm(incident: Incident, at: datetime) -> Incident:
    """An operator knows that it is real. Raises ``WrongState`` unless it is open."""
    if incident.status != "open":
        raise WrongState(incident.status)
    level = max(incident.validation_level, VERIFIED_BY_TWO)
    return _next(incident, at, cause="confirmed", status="confirmed", validation_level=level)


def ending(
    at: datetime, status: IncidentStatus, result: str, by: str | None = None, reason: str | None = None
) -> dict[str, object]:
    """What changes when it is over: ``resolved`` or ``cancelled``."""
    return {
        "cause": status,
        "status": status,
        "result": result,
        "ended_at": at,
        "ended_by": by,
        "end_reason": reason,
    }


def end(
    incident: Incident, at: datetime, status: IncidentStatus, result: str, by: str | None, reason: str | None
) -> Incident:
    """An operator says that it is over. Raises ``WrongState`` when it has ended already."""
    if incident.ended:
        raise WrongState(incident.status)
    return _next(incident, at, **ending(at, status, result, by, reason))


def with_signal(incident: Incident, at: datetime, **changes: object) -> Incident:
    """One more signal belongs to it."""
    return _next(incident, at, signals=incident.signals + 1, **{"cause": "signal", **changes})


def _next(incident: Incident, at: datetime, **changes: object) -> Incident:
    return replace(incident, version=incident.version + 1, changed_at=at, **changes)  # type: ignore[arg-type]
