"""The service with its HTTP doors open and its line to Kafka cut."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any, Self

import httpx

from foundation.chassis.identity import create_key, create_token
from foundation.contracts.alerts import AlertState
from services.notifications.service import build
from services.notifications.settings import Settings
from tests.notifications.desk import AREA, DONG_HA, WITHIN_S, Desk

CAX = f"CAX-{DONG_HA}"


class Door:
    """``async with``. The callers: ``desk`` sees all, ``officer`` only Đông Hà, ``leader`` may only read."""

    def __init__(self, desk: Desk, keys: Path) -> None:
        create_key(keys, "notifications")
        self.keys = keys
        self.settings = Settings(database_url=desk.settings.database_url, keys_dir=keys)
        self.app = build(self.settings, desk.clock)
        self.parts = self.app.state.parts
        for line in ("relay", "consumer"):
            del self.parts.tasks[line]
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self.app.router.lifespan_context(self.app))
        self.desk = await self.caller("province_desk", sub="Lê Trực Ban")
        self.officer = await self.caller("unit_officer", unit=CAX, commune=DONG_HA, sub="Trần Cảnh Sát")
        self.leader = await self.caller("leader")
        async with asyncio.timeout(WITHIN_S):
            while not self.parts.migrated:
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._open.aclose()

    def token(self, role: str, area: str = AREA, **claims: str) -> str:
        return create_token(self.keys, "notifications", role=role, area=area, seconds=600, **claims)

    async def caller(self, role: str, **claims: str) -> httpx.AsyncClient:
        return await self.with_token(self.token(role, **claims))

    async def with_token(self, token: str | None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://notifications", headers=headers
        )
        return await self._open.enter_async_context(client)


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem in an answer: Vietnamese and English text, a stable type."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"].startswith("urn:vonggac:problem:")
    assert body["status"] == status
    assert body["detail"]
    assert body["detail_en"]
    return body


def state(answer: httpx.Response) -> AlertState:
    """The alert in an answer."""
    assert answer.status_code == 200, answer.text
    return AlertState.model_validate_json(answer.content)
