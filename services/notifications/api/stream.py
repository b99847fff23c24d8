"""The live stream of alerts: server-sent events."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse

from foundation.chassis.web import Parts
from services.notifications.live import MAX_NUMBER, Hub

UNKNOWN_ID = -1
"""Stands for an id that we never gave: the page is told to fetch the list again."""


def stream_router(parts: Parts, hub: Hub) -> APIRouter:
    """``GET /v1/stream``."""
    router = APIRouter(tags=["alerts"])

    @router.get(
        "/v1/stream",
        summary="Tin báo trực tiếp (live alerts)",
        description="`id` is the number of the event. `alert`: an AlertState. `tick`: time, position, notices. "
        "`reset`: fetch `/v1/alerts` again, then go on. Without `Last-Event-ID` it starts now.",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def stream(
        request: Request, last_event_id: Annotated[str | None, Header(max_length=100)] = None
    ) -> StreamingResponse:
        scope = parts.identity.caller(request)
        scope.require("read")
        await hub.ready(scope.area)
        unit = (scope.unit or "") if scope.narrow else None
        return StreamingResponse(
            hub.follow(scope.area, unit, _number(last_event_id)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


def _number(last_event_id: str | None) -> int | None:
    if not last_event_id:
        return None
    known = last_event_id.isascii() and last_event_id.isdecimal() and int(last_event_id) <= MAX_NUMBER
    return int(last_event_id) if known else UNKNOWN_ID
