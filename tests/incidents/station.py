"""incidents without a broker: its doors in this process, a clock that moves, a register to send from."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from foundation.chassis.body import DirectDoors
from foundation.chassis.database import Database
from foundation.chassis.identity import create_key, create_token, device_key, hash_secret, new_device_secret
from foundation.contracts.fields import rfc3339
from services.incidents import service
from services.incidents.settings import Settings
from services.incidents.store import register
from tests.world.clock import MovableClock

AREA, COMMUNE, OTHER_COMMUNE = "44", "19333", "18859"
READY_S = 15


@dataclass(frozen=True)
class Device:
    """A device in the register, with the key it sends."""

    id: UUID
    post_id: UUID
    site_id: UUID
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@dataclass
class Station:
    """One process of incidents over ``url``. ``open`` it, and ``close`` it; several may share a database."""

    url: str
    keys: Path
    areas: tuple[str, ...] = (AREA,)
    knobs: dict[str, Any] = field(default_factory=dict)
    clock: MovableClock = field(default_factory=MovableClock)

    async def open(self) -> None:
        """Starts the service without what needs a broker."""
        self._open = AsyncExitStack()
        create_key(self.keys, "vonggac")
        self.settings = Settings(database_url=self.url, keys_dir=self.keys, areas=self.areas, **self.knobs)
        self.app = service.build(self.settings, self.clock)
        self.parts = self.app.state.parts
        for needs_broker in ("relay", "consumer"):
            self.parts.tasks.pop(needs_broker)
        await self._open.enter_async_context(self.app.router.lifespan_context(self.app))
        self.http = await self._open.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(DirectDoors(self.app, self.app.state.direct)),
                base_url="http://incidents",
                timeout=30,
            )
        )
        async with asyncio.timeout(READY_S):
            while not self.parts.migrated:
                await asyncio.sleep(0.005)

    async def close(self) -> None:
        """Stops it. Nothing if it is not open."""
        await self._open.aclose()

    @property
    def database(self) -> Database:
        """The service's own database."""
        database: Database = self.parts.database
        return database

    async def rows(self, query: str, *values: object) -> list[Any]:
        """What a query finds."""
        async with self.database.pool.acquire() as connection:
            found: list[Any] = await connection.fetch(query, *values)
            return found

    async def value(self, query: str, *values: object) -> Any:
        """The first column of the first row."""
        return (await self.rows(query, *values))[0][0]

    async def site(self, *, commune: str = COMMUNE, area: str = AREA, name: str = "Trường THPT Đông Hà") -> UUID:
        """A new site."""
        site = register.NewSite(uuid4(), area, name, "school", commune, "Đường Hùng Vương", None, 16.8, 107.1)
        async with self.database.transaction() as connection:
            await register.put_sites(connection, [site], self.clock.now())
        return site.id

    async def devices(self, number: int, *, site: UUID | None = None, kind: str = "panel") -> list[Device]:
        """New devices at one new post of a new or given site."""
        site_id, post_id = site or await self.site(), uuid4()
        made = [(Device(uuid4(), post_id, site_id, ""), new_device_secret()) for _ in range(number)]
        area = await self.value("SELECT area FROM site WHERE id = $1", site_id)
        async with self.database.transaction() as connection:
            await register.put_posts(connection, [register.NewPost(post_id, area, site_id, "Cổng chính")])
            await register.put_devices(
                connection,
                [register.NewDevice(d.id, area, post_id, "Bàn phím", kind, hash_secret(s)) for d, s in made],
            )
        return [Device(d.id, d.post_id, d.site_id, device_key(d.id, secret)) for d, secret in made]

    async def device(self, *, site: UUID | None = None, kind: str = "panel") -> Device:
        """A new device at a new post of a new or given site."""
        return (await self.devices(1, site=site, kind=kind))[0]

    def signal(self, kind: str = "break_in", *, ago_s: float = 0, **fields: object) -> dict[str, Any]:
        """The body of a signal that happens now, or happened so many seconds ago."""
        now = self.clock.now()
        occurred_at, sent_at = rfc3339(now - timedelta(seconds=ago_s)), rfc3339(now)
        return {"id": str(uuid4()), "kind": kind, "occurred_at": occurred_at, "sent_at": sent_at, **fields}

    async def send(self, device: Device, body: object = None, **fields: Any) -> httpx.Response:
        """Posts a signal: the given body, or one of these fields."""
        body = self.signal(**fields) if body is None else body
        return await self.http.post("/v1/signals", json=body, headers=device.headers)

    def token(self, role: str = "province_desk", *, area: str = AREA, seconds: int = 600, **claims: str) -> str:
        """An operator's token."""
        return create_token(self.keys, "vonggac", role=role, area=area, seconds=seconds, **claims)

    def operator(self, role: str = "province_desk", **claims: str) -> dict[str, str]:
        """The headers of an operator."""
        return {"Authorization": f"Bearer {self.token(role, **claims)}"}

    async def get(self, path: str, headers: dict[str, str] | None = None, **query: object) -> httpx.Response:
        """What an operator, the province desk unless said otherwise, reads."""
        params = {name: str(value) for name, value in query.items()} or None
        return await self.http.get(path, params=params, headers=headers or self.operator())

    async def post(self, path: str, body: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """What an operator, the province desk unless said otherwise, does."""
        return await self.http.post(path, json=body, headers=headers or self.operator())

    async def incident_of(self, device: Device, **fields: Any) -> str:
        """The id of the incident that a signal is about."""
        answer = await self.send(device, **fields)
        assert answer.status_code == 201, answer.text
        incident_id: str = answer.json()["incident_id"]
        return incident_id
