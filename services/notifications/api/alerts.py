"""Alerts: list, one, and what an officer does with it."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from foundation.chassis.identity import Scope
from foundation.chassis.web import MAX_LIMIT, Parts, PlainText, PlainUuid, StrictInstant, json_answer
from foundation.contracts.alerts import AlertState
from foundation.contracts.fields import rfc3339
from services.notifications import actions
from services.notifications.store import reading

MAX_REASON = 2000

Status = Literal["raised", "acknowledged", "dispatched", "on_scene", "stood_down", "open"]
"""``open``: all but stood down."""


class Reason(BaseModel):
    """Why, in the officer's words; kept with the action."""

    reason: PlainText | None = Field(None, max_length=MAX_REASON)


class Transfer(Reason):
    """To whom: the code of a unit."""

    unit: PlainText = Field(min_length=1, max_length=32)


class Action(BaseModel):
    """What an officer did."""

    action: str
    by: str
    at: StrictInstant
    reason: str | None


class AlertWithActions(AlertState):
    """One alert, and what officers did to it."""

    actions: list[Action]


class AlertPage(BaseModel):
    """``stream_from``: follow the live stream from this number, and nothing is missed between list and stream."""

    items: list[AlertState]
    next: str | None
    stream_from: int
    held_old: int = Field(description="incidents older than 24 h that are recorded without an alert")
    server_time: StrictInstant


def alerts_router(parts: Parts) -> APIRouter:
    """``/v1/alerts``."""
    router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

    def caller(request: Request, action: str) -> Scope:
        scope = parts.identity.caller(request)
        scope.require(action)
        return scope

    @router.get("", response_model=AlertPage, summary="Danh sách tin báo, mới nhất trước (alerts, newest first)")
    async def alerts(
        request: Request,
        incident_id: PlainUuid | None = None,
        unit: Annotated[PlainText | None, Query(max_length=32)] = None,
        status: Annotated[Status | None, Query(description="`open`: all but stood down")] = None,
        severity: Annotated[int | None, Query(ge=1, le=4)] = None,
        kind: Annotated[PlainText | None, Query(max_length=64)] = None,
        since: Annotated[StrictInstant | None, Query(alias="from", description="raised at or after")] = None,
        until: Annotated[StrictInstant | None, Query(alias="to", description="raised before")] = None,
        cursor: Annotated[str | None, Query(max_length=500)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    ) -> Response:
        scope = caller(request, "read")
        wanted = reading.AlertFilter(incident_id, unit, status, severity, kind, since, until)
        page = await reading.alerts(parts.database, scope, wanted, cursor, limit)
        return json_answer(page | {"server_time": rfc3339(parts.clock.now())})

    @router.get("/{alert_id}", response_model=AlertWithActions, summary="Một tin báo (one alert)")
    async def alert(request: Request, alert_id: PlainUuid) -> Response:
        return json_answer(await reading.alert(parts.database, caller(request, "read"), alert_id))

    async def act(request: Request, alert_id: UUID, action: str, body: Reason | None) -> Response:
        scope = caller(request, "operate")
        reason = body.reason if body else None
        async with parts.database.transaction() as connection:
            changed = await actions.act(connection, scope, alert_id, action, reason, parts.clock.now())
        return _answer(changed)

    @router.post("/{alert_id}/acknowledge", response_model=AlertState, summary="Tiếp nhận (acknowledge)")
    async def acknowledge(request: Request, alert_id: PlainUuid, body: Reason | None = None) -> Response:
        return await act(request, alert_id, "acknowledge", body)

    @router.post("/{alert_id}/dispatch", response_model=AlertState, summary="Điều lực lượng (dispatch)")
    async def dispatch(request: Request, alert_id: PlainUuid, body: Reason | None = None) -> Response:
        return await act(request, alert_id, "dispatch", body)

    @router.post("/{alert_id}/on-scene", response_model=AlertState, summary="Đến nơi (on scene)")
    async def on_scene(request: Request, alert_id: PlainUuid, body: Reason | None = None) -> Response:
        return await act(request, alert_id, "on-scene", body)

    @router.post("/{alert_id}/stand-down", response_model=AlertState, summary="Kết thúc (stand down)")
    async def stand_down(request: Request, alert_id: PlainUuid, body: Reason | None = None) -> Response:
        return await act(request, alert_id, "stand-down", body)

    @router.post("/{alert_id}/transfer", response_model=AlertState, summary="Chuyển đơn vị khác (transfer)")
    async def transfer(request: Request, alert_id: PlainUuid, body: Transfer) -> Response:
        scope = caller(request, "operate")
        async with parts.database.transaction() as connection:
            mine = await actions.transfer(connection, scope, alert_id, body.unit, body.reason, parts.clock.now())
        return _answer(mine)

    return router


def _answer(alert: AlertState) -> Response:
    return Response(alert.model_dump_json(), media_type="application/json")
