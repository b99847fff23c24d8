"""How signals become incidents (DOMAIN, the section of that name). Pure: one signal, and what is known of its slot.

A slot is a site, a kind and whether it is a drill. Correlation goes by effective time, so a late arrival meets the
incident of its own time. BS 8243 / EN 50131-9: two different detectors within the window confirm an alarm.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from foundation.contracts.incidents import IncidentCause
from foundation.contracts.kinds import Kind
from services.incidents.domain.incident import (
    MAX_DETECTORS,
    MAX_NOTES,
    THREAT_TO_LIFE,
    VERIFIED_BY_TWO,
    Detector,
    Incident,
    Place,
    ending,
    with_signal,
)

SignalEvent = Literal["alarm", "restoral", "cancel"]
Decided = Literal["raised", "joined", "confirmed", "restored", "closed", "cancelled", "recorded", "held", "released"]
LEAST_SEVERITY_CLOSED_BY_RESTORAL = 3
OVERTAKEN = timedelta(seconds=10)
"""Messages of one device travel for different times, so their effective times may be in the wrong order by so much."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A signal as correlation sees it. ``by_person``: someone pressed a button, so a human verified it."""

    signal_id: UUID
    device_id: UUID
    post_id: UUID
    place: Place
    kind: Kind
    event: SignalEvent
    drill: bool
    by_person: bool
    zone: str
    note: str | None
    effective_at: datetime
    received_at: datetime

    @property
    def detector(self) -> Detector:
        return (self.device_id, self.zone)


@dataclass(frozen=True, slots=True)
class Held:
    """An alarm that becomes an incident only if it is not restored by ``due_at`` (a power loss)."""

    arrival: Arrival
    due_at: datetime

    def ended_by(self, restoral: Arrival) -> bool:
        """Whether the restoral came in time: not before the alarm, not after it was due."""
        return restoral.effective_at <= self.due_at and not _before(restoral, self.arrival.effective_at)


@dataclass(slots=True)
class Slot:
    """What is known of one slot: its incidents near the signals' times, newest last, and its held alarms."""

    incidents: list[Incident] = field(default_factory=list)
    held: dict[Detector, Held] = field(default_factory=dict)
    stored: dict[UUID, Incident] = field(default_factory=dict)
    """The incidents as they are stored, before the signals of this transaction."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a signal did. ``incident`` is the incident after it (None: it belongs to none)."""

    decided: Decided
    incident: Incident | None
    answer_status: str | None
    held: Held | None = None
    releases: bool = False
    """The held alarm of its detector is over."""


def correlate(arrival: Arrival, slot: Slot, new_id: UUID, held_until: datetime | None = None) -> Decision:
    """Decides one signal. Does not change ``slot``; see ``remember``.

    ``held_until``: the alarm was held until that instant, is decided at it, and is not held again.
    """
    if arrival.event == "restoral":
        return _restoral(arrival, slot)
    if arrival.event == "cancel":
        return _cancel(arrival, slot)
    at = held_until or arrival.received_at
    known = _within_window(arrival, slot)
    live = [incident for incident in known if not incident.ended]
    if live:
        return _join(arrival, live[-1], at)
    due_at = arrival.effective_at + timedelta(minutes=arrival.kind.hold_min)
    if held_until is None and due_at > arrival.received_at:
        return Decision("held", None, None, slot.held.get(arrival.detector) or Held(arrival, due_at))
    raised = raise_incident(arrival, new_id, known[-1].id if known else None, at)
    return Decision("raised", raised, raised.status)


def remember(slot: Slot, arrival: Arrival, decision: Decision) -> None:
    """Makes ``slot`` what it is after the decision, for the next signal of the same transaction."""
    if decision.incident is not None:
        others = [incident for incident in slot.incidents if incident.id != decision.incident.id]
        slot.incidents = sorted([*others, decision.incident], key=lambda incident: incident.effective_at)
    if decision.held is not None:
        slot.held[arrival.detector] = decision.held
    if decision.releases:
        slot.held.pop(arrival.detector, None)


def changes(slot: Slot) -> list[Incident]:
    """The incidents that this transaction changed, each one version on, whatever number of signals did it.

    So the versions that others hear are 1, 2, 3 … without a gap, and ``cause`` says the most that happened.
    """
    return [
        replace(incident, version=before.version + 1 if before else 1, cause=_cause(before, incident))
        for incident in slot.incidents
        if incident != (before := slot.stored.get(incident.id))
    ]


def _cause(before: Incident | None, after: Incident) -> IncidentCause:
    if after.ended and not (before and before.ended):
        return "resolved" if after.status == "resolved" else "cancelled"
    if before is None:
        return "raised"
    return "confirmed" if after.rings > before.rings else "signal"


def raise_incident(arrival: Arrival, new_id: UUID, follows: UUID | None, at: datetime) -> Incident:
    """A new incident from an alarm; ``at`` is when it is raised, later than its signal if that was held."""
    return Incident(
        id=new_id,
        version=1,
        cause="raised",
        place=arrival.place,
        post_id=arrival.post_id,
        kind=arrival.kind.code,
        severity=arrival.kind.severity,
        status="open",
        drill=arrival.drill,
        silent=arrival.kind.silent,
        validation_level=_level(arrival),
        rings=1,
        signals=1,
        restored={arrival.detector: False},
        effective_at=arrival.effective_at,
        received_at=arrival.received_at,
        last_signal_at=arrival.effective_at,
        changed_at=at,
        follows=follows,
        notes=_notes((), arrival),
    )


def _within_window(arrival: Arrival, slot: Slot) -> list[Incident]:
    window = timedelta(minutes=arrival.kind.window_min)
    return [
        incident
        for incident in slot.incidents
        if incident.effective_at - window <= arrival.effective_at <= incident.last_signal_at + window
    ]


def _join(arrival: Arrival, incident: Incident, at: datetime) -> Decision:
    known = arrival.detector in incident.restored
    another = not known and len(incident.restored) < MAX_DETECTORS
    after = with_signal(
        incident,
        at,
        cause="confirmed" if another else "signal",
        status="confirmed" if another else incident.status,
        validation_level=max(incident.validation_level, _level(arrival), VERIFIED_BY_TWO if another else 0),
        rings=incident.rings + another,  # a second building must not be swallowed
        restored=incident.restored | {arrival.detector: False} if known or another else incident.restored,
        last_signal_at=max(incident.last_signal_at, arrival.effective_at),
        notes=_notes(incident.notes, arrival),
    )
    return Decision("confirmed" if another else "joined", after, after.status)


def _restoral(arrival: Arrival, slot: Slot) -> Decision:
    """A detector's alarm is over: releases it while it is held; closes what is of little severity and all over."""
    held = slot.held.get(arrival.detector)
    releases = held is not None and held.ended_by(arrival)
    live = (incident for incident in reversed(slot.incidents) if not incident.ended)
    own = (i for i in live if arrival.detector in i.restored and not _before(arrival, i.effective_at))
    incident = next(own, None)
    if incident is None and releases:
        return Decision("released", None, None, releases=True)
    if incident is None:
        return _record(arrival, _nearest(arrival, slot))
    restored = incident.restored | {arrival.detector: True}
    closes = (
        all(restored.values())
        and incident.severity >= LEAST_SEVERITY_CLOSED_BY_RESTORAL
        and not _before(arrival, incident.last_signal_at)
    )
    over = ending(arrival.received_at, "resolved", "other", reason="restoral") if closes else {}
    after = with_signal(incident, arrival.received_at, restored=restored, **over)
    return Decision("closed" if closes else "restored", after, after.status, releases=releases)


def _cancel(arrival: Arrival, slot: Slot) -> Decision:
    """The guard says it was a false alarm: believed within the grace time, by the same post, from one detector."""
    grace = timedelta(seconds=arrival.kind.grace_s)
    incident = next(
        (
            incident
            for incident in reversed(slot.incidents)
            if not incident.ended
            and incident.post_id == arrival.post_id
            and arrival.effective_at - incident.effective_at <= grace
            and not _before(arrival, incident.last_signal_at)
        ),
        None,
    )
    if incident is None:
        return _record(arrival, _nearest(arrival, slot))
    if incident.silent:  # whoever forces the guard to cancel must believe that it worked
        return replace(_record(arrival, incident), answer_status="cancelled")
    if incident.status != "open":
        return _record(arrival, incident)
    over = ending(arrival.received_at, "cancelled", "false_by_user")
    after = with_signal(incident, arrival.received_at, notes=_notes(incident.notes, arrival), **over)
    return Decision("cancelled", after, after.status)


def _before(arrival: Arrival, instant: datetime) -> bool:
    """Whether a message is older than ``instant``, and not merely overtaken on its way."""
    return arrival.effective_at < instant - OVERTAKEN


def _nearest(arrival: Arrival, slot: Slot) -> Incident | None:
    """The incident of the signal's own time, a live one first; else the newest live one."""
    near = sorted(_within_window(arrival, slot), key=lambda incident: not incident.ended)
    live = [incident for incident in slot.incidents if not incident.ended]
    return next(iter([*reversed(near), *reversed(live)]), None)


def _record(arrival: Arrival, incident: Incident | None) -> Decision:
    """Part of the history of ``incident``; changes nothing."""
    if incident is None:
        return Decision("recorded", None, None)
    after = with_signal(incident, arrival.received_at, notes=_notes(incident.notes, arrival))
    return Decision("recorded", after, after.status)


def _level(arrival: Arrival) -> int:
    if not arrival.by_person:
        return 0
    return THREAT_TO_LIFE if arrival.kind.severity == 1 else VERIFIED_BY_TWO


def _notes(notes: tuple[str, ...], arrival: Arrival) -> tuple[str, ...]:
    return (*notes, arrival.note)[-MAX_NOTES:] if arrival.note else notes
