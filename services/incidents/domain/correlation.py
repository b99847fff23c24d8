"""How signals become incidents (DOMAIN, the section of that name). Pure: one signal, and what is known of its slot.

A slot is a site, a kind and whether it is a drill. Correlation goes by effective time, so a late arrival meets the
incident of its own time. BS 8243 / EN 50131-9: two different detectors within the window confirm an alarm.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

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


@dataclass(slots=True)
class Slot:
    """What is known of one slot: its incidents near the signals' times, newest last, and its held alarms."""

    incidents: list[Incident] = field(default_factory=list)
    held: dict[Detector, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a signal did. ``incident`` is the incident after it (None: it belongs to none)."""

    decided: Decided
    incident: Incident | None
    answer_status: str | None
    held: Held | None = None


def correlate(arrival: Arrival, slot: Slot, new_id: UUID) -> Decision:
    """Decides one signal. Does not change ``slot``; see ``remember``."""
    if arrival.event == "restoral":
        return _restoral(arrival, slot)
    if arrival.event == "cancel":
        return _cancel(arrival, slot)
    known = _within_window(arrival, slot)
    live = [incident for incident in known if not incident.ended]
    if live:
        return _join(arrival, live[-1])
    due_at = arrival.effective_at + timedelta(minutes=arrival.kind.hold_min)
    if arrival.kind.hold_min and due_at > arrival.received_at:
        return Decision("held", None, None, slot.held.get(arrival.detector) or Held(arrival, due_at))
    raised = raise_incident(arrival, new_id, follows=known[-1].id if known else None)
    return Decision("raised", raised, raised.status)


def remember(slot: Slot, arrival: Arrival, decision: Decision) -> None:
    """Makes ``slot`` what it is after the decision, for the next signal of the same transaction."""
    if decision.incident is not None:
        others = [incident for incident in slot.incidents if incident.id != decision.incident.id]
        slot.incidents = sorted([*others, decision.incident], key=lambda incident: incident.effective_at)
    if decision.held is not None:
        slot.held[arrival.detector] = decision.held
    if decision.decided == "released":
        slot.held.pop(arrival.detector, None)


def raise_incident(arrival: Arrival, new_id: UUID, follows: UUID | None, at: datetime | None = None) -> Incident:
    """A new incident from an alarm; ``at`` is when it is raised, if that is later than its signal (held alarms)."""
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
        changed_at=at or arrival.received_at,
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


def _join(arrival: Arrival, incident: Incident) -> Decision:
    known = arrival.detector in incident.restored
    another = not known and len(incident.restored) < MAX_DETECTORS
    after = with_signal(
        incident,
        arrival.received_at,
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
    if arrival.detector in slot.held:
        return Decision("released", None, None)
    incident = _newest_live(slot)
    if incident is None:
        return _record(arrival, slot)
    restored = incident.restored
    if arrival.detector in restored:
        restored = restored | {arrival.detector: True}
    closes = all(restored.values()) and incident.severity >= LEAST_SEVERITY_CLOSED_BY_RESTORAL
    over = ending(arrival.received_at, "resolved", "other", reason="restoral") if closes else {}
    after = with_signal(incident, arrival.received_at, restored=restored, **over)
    return Decision("closed" if closes else "restored", after, after.status)


def _cancel(arrival: Arrival, slot: Slot) -> Decision:
    """The guard says it was a false alarm: believed within the grace time, by the same post, from one detector."""
    incident = _newest_live(slot)
    if incident is None or incident.status != "open" or incident.post_id != arrival.post_id:
        return _record(arrival, slot)
    if abs(arrival.effective_at - incident.effective_at) > timedelta(seconds=arrival.kind.grace_s):
        return _record(arrival, slot)
    if incident.silent:  # whoever forces the guard to cancel must believe that it worked
        return replace(_record(arrival, slot), answer_status="cancelled")
    over = ending(arrival.received_at, "cancelled", "false_by_user")
    after = with_signal(incident, arrival.received_at, notes=_notes(incident.notes, arrival), **over)
    return Decision("cancelled", after, after.status)


def _newest_live(slot: Slot) -> Incident | None:
    return next((incident for incident in reversed(slot.incidents) if not incident.ended), None)


def _record(arrival: Arrival, slot: Slot) -> Decision:
    """Part of the history of the incident nearest in time; changes nothing."""
    known = _newest_live(slot) or next(iter(reversed(_within_window(arrival, slot))), None)
    if known is None:
        return Decision("recorded", None, None)
    after = with_signal(known, arrival.received_at, notes=_notes(known.notes, arrival))
    return Decision("recorded", after, after.status)


def _level(arrival: Arrival) -> int:
    if not arrival.by_person:
        return 0
    return THREAT_TO_LIFE if arrival.kind.severity == 1 else VERIFIED_BY_TWO


def _notes(notes: tuple[str, ...], arrival: Arrival) -> tuple[str, ...]:
    return (*notes, arrival.note)[-MAX_NOTES:] if arrival.note else notes
