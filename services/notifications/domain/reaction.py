"""What a new state of an incident means for its alerts. Values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from foundation.contracts.alerts import AlertState
from foundation.contracts.incidents import IncidentState
from services.notifications.domain.lifecycle import (
    brought_up_to_date,
    live,
    raised,
    rung_again,
    stood_down_by_end,
)
from services.notifications.domain.ringing import Ages, Ringing, ringing
from services.notifications.domain.routing import Routed, owed_to, route, routing_key
from services.notifications.domain.units import Units

Held = Literal["older_than_24h", "no_unit", "stood_down"]
"""Why an incident that is not over rings nobody: too old; no unit is known; a new alarm after all were stood down."""


@dataclass(frozen=True, slots=True)
class LastRouted:
    """What routing saw the last time: ``key`` is None if it never came to that."""

    key: str | None = None
    rings: int = 0


NEVER = LastRouted()


@dataclass(frozen=True, slots=True)
class Reaction:
    """``alerts``: new alerts and new versions of known ones. ``held``: why nobody was rung although it is not over."""

    last: LastRouted
    alerts: list[AlertState] = field(default_factory=list)
    held: Held | None = None


def react(
    incident: IncidentState, last: LastRouted, alerts: Sequence[AlertState], units: Units, now: datetime, ages: Ages
) -> Reaction:
    """The reaction to ``incident``, whose alerts so far are ``alerts``. The same state again makes no change."""
    alive = [alert for alert in alerts if live(alert)]
    decision = ringing(incident, now, ages)
    if decision is Ringing.OVER:
        return Reaction(last, [stood_down_by_end(alert, incident, now) for alert in alive])
    if decision is Ringing.DRILL:
        return Reaction(last)
    if decision is Ringing.OLD:
        return Reaction(last, _up_to_date(alive, incident, now), None if alerts else "older_than_24h")
    return _ring(incident, last, alerts, units, now, late=decision is Ringing.LATE)


def _ring(
    incident: IncidentState, last: LastRouted, alerts: Sequence[AlertState], units: Units, now: datetime, *, late: bool
) -> Reaction:
    seen = LastRouted(routing_key(incident), incident.rings)
    alive = [alert for alert in alerts if live(alert)]
    again = last.key is not None and (incident.rings > last.rings or seen.key != last.key)
    if last.key is not None and not again:
        return Reaction(last, _up_to_date(alive, incident, now))
    routed = route(incident, units)
    if again and alerts and not alive:  # a new alarm after every unit was stood down must not be swallowed
        routed += [Routed(desk, "rung_again") for desk in units.of_kind("province_desk")]
    told = {alert.unit.code for alert in alerts}
    made: list[AlertState] = []
    for entry in routed:
        if entry.unit.code not in told:
            told.add(entry.unit.code)
            made.append(raised(incident, entry.unit, entry.reason, now, late=late))
    if not made and not alive and owed_to(incident):  # nobody can hear it: say so, and try again at its next version
        return Reaction(last, held="stood_down" if alerts else "no_unit")
    return Reaction(seen, made + [rung_again(alert, incident, now) for alert in alive])


def _up_to_date(alerts: Sequence[AlertState], incident: IncidentState, now: datetime) -> list[AlertState]:
    newer = (brought_up_to_date(alert, incident, now) for alert in alerts)
    return [alert for alert in newer if alert is not None]
