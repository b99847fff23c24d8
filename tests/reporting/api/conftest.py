"""The real service over HTTP, without its consumers: what it has heard is handed to it by the test."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from foundation.chassis.identity import OPERATOR, create_key, create_token
from services.reporting.service import build
from services.reporting.settings import Settings
from tests.reporting.histories import AREA
from tests.reporting.reporting import Reporting


@dataclass
class Service:
    """Reporting's doors, and its consumers to tell it something."""

    client: httpx.AsyncClient
    reporting: Reporting
    keys: Path

    def token(self, role: str = "leader", area: str = AREA, commune: str | None = None) -> str:
        return create_token(self.keys, OPERATOR, role=role, area=area, seconds=600, commune=commune)

    async def get(self, path: str, token: str | None = None, **query: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        return await self.client.get(path, params=query, headers=headers)

    async def statistics(self, **query: Any) -> list[dict[str, Any]]:
        """All items over all pages; ``since`` stands for ``from``, a word of Python."""
        if "since" in query:
            query["from"] = query.pop("since")
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while cursor is not None or not items:
            answer = await self.get("/v1/statistics", **query, **({"cursor": cursor} if cursor else {}))
            assert answer.status_code == 200, answer.text
            page = answer.json()
            assert len(page["items"]) <= query.get("limit", 100)
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        return items


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncIterator[Service]:
    create_key(tmp_path, OPERATOR)
    create_key(tmp_path, "reporting")
    app = build(Settings(database_url=url, keys_dir=tmp_path))
    parts = app.state.parts
    parts.tasks.clear()  # no broker here
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://reporting") as client,
        asyncio.timeout(120),
    ):
        async with asyncio.timeout(30):
            while not parts.migrated:
                await asyncio.sleep(0.01)
        yield Service(client, Reporting(parts.database), tmp_path)
