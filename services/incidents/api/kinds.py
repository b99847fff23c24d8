"""The kinds of incident, for buttons and lists."""

from typing import Any

from fastapi import APIRouter

from foundation.contracts.kinds import KINDS


def kinds_router() -> APIRouter:
    """``/v1/kinds``: public, the same for everybody."""
    router = APIRouter(tags=["kinds"])

    @router.get("/v1/kinds", summary="Các loại vụ việc (kinds of incident)")
    async def kinds() -> dict[str, Any]:
        items = [
            {
                "code": kind.code,
                "vi": kind.vi,
                "en": kind.en,
                "severity": kind.severity,
                "guard_reads_vi": kind.guard_reads_vi,
                "guard_reads_en": kind.guard_reads_en,
            }
            for kind in KINDS.values()
        ]
        return {"items": items, "next": None}

    return router
