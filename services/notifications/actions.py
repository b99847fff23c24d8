"""What an officer does with an alert: one transaction an action, locked in the order incident, alerts, stream."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import asyncpg

from foundation.chassis.identity import Scope
from foundation.chassis.problems import Problem
from foundation.contracts.alerts import AlertState
from foundation.contracts.incidents import ENDED
from services.notifications.domain.lifecycle import (
    NotForward,
    alert_id,
    raised,
    stood_down_by_unit,
    transferred,
)
from services.notifications.domain.lifecycle import step as go
from services.notifications.store import alerts as store
from services.notifications.store import incidents as incident_store
from services.notifications.store import units as unit_store

Change = Callable[[AlertState, str, datetime], AlertState]

CHANGES: dict[str, Change] = {
    "acknowledge": lambda alert, by, at: go(alert, "acknowledged", by, at),
    "dispatch": lambda alert, by, at: go(alert, "dispatched", by, at),
    "on-scene": lambda alert, by, at: go(alert, "on_scene", by, at),
    "stand-down": stood_down_by_unit,
}
"""The steps of one alert, by their name in the address."""
STATUS_VI = {
    "raised": "chưa ai tiếp nhận",
    "acknowledged": "đã tiếp nhận",
    "dispatched": "đã điều lực lượng",
    "on_scene": "đã đến nơi",
    "stood_down": "đã kết thúc",
}


async def act(
    connection: asyncpg.Connection, scope: Scope, wanted: UUID, action: str, reason: str | None, now: datetime
) -> AlertState:
    """Moves one alert forward. Raises 404 for one that the caller may not see, 409 with its present state."""
    alert = _visible((await store.locked(connection, scope.area, [wanted])).get(wanted), scope)
    try:
        changed = CHANGES[action](alert, scope.subject, now)
    except NotForward:
        raise _conflict(alert) from None
    await store.record(connection, changed, action, scope.subject, reason)
    await store.write(connection, [changed], changed.changed_at)
    return changed


async def transfer(
    connection: asyncpg.Connection, scope: Scope, wanted: UUID, to_unit: str, reason: str | None, now: datetime
) -> AlertState:
    """Hands one alert to another unit, which gets its own. Raises 404, 409, and 422 for a unit that does not exist."""
    incident_id = await store.incident_of(connection, scope.area, wanted)
    if incident_id is None:
        raise Problem.not_found("alert")
    incident = await incident_store.locked(connection, scope.area, str(incident_id))
    theirs = alert_id(str(incident_id), to_unit)
    alerts = await store.locked(connection, scope.area, {wanted, theirs})
    alert = _visible(alerts.get(wanted), scope)
    unit = await unit_store.locked(connection, scope.area, to_unit)
    if unit is None:
        raise Problem.invalid("unit", "Không có đơn vị này.", "No such unit.")
    if incident is None or incident.status in ENDED or alert.status == "stood_down":
        raise _conflict(alert)
    if theirs in alerts:
        raise _already_told(alert, alerts[theirs])
    mine = transferred(alert, unit.code, scope.subject, now)
    why = f"transferred from {alert.unit.code}"
    new = raised(incident, unit, why, mine.changed_at, late=alert.late, transferred_from=alert.unit.code)
    await store.record(connection, mine, "transfer", scope.subject, reason)
    await store.write(connection, [mine, new], mine.changed_at)
    return mine


def _visible(alert: AlertState | None, scope: Scope) -> AlertState:
    """Raises 404 where the alert is another unit's: its existence is nobody else's business."""
    if alert is None or (scope.narrow and alert.unit.code != scope.unit):
        raise Problem.not_found("alert")
    return alert


def _conflict(alert: AlertState) -> Problem:
    return Problem.conflict(
        f"Tin báo này {STATUS_VI[alert.status]}; chỉ có thể đi tới bước sau.",
        f"This alert is {alert.status.replace('_', ' ')}; it only moves forward.",
        alert=alert.model_dump(mode="json"),
        alert_status=alert.status,
    )


def _already_told(alert: AlertState, theirs: AlertState) -> Problem:
    return Problem.conflict(
        f"{theirs.unit.name} đã có tin báo về vụ việc này ({STATUS_VI[theirs.status]}).",
        f"That unit has an alert of this incident already ({theirs.status.replace('_', ' ')}).",
        alert=alert.model_dump(mode="json"),
        alert_status=alert.status,
        unit_alert_status=theirs.status,
    )
