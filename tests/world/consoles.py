"""A dispatch console: the verbs of an officer over HTTP, and what came over the live stream."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

EXPECT_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One server-sent event."""

    id: int | None
    name: str
    data: Any


class Console:
    """Of one unit, or of the province desk. ``events``: all that the stream said since ``listen``."""

    def __init__(self, url: str, token: str) -> None:
        self.client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=20
        )
        self.events: list[StreamEvent] = []
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def alerts(self, **filters: str) -> list[dict[str, Any]]:
        """All alerts that match, over all pages."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = await self.client.get("/v1/alerts", params={"limit": "500", **filters, **more})
            answer.raise_for_status()
            page = answer.json()
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    async def act(self, alert: dict[str, Any], verb: str, **body: str) -> httpx.Response:
        """``acknowledge``, ``dispatch``, ``on-scene``, ``stand-down`` or ``transfer``."""
        return await self.client.post(f"/v1/alerts/{alert['id']}/{verb}", json=body)

    @contextlib.asynccontextmanager
    async def listening(self, last_event_id: int | None = None) -> AsyncIterator["Console"]:
        """Keeps the live stream open meanwhile."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._listen(last_event_id, opened))
        try:
            await asyncio.wait_for(opened, EXPECT_WITHIN_S)
            yield self
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self, last_event_id: int | None, opened: asyncio.Future[None]) -> None:
        headers = {"Last-Event-ID": str(last_event_id)} if last_event_id is not None else {}
        async with self.client.stream("GET", "/v1/stream", headers=headers, timeout=None) as answer:
            answer.raise_for_status()
            opened.set_result(None)
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
                elif "data" in fields:
                    number = int(fields["id"]) if fields.get("id") else None
                    self.events.append(
                        StreamEvent(number, fields.get("event", "message"), orjson.loads(fields["data"]))
                    )
                    self._heard.set()
                    fields = {}
                elif not line:
                    fields = {}

    async def expect(
        self, what: str, matches: Callable[[StreamEvent], bool], within_s: float = EXPECT_WITHIN_S
    ) -> StreamEvent:
        """The first event of the stream that matches, heard before or now. Fails with what was heard."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    self._heard.clear()
                    for event in self.events:
                        if matches(event):
                            return event
                    await self._heard.wait()
        except TimeoutError:
            heard = [(event.id, event.name, str(event.data)[:150]) for event in self.events[-20:]]
            raise AssertionError(f"not heard within {within_s} s: {what}; heard {heard}") from None

    async def close(self) -> None:
        await self.client.aclose()
