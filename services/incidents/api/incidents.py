"""The operators' doors to incidents: read, and confirm, resolve or cancel."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from foundation.chassis.clock import Clock
from foundation.chassis.database import Database
from foundation.chassis.identity import Identity, Scope
from foundation.chassis.problems import Problem
from foundation.chassis.web import PlainText, PlainUuid, StrictInstant, json_answer
from foundation.contracts.kinds import KINDS
from foundation.streams import ledger
from services.incidents.domain.incident import Incident, WrongState, confirm, end
from services.incidents.store import incidents as store
from services.incidents.store import reading, timeline

Result = Literal["true", "attempt", "false_by_user", "false_by_device", "test", "duplicate", "not_found", "other"]
Action = Literal["confirm", "resolve", "cancel"]
ENDS: dict[Action, tuple[Literal["resolved", "cancelled"], Result]] = {
    "resolve": ("resolved", "true"),
    "cancel": ("cancelled", "other"),
}
"""The status that an action leads to, and the result when the operator names none."""


class Words(BaseModel):
    """How it ended, and why, in the operator's words."""

    result: Result | None = None
    reason: Annotated[PlainText, Field(max_length=2000)] | None = None


def incidents_router(database: Database, identity: Identity, clock: Clock) -> APIRouter:
    """``/v1/incidents``."""
    router = APIRouter(prefix="/v1/incidents", tags=["incidents"], dependencies=[Depends(identity.caller)])

    @router.get("", summary="Danh sách vụ việc (incidents, newest first)")
    async def listed(
        request: Request,
        status: Literal["open", "confirmed", "resolved", "cancelled"] | None = None,
        kind: str | None = None,
        site_id: PlainUuid | None = None,
        commune_code: Annotated[str | None, Query(max_length=16)] = None,
        since: Annotated[StrictInstant | None, Query(alias="from")] = None,
        until: Annotated[StrictInstant | None, Query(alias="to")] = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Response:
        scope = identity.caller(request)
        scope.require("read")
        if kind is not None and kind not in KINDS:
            raise Problem.invalid("kind", "Loại vụ việc không có trong danh mục.", "Unknown kind.")
        page = await reading.incidents(
            database, scope, cursor=cursor, limit=limit, since=since, until=until,
            status=status, kind=kind, site_id=site_id, commune_code=commune_code,
        )  # fmt: skip
        return json_answer(page)

    @router.get("/{incident_id}", summary="Một vụ việc, với tín hiệu và diễn biến (one incident)")
    async def one(request: Request, incident_id: PlainUuid) -> Response:
        scope = identity.caller(request)
        scope.require("read")
        return json_answer(await reading.incident(database, scope, incident_id))

    async def act(request: Request, incident_id: UUID, action: Action, words: Words | None) -> Response:
        scope = identity.caller(request)
        scope.require("operate")
        await reading.incident(database, scope, incident_id)  # 404 for what the caller may not see
        await _act(database, clock, scope, incident_id, action, words or Words())
        return json_answer(await reading.incident(database, scope, incident_id))

    @router.post("/{incident_id}/confirm", summary="Xác nhận có thật (it is real)")
    async def confirmed(request: Request, incident_id: PlainUuid, words: Words | None = None) -> Response:
        return await act(request, incident_id, "confirm", words)

    @router.post("/{incident_id}/resolve", summary="Kết thúc, có kết quả (it is over)")
    async def resolved(request: Request, incident_id: PlainUuid, words: Words | None = None) -> Response:
        return await act(request, incident_id, "resolve", words)

    @router.post("/{incident_id}/cancel", summary="Huỷ, báo nhầm (it was nothing)")
    async def cancelled(request: Request, incident_id: PlainUuid, words: Words | None = None) -> Response:
        return await act(request, incident_id, "cancel", words)

    return router


async def _act(database: Database, clock: Clock, scope: Scope, incident_id: UUID, action: Action, words: Words) -> None:
    """One operator's act in one transaction. Raises 409 with the present state."""
    now = clock.now()
    async with database.transaction() as connection:
        before = await store.locked(connection, incident_id)
        if before is None:
            raise Problem.not_found("incident")
        try:
            after = _after(before, now, action, scope.subject, words)
        except WrongState as error:
            state: dict[str, Any] = store.state_of(before).model_dump(mode="json")
            raise Problem.conflict(
                "Vụ việc không còn ở trạng thái cho phép.", f"The incident is {before.status}.",
                incident_status=before.status, incident=state,
            ) from error  # fmt: skip
        await store.put(connection, [after])
        act = timeline.Act(incident_id, now, after.cause, scope.subject, result=after.result, reason=words.reason)
        await timeline.add(connection, [act])
        await ledger.append(connection, [store.changed(after)], now)


def _after(before: Incident, now: Any, action: Action, by: str, words: Words) -> Incident:
    if action == "confirm":
        return confirm(before, now)
    status, usual = ENDS[action]
    return end(before, now, status, words.result or usual, by, words.reason)
