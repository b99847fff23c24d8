"""A break-in on its way: posted by a demo device, looked for at the police and in the figures."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.deploy.native import Native
from vonggac.demo import province
from vonggac.demo.province import DemoDevice, DemoSite
from vonggac.demo.seed import demo_secret

WITHIN_S = 30.0
AGE_S = 5
"""The device says that it happened so many seconds ago."""


async def until(ask: Callable[[], Awaitable[Any]], right: Callable[[Any], bool]) -> Any:
    """Asks until the answer is right; fails with the last answer."""
    end = time.monotonic() + WITHIN_S
    while not right(answer := await ask()):
        assert time.monotonic() < end, f"still not so after {WITHIN_S} s: {answer}"
        await asyncio.sleep(0.05)
    return answer


@dataclass(frozen=True)
class BreakIn:
    """One that was acknowledged to the device."""

    incident: str
    site: DemoSite


class Walk:
    """What a device and the province's duty desk can do with the system of docker-compose.yml."""

    def __init__(self, system: Native, token: str) -> None:
        self.system, self.token = system, token
        headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx.AsyncClient(headers=headers, trust_env=False, timeout=10)
        self._devices = self._one_a_site()

    @staticmethod
    def _one_a_site() -> Iterator[tuple[DemoDevice, DemoSite]]:
        sites = {site.id: site for site in province.demo_sites()}
        for device in province.demo_devices():
            if device.site_id in sites:
                yield device, sites.pop(device.site_id)

    async def get(self, service: str, path: str, **parameters: str) -> Any:
        answer = await self.client.get(self.system.url(service) + path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self) -> BreakIn:
        """A break-in at a site that had none before, by the key of one of its devices."""
        device, site = next(self._devices)
        key = province.device_key(demo_secret(self.system.volume("operator-secrets") / "keys"), device.id)
        now = datetime.now(UTC)
        happened = {"occurred_at": (now - timedelta(seconds=AGE_S)).isoformat(), "sent_at": now.isoformat()}
        signal = {"id": str(uuid.uuid4()), "kind": "break_in", **happened}
        headers = {"Authorization": f"Bearer {key}"}
        answer = await self.client.post(f"{self.system.url('incidents')}/v1/signals", json=signal, headers=headers)
        assert answer.status_code == 201, answer.text
        return BreakIn(answer.json()["incident_id"], site)

    async def alerts(self, of: BreakIn) -> list[dict[str, Any]]:
        """The alerts of an incident, as soon as there are any."""
        page = await until(
            lambda: self.get("notifications", "/v1/alerts", incident_id=of.incident), lambda page: bool(page["items"])
        )
        return list(page["items"])

    async def figures(self, of: BreakIn, right: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The statistics of the site, as soon as they are right."""

        async def ask() -> dict[str, Any]:
            code = of.site.commune_code
            page = await self.get("reporting", "/v1/statistics", group_by="site", commune_code=code, limit="500")
            return next((item for item in page["items"] if item["key"] == str(of.site.id)), {"incidents": 0})

        return dict(await until(ask, right))
