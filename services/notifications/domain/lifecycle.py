"""One alert and the ways in which it may change: only forward, each step with who and when. Values in, values out."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from foundation.contracts.alerts import STATUS_ORDER, AlertState
from foundation.contracts.incidents import IncidentState
from services.notifications.domain.units import Unit

Step = Literal["acknowledged", "dispatched", "on_scene"]
RECORDED: tuple[Step, ...] = ("acknowledged", "dispatched", "on_scene")
"""Steps that are kept with who and when."""


class NotForward(Exception):
    """The alert stands where it is, or beyond: nothing was changed."""

    def __init__(self, alert: AlertState) -> None:
        super().__init__(alert.status)
        self.alert = alert


def alert_id(incident_id: str, unit_code: str) -> UUID:
    """The id of the one alert of an incident to a unit: there can be no second."""
    return uuid5(UUID(incident_id), unit_code)


def raised(
    incident: IncidentState, unit: Unit, reason: str, at: datetime, *, late: bool, transferred_from: str | None = None
) -> AlertState:
    """The first version of an alert."""
    return AlertState(
        id=str(alert_id(incident.id, unit.code)), version=1, area=incident.area, cause="raised",
        incident_id=incident.id, unit=unit.ref, status="raised", reason=reason, late=late, rang_at=at, raised_at=at,
        changed_at=at, received_at=incident.received_at, transferred_from=transferred_from, **_shown(incident),
    )  # fmt: skip


def live(alert: AlertState) -> bool:
    """True until the unit is stood down."""
    return alert.status != "stood_down"


def step(alert: AlertState, to: Step, by: str, at: datetime) -> AlertState:
    """An officer goes forward. Steps that were left out get the same who and when: who sends a car has read the alert.

    Raises ``NotForward``.
    """
    return _next(alert, at, cause=to, status=to, **_recorded(_forward(alert, to), to, by, at))


def stood_down_by_unit(alert: AlertState, by: str, at: datetime) -> AlertState:
    """An officer ends it; that says that they have read it, not that anyone was sent. Raises ``NotForward``."""
    read = _recorded(_forward(alert, "stood_down"), "acknowledged", by, at)
    return _stood_down(alert, at, reason="by_unit", stood_down_by=by, **read)


def transferred(alert: AlertState, to_unit: str, by: str, at: datetime) -> AlertState:
    """An officer hands it to another unit, which gets an alert of its own. Raises ``NotForward``."""
    _forward(alert, "stood_down")
    return _stood_down(alert, at, reason="transferred", cause="transferred", stood_down_by=by, transferred_to=to_unit)


def stood_down_by_end(alert: AlertState, incident: IncidentState, at: datetime) -> AlertState:
    """The incident is over (``incident_resolved`` or ``incident_cancelled``), and so is the alert."""
    return _stood_down(alert, at, reason=f"incident_{incident.status}", **_shown(incident))


def rung_again(alert: AlertState, incident: IncidentState, at: datetime) -> AlertState:
    """It must be heard again: another detector, or it became another thing."""
    at = max(at, alert.changed_at)
    return _next(alert, at, cause="rung_again", rings=alert.rings + 1, rang_at=at, **_shown(incident))


def brought_up_to_date(alert: AlertState, incident: IncidentState, at: datetime) -> AlertState | None:
    """The alert with what it shows of the incident, without a ring; None if it shows nothing new."""
    shown = {name: value for name, value in _shown(incident).items() if name != "incident_version"}
    if all(getattr(alert, name) == value for name, value in shown.items()):
        return None
    return _next(alert, at, cause="incident_changed", **_shown(incident))


def _shown(incident: IncidentState) -> dict[str, Any]:
    """What an alert shows of its incident."""
    return {
        "incident_version": incident.version,
        "incident_status": incident.status,
        "kind": incident.kind,
        "severity": incident.severity,
        "silent": incident.silent,
        "validation_level": incident.validation_level,
        "site": incident.site,
        "effective_at": incident.effective_at,
        "notes": incident.notes,
    }


def _forward(alert: AlertState, to: str) -> AlertState:
    if STATUS_ORDER.index(to) <= STATUS_ORDER.index(alert.status):
        raise NotForward(alert)
    return alert


def _recorded(alert: AlertState, up_to: Step, by: str, at: datetime) -> dict[str, Any]:
    """Who and when of every step up to ``up_to`` that has none yet."""
    at = max(at, alert.changed_at)
    fields: dict[str, Any] = {}
    for name in RECORDED[: RECORDED.index(up_to) + 1]:
        if getattr(alert, f"{name}_at") is None:
            fields |= {f"{name}_at": at, f"{name}_by": by}
    return fields


def _stood_down(alert: AlertState, at: datetime, *, reason: str, **changes: Any) -> AlertState:
    at = max(at, alert.changed_at)
    return _next(
        alert,
        at,
        **{"cause": "stood_down", "status": "stood_down", "stood_down_at": at, "stood_down_reason": reason, **changes},
    )


def _next(alert: AlertState, at: datetime, **changes: Any) -> AlertState:
    """The next version. Its time never lies before the last one's: two machines' clocks differ, durations do not."""
    changes |= {"version": alert.version + 1, "changed_at": max(at, alert.changed_at)}
    return alert.model_copy(update=changes)
