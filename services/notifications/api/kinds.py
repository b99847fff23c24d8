"""The kinds of incident, for pages to name."""

from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from foundation.chassis.web import Parts, json_answer
from foundation.contracts.kinds import KINDS

SHOWN = ("code", "vi", "en", "severity", "units", "silent", "drill", "statistics_group")


def kinds_router(parts: Parts) -> APIRouter:
    """``/v1/kinds``; all in one page."""
    router = APIRouter(tags=["kinds"])
    items = [{name: asdict(kind)[name] for name in SHOWN} for kind in KINDS.values()]

    @router.get("/v1/kinds", summary="Các loại vụ việc (kinds of incident)")
    async def kinds(request: Request) -> Response:
        parts.identity.caller(request).require("read")
        return json_answer({"items": items, "next": None})

    return router
