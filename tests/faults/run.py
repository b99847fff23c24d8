"""A fault run: posts that never give up, officers who act, faults by plan; and the accounts at the end."""

import asyncio
import contextlib
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import httpx

from tests.faults.plan import SERVICES, Fault, plan
from tests.world import ports, processes
from tests.world.accounting import Report
from tests.world.found import FoundAlert, FoundIncident, FoundSignal
from tests.world.links import Link
from tests.world.services import ProcessService
from tests.world.sql import run as sql
from tests.world.world import World

KINDS = ("break_in", "fire", "theft", "disorder", "panic", "vandalism", "info_leak", "missing_person")
POSTS = 6
RATE_PER_S = 20.0
RECOVER_WITHIN_S = 40.0
SETTLE_WITHIN_S = 90.0


class FaultRun:
    """One run over a world of processes."""

    def __init__(self, world: World, seed: int, kills: int) -> None:
        self.world = world
        self.plan = plan(seed, kills)
        self.done: Counter[str] = Counter()
        self._dice = random.Random(seed + 1)
        self._links: dict[str, Link] = {}
        self._over = asyncio.Event()
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._said_at = time.monotonic()

    async def run(self) -> Report:
        """Everything; returns the accounts."""
        await self._put_links_between()
        people = [asyncio.create_task(self._post()) for _ in range(POSTS)]
        people.append(asyncio.create_task(self._officers()))
        try:
            for number, burst in enumerate(self.plan, 1):
                await self._burst(number, burst)
            self._over.set()
            await asyncio.gather(*people)
        finally:
            for person in people:
                person.cancel()
            await asyncio.gather(*people, return_exceptions=True)
        await self.world.settle(SETTLE_WITHIN_S)
        await self._streams_are_gapless()
        return await self._accounts()

    async def _put_links_between(self) -> None:
        """Posts, feeds and databases are reached through links that can be cut."""
        for name in SERVICES:
            url = urlsplit(self.world.databases[name])
            real = Path(unquote(url.query.removeprefix("host=")))
            folder = Path(f"/tmp/vg-link-{ports.free_port()}")
            folder.mkdir(mode=0o700)
            self._links[f"{name}-db"] = Link(folder / ".s.PGSQL.5432", real / ".s.PGSQL.5432")
            self.world.environment[f"{name.upper()}_DATABASE_URL"] = (
                self.world.databases[name].split("?")[0] + f"?host={quote(str(folder), safe='')}"
            )
        incidents = self._service("incidents")
        for name in ("posts", "feed"):
            self._links[name] = Link(ports.free_port(), incidents.port)
        self.posts_url = f"http://127.0.0.1:{self._links['posts']._listen}"
        self.world.environment["INCIDENTS_URL"] = f"http://127.0.0.1:{self._links['feed']._listen}"
        for link in self._links.values():
            await link.start()
        for name in SERVICES:
            self._service(name).learn(self.world.environment)
            await self._service(name).stop()
        await asyncio.gather(*(self._service(name).start() for name in SERVICES))

    def _service(self, name: str) -> ProcessService:
        service = self.world.services[name][0]
        assert isinstance(service, ProcessService)
        return service

    async def _post(self) -> None:
        """A post: each signal keeps its id and is sent until it is answered."""
        while not self._over.is_set():
            device, kind = self._dice.choice(self.world.devices), self._dice.choice(KINDS)
            first = await self.world.post(kind, device=device, url=self.posts_url)
            occurred = first
            while occurred.status is None or occurred.status >= 500:
                await asyncio.sleep(0.3)
                occurred = await self.world.post(
                    kind, device=device, url=self.posts_url, signal_id=first.signal_id, at=first.at
                )
            assert occurred.status in (200, 201), occurred
            await asyncio.sleep(POSTS / RATE_PER_S)

    async def _officers(self) -> None:
        """Acknowledge, stand down, resolve and cancel now and then; a door that is shut is tried again later."""
        while not self._over.is_set():
            await asyncio.sleep(0.5)
            with contextlib.suppress(httpx.HTTPError):
                page = await self.world.desk.client.get("/v1/alerts", params={"status": "open", "limit": "50"})
                if page.status_code != 200 or not page.json()["items"]:
                    continue
                alert = self._dice.choice(page.json()["items"])
                await self.world.desk.act(alert, self._dice.choice(("acknowledge", "dispatch", "on-scene")))
                if self._dice.random() < 0.3:
                    action = self._dice.choice(("resolve", "cancel"))
                    await self.world.operate(alert["incident_id"], action)

    async def _burst(self, number: int, burst: list[Fault]) -> None:
        """The faults of one burst overlap; afterwards all must be well again, and a signal must be taken."""
        undo: list[asyncio.Task[None]] = []
        for fault in burst:
            self._say(f"burst {number}/{len(self.plan)}: {fault}")
            self.done[fault.verb] += 1
            self.done["kills"] += fault.kills
            undo.append(asyncio.create_task(self._suffer(fault)))
            await asyncio.sleep(fault.then_s)
        await asyncio.gather(*undo)
        await self._all_well()

    async def _suffer(self, fault: Fault) -> None:
        verbs: dict[str, Callable[[Fault], Awaitable[None]]] = {
            "kill": self._kill, "pause": self._pause, "crash": self._crash,
        }  # fmt: skip
        async with self._one_at_a_time[fault.target]:  # faults of different parts overlap, those of one do not
            await verbs.get(fault.verb, self._hurt_link)(fault)

    async def _kill(self, fault: Fault) -> None:
        if fault.target == "kafka":
            await self.world.broker.kill()
        elif fault.target == "postgres":
            await self.world.cluster.kill()
        else:
            await self._service(fault.target).kill()
        await asyncio.sleep(fault.lasts_s)
        await self._bring_back(fault.target)

    async def _bring_back(self, target: str) -> None:
        if target == "kafka":
            await self.world.broker.start()
        elif target == "postgres":
            await self.world.cluster.start()
        else:
            await self._service(target).launch()

    async def _pause(self, fault: Fault) -> None:
        part = {"kafka": self.world.broker, "postgres": self.world.cluster}.get(fault.target)
        paused = part or self._service(fault.target)
        await paused.pause()
        await asyncio.sleep(fault.lasts_s)
        await paused.resume()

    async def _crash(self, fault: Fault) -> None:
        """The service starts anew, to die by itself at a point; if it does not come there in time, it is killed."""
        service = self._service(fault.target)
        await service.kill()
        argv = [sys.executable, "-m", "tests.faults.crashing", fault.target, fault.point, str(fault.count)]
        process = processes.spawn(argv, log=service.log, env=service.environment)
        if await processes.ended(process, 15.0):
            self.done[f"died {fault.point}"] += 1
        else:
            await processes.kill(process)
        await service.launch()

    async def _hurt_link(self, fault: Fault) -> None:
        link = self._links[fault.target]
        if fault.verb == "cut":
            await link.cut()
        elif fault.verb == "half_open":
            link.half_open()
        else:
            link.slow(0.1)
        await asyncio.sleep(fault.lasts_s)
        await link.heal()

    async def _all_well(self) -> None:
        """Everything runs and answers within ``RECOVER_WITHIN_S``, and a signal is taken."""
        for link in self._links.values():
            await link.heal()
        await self.world.cluster.resume()
        await self.world.broker.resume()
        await self.world.cluster.start()
        await self.world.broker.start()
        await asyncio.gather(*(self._service(name).start() for name in SERVICES))
        until = time.monotonic() + RECOVER_WITHIN_S
        while (probe := await self.world.post("theft", url=self.posts_url)).status != 201:
            assert time.monotonic() < until, f"no signal is taken after the burst: {probe}"
            await asyncio.sleep(0.2)

    async def _streams_are_gapless(self) -> None:
        query = "SELECT topic, count(*) = max(sequence) AND min(sequence) = 1 AS whole FROM ledger GROUP BY topic"
        for name in ("incidents", "notifications"):
            for row in await sql(self.world.databases[name], query):
                assert row["whole"], f"the stream {row['topic']} has a gap"

    async def _accounts(self) -> Report:
        incidents = await self.world.listed("incidents", "/v1/incidents")
        signals = await sql(self.world.databases["incidents"], "SELECT id, incident_id FROM signal")
        alerts = await self.world.desk.alerts()
        ended = {item["id"] for item in incidents if item["status"] in ("resolved", "cancelled")}
        still = [alert["id"] for alert in alerts if alert["incident_id"] in ended and alert["status"] != "stood_down"]
        assert not still, f"alerts of ended incidents that are not stood down: {still}"
        figures: dict[tuple[str, str], int] = {}
        for kind in KINDS:
            for item in await self.world.listed("reporting", "/v1/statistics", group_by="commune", kind=kind):
                figures[kind, item["key"]] = item["incidents"]
        return self.world.accounting.report(
            [FoundSignal.of(row) for row in signals],
            [FoundIncident.of(item) for item in incidents],
            [FoundAlert.of(item) for item in alerts],
            figures,
        )

    def _say(self, text: str) -> None:
        acknowledged = len(self.world.accounting.answers)
        print(f"{time.monotonic() - self._said_at:7.1f} s  {acknowledged:6} acknowledged  {text}", flush=True)
