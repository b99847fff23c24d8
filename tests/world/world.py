"""A whole system for one test: three services, three databases, topics of its own, the demo province as its cast."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from foundation.chassis.identity import create_key, create_token
from foundation.contracts.fields import rfc3339
from services.incidents import service as incidents
from services.incidents.settings import Settings as IncidentsSettings
from services.notifications import service as notifications
from tests.world.accounting import Accounting
from tests.world.brokers import Broker
from tests.world.clock import MovableClock
from tests.world.consoles import Console
from tests.world.databases import Cluster
from tests.world.logs import LogWatch
from tests.world.services import NAMES, InlineService, ProcessService, Service
from vonggac.demo.seed import demo_rows, device_list

DEMO_SECRET = b"the demo secret of all test worlds"
SETTLE_WITHIN_S = 20.0
TOPICS = ("vonggac.incidents", "vonggac.alerts", "vonggac.sites")


async def prepare_templates(cluster: Cluster) -> None:
    """Migrated databases with the demo province in them, to be copied for each world."""
    sites, posts, devices, units = demo_rows(DEMO_SECRET)

    async def register(url: str) -> None:
        await incidents.put_register(sites, posts, devices, IncidentsSettings(database_url=url))

    async def seed_units(url: str) -> None:
        await notifications.seed_units(notifications.Settings(database_url=url), "44", units)

    await cluster.prepare("incidents", register)
    await cluster.prepare("notifications", seed_units)


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that was sent, with its answer; ``status`` is None when none came."""

    signal_id: str
    device: Mapping[str, Any]
    kind: str
    at: datetime
    status: int | None
    body: Mapping[str, Any]

    @property
    def incident_id(self) -> str:
        return str(self.body["incident_id"])


@dataclass
class World:
    """``async with``: starts all that ``services`` names, and ends it."""

    cluster: Cluster
    broker: Broker
    folder: Path
    processes: bool = False
    clock: MovableClock = field(default_factory=MovableClock)
    accounting: Accounting = field(default_factory=Accounting)
    settings: dict[str, str] = field(default_factory=dict)
    heard: LogWatch | None = None
    """Follows the log files of processes."""

    async def __aenter__(self) -> "World":
        self.keys = self.folder / "keys"
        for name in (*NAMES, "vonggac"):
            create_key(self.keys, name)
        prefix = f"w{uuid.uuid4().hex[:8]}."
        self.databases = dict(zip(NAMES, await asyncio.gather(
            self.cluster.create("incidents"), self.cluster.create("notifications"), self.cluster.create()
        ), strict=True))  # fmt: skip
        await self.broker.create_topics([prefix + topic for topic in TOPICS])
        self.prefix = prefix
        self.environment = {
            "TOPIC_PREFIX": prefix,
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "EMBEDDED_BROKER": str(self.broker.kind == "embedded").lower(),
            "KEYS_DIR": str(self.keys),
            "HEADS_EVERY_S": "1",
            "SILENCE_S": "1",
            **{f"{name.upper()}_DATABASE_URL": url for name, url in self.databases.items()},
            **self.settings,
        }
        self.devices = device_list(DEMO_SECRET)
        self._next_device = 0
        self.services: dict[str, list[Service]] = {name: [self.another(name)] for name in NAMES}
        self.environment |= {
            "INCIDENTS_URL": self.services["incidents"][0].url,
            "NOTIFICATIONS_URL": self.services["notifications"][0].url,
        }
        for name in NAMES:  # again: now they know one another's addresses
            self.services[name][0].learn(self.environment)
        self.token = self.token_of("province_desk")
        self.http = httpx.AsyncClient(trust_env=False, timeout=20)
        self.desk = self.console()
        await asyncio.gather(*(self.start(name) for name in NAMES))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.desk.close()
        await self.http.aclose()
        await asyncio.gather(*(one.stop() for several in self.services.values() for one in several))
        for url in self.databases.values():
            await self.cluster.drop(url)
        with contextlib.suppress(Exception):
            await self.broker.delete_topics([self.prefix + topic for topic in TOPICS])

    def another(self, name: str) -> Service:
        """One more process of a service on the same database, not started."""
        if self.processes:
            service = ProcessService(name, self.environment, self.folder)
            if self.heard is not None:
                self.heard.follow(service.log)
            return service
        return InlineService(name, self.environment, self.clock)

    async def start(self, part: str) -> None:
        """A service, or ``kafka``, or ``postgres``."""
        if part == "kafka":
            await self.broker.start()
        elif part == "postgres":
            await self.cluster.start()
        else:
            await asyncio.gather(*(one.start() for one in self.services[part]))

    async def stop(self, part: str) -> None:
        await (self.broker.stop() if part == "kafka" else self._each(part, "stop"))

    async def kill(self, part: str) -> None:
        await (self.broker.kill() if part == "kafka" else self._each(part, "kill"))

    async def _each(self, part: str, verb: str) -> None:
        await asyncio.gather(*(getattr(one, verb)() for one in self.services[part]))

    @property
    def incidents_url(self) -> str:
        return self.services["incidents"][0].url

    @property
    def notifications_url(self) -> str:
        return self.services["notifications"][0].url

    @property
    def reporting_url(self) -> str:
        return self.services["reporting"][0].url

    def token_of(self, role: str, **claims: str) -> str:
        return create_token(self.keys, "vonggac", role=role, area="44", seconds=3600, **claims)

    def console(self, unit: str | None = None) -> Console:
        """Of a unit, or of the province desk."""
        token = self.token_of("unit_officer", unit=unit) if unit else self.token
        return Console(self.notifications_url, token)

    async def login_link(self) -> str:
        """A one-time link to the wall screen."""
        answer = await self.http.post(f"{self.notifications_url}/v1/login-codes", json={}, headers=self.bearer)
        answer.raise_for_status()
        return f"{self.notifications_url}/#login={answer.json()['code']}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def device(self, *, site: str | None = None) -> dict[str, Any]:
        """A device of a site, or the first device of the next site."""
        if site is None:
            sites = list(dict.fromkeys(device["site_id"] for device in self.devices))
            site = sites[self._next_device % len(sites)]
            self._next_device += 1
        return next(device for device in self.devices if device["site_id"] == site)

    async def post(
        self, kind: str, *, device: Mapping[str, Any] | None = None, at: datetime | None = None,
        signal_id: str | None = None, url: str | None = None, **fields: Any,
    ) -> Signal:  # fmt: skip
        """Sends one signal once, and keeps account of it. ``at``: when it happened (default: now)."""
        device = device or self.device()
        now = self.clock.now()
        body = {
            "id": signal_id or str(uuid.uuid4()), "kind": kind, "occurred_at": rfc3339(at or now),
            "sent_at": rfc3339(now), **fields,
        }  # fmt: skip
        self.accounting.attempted(
            body["id"], kind, device["commune_code"], device["site_id"], drill=bool(fields.get("drill", False))
        )
        try:
            answer = await self.http.post(
                f"{url or self.incidents_url}/v1/signals", json=body,
                headers={"Authorization": f"Bearer {device['key']}"},
            )  # fmt: skip
        except httpx.HTTPError:
            self.accounting.unknown(body["id"])
            return Signal(body["id"], device, kind, at or now, None, {})
        if answer.is_success:
            self.accounting.acknowledged(body["id"], answer.json())
        elif answer.status_code >= 500:
            self.accounting.unknown(body["id"])
        else:
            self.accounting.refused(body["id"])
        return Signal(body["id"], device, kind, at or now, answer.status_code, answer.json())

    async def operate(self, incident_id: str, action: str, **words: str) -> dict[str, Any]:
        """An operator confirms, resolves or cancels. Fails unless it works."""
        answer = await self.http.post(
            f"{self.incidents_url}/v1/incidents/{incident_id}/{action}", json=words, headers=self.bearer
        )
        answer.raise_for_status()
        return dict(answer.json())

    async def get(self, service: str, path: str, **params: str) -> Any:
        """The JSON of a door of a service. Fails unless it answers 2xx."""
        answer = await self.http.get(f"{self.services[service][0].url}{path}", params=params, headers=self.bearer)
        answer.raise_for_status()
        return answer.json()

    async def listed(self, service: str, path: str, **params: str) -> list[dict[str, Any]]:
        """All items of a list, over all its pages."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(service, path, limit="500", **params, **cursor)
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = {"cursor": page["next"]}

    async def settle(self, within_s: float = SETTLE_WITHIN_S) -> None:
        """Until nothing is left to do now: twice in a row every consumer is at the head of every stream."""
        until, calm, left = time.monotonic() + within_s, 0, "nothing asked yet"
        while calm < 2:
            left = await self._left()
            calm = 0 if left else calm + 1
            if time.monotonic() > until:
                raise AssertionError(f"not settled within {within_s} s: {left}")
            await asyncio.sleep(0.02)

    async def _left(self) -> str:
        """What is still on its way; empty when nothing is."""
        try:
            answers = {name: await self.get(name, "/v1/status") for name in NAMES}
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        heads = {
            (stream["topic"], stream["area"]): stream for answer in answers.values() for stream in answer["streams"]
        }
        left = [
            f"{place} relayed {s['relayed']} of {s['head']}" for place, s in heads.items() if s["relayed"] < s["head"]
        ]
        for name, topics in CONSUMES.items():
            have = {(row["topic"], row["area"]): row["sequence"] for row in answers[name]["consumed"]}
            for place, stream in heads.items():
                if place[0] in topics and have.get(place, 0) < stream["head"]:
                    left.append(f"{name} has {have.get(place, 0)} of {stream['head']} of {place}")
        if put_off := answers["notifications"]["counts"]["incidents_put_off"]:
            left.append(f"{put_off} incidents wait for routing")
        return "; ".join(left)


CONSUMES = {
    "incidents": ("vonggac.alerts",),
    "notifications": ("vonggac.incidents",),
    "reporting": ("vonggac.incidents", "vonggac.alerts", "vonggac.sites"),
}
