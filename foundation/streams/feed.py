"""The feed: any part of a stream, straight from its producer's ledger. The way in which every gap is healed."""

from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from fastapi import APIRouter, Query, Request, Response

from foundation.chassis.database import Database
from foundation.chassis.identity import Identity
from foundation.chassis.problems import Problem
from foundation.contracts import alerts, incidents, sites
from foundation.contracts.events import Event, from_feed
from foundation.streams import ledger

PAGE = 500
"""Events a consumer asks for at once: bounds memory and the time of a transaction."""
MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FeedPage:
    """``up_to``: the number up to which the answer is complete; the head of the stream unless the page is full."""

    events: list[Event]
    up_to: int


def feed_router(database: Database, identity: Identity, topics: tuple[str, ...]) -> APIRouter:
    """``GET /v1/events`` of one producer."""
    router = APIRouter(tags=["events"])

    @router.get("/v1/events", summary="Sự kiện theo thứ tự (events of one stream in order)")
    async def events(
        request: Request,
        topic: str = Query(max_length=100),
        area: str = Query(max_length=16),
        after: int = Query(0, ge=0, le=MAX_NUMBER),
        limit: int = Query(PAGE, ge=1, le=PAGE),
    ) -> Response:
        scope = identity.caller(request)
        scope.require("events:read")
        scope.require_area(area)
        if topic not in topics:
            raise Problem.not_found("topic")
        async with database.pool.acquire(timeout=5) as connection, connection.transaction(isolation="repeatable_read"):
            head = await connection.fetchval("SELECT head FROM stream WHERE topic = $1 AND area = $2", topic, area)
            found = await ledger.read(connection, topic, area, after, limit)
        up_to = found[-1].sequence if len(found) == limit else (head or 0)
        body: dict[str, Any] = {"events": [event.as_json() for event in found], "up_to": up_to}
        return Response(orjson.dumps(body), media_type="application/json")

    return router


class FeedClient:
    """Reads the feeds of the producers. Raises ``httpx.HTTPError`` when one is away."""

    def __init__(self, identity: Identity, incidents_url: str, notifications_url: str) -> None:
        self._identity = identity
        self._urls = {
            incidents.TOPIC: incidents_url,
            sites.TOPIC: incidents_url,
            alerts.TOPIC: notifications_url,
        }
        self._client = httpx.AsyncClient(timeout=10, trust_env=False)

    async def page(self, topic: str, area: str, after: int) -> FeedPage:
        """The events numbered above ``after``, at most ``PAGE``."""
        answer = await self._client.get(
            f"{self._urls[topic].rstrip('/')}/v1/events",
            params={"topic": topic, "area": area, "after": after, "limit": PAGE},
            headers={"Authorization": f"Bearer {self._identity.service_token(area)}"},
        )
        answer.raise_for_status()
        body = orjson.loads(answer.content)
        return FeedPage([from_feed(item) for item in body["events"]], body["up_to"])

    async def close(self) -> None:
        await self._client.aclose()
