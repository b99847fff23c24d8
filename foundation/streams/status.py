"""What ``vonggac status`` and the tests ask every service: its streams, what it has heard, and what it counts."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from foundation.chassis.database import Database
from foundation.chassis.web import Parts, json_answer
from foundation.streams.ledger import heads, open_streams


async def prepare_streams(database: Database, topics: Sequence[str], areas: Sequence[str]) -> None:
    """Opens the streams of a producer: before its first event."""
    async with database.transaction() as connection:
        await open_streams(connection, topics, areas)


def status_router(parts: Parts) -> APIRouter:
    """``GET /v1/status``."""
    router = APIRouter(tags=["health"])

    @router.get("/v1/status", summary="Dòng sự kiện và số liệu (streams and counts)")
    async def status(request: Request) -> Response:
        parts.identity.caller(request).require("read")
        async with parts.database.pool.acquire(timeout=5) as connection:
            streams = [
                {"topic": topic, "area": area, "epoch": epoch, "head": head, "relayed": relayed}
                for (topic, area), (epoch, head, relayed) in (
                    sorted((await heads(connection)).items()) if parts.publishes else []
                )
            ]
            consumed = await connection.fetch("SELECT topic, area, sequence FROM consumed ORDER BY 1, 2")
        counts = dict(await parts.counts()) if parts.counts else {}
        return json_answer(
            {"service": parts.name, "streams": streams, "consumed": [dict(row) for row in consumed], "counts": counts}
        )

    return router
