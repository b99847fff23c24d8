"""How long from the POST to the alert on the stream: idle, at 300 signals a second, and 60 posts at the same moment."""

import asyncio
import itertools
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from benchmarks.stage import quantile, tell, whole_system
from tests.world.world import World

IDLE_SIGNALS, IDLE_PAUSE_S = 300, 0.15
LOAD_PER_S, LOAD_S = 300, 20
AT_ONCE = 60
KINDS = ("break_in", "theft", "disorder", "vandalism", "missing_person", "tip_off")
TARGETS = {
    "idle: median ms": ("<=", 20.0),
    "idle: 99 of 100 within ms": ("<=", 80.0),
    "at 300 a second: 99 of 100 within ms": ("<=", 500.0),
    "60 at once: last alert after ms": ("<=", 1000.0),
}


class Sender:
    """Sends signals that each become an incident of their own, and hears when their alerts come."""

    def __init__(self, world: World) -> None:
        self.world = world
        one_a_site = {device["site_id"]: device for device in world.devices}
        pairs = [(device, kind, round_) for round_ in range(400) for kind in KINDS for device in one_a_site.values()]
        self._next = iter(pairs)
        self.sent: dict[str, float] = {}
        self.alerted: dict[str, float] = {}
        self.http = httpx.AsyncClient(trust_env=False, timeout=30, limits=httpx.Limits(max_connections=64))

    async def send(self) -> None:
        device, kind, round_ = next(self._next)
        now = datetime.now(UTC)
        happened = now - timedelta(minutes=46) * (round_ % 20)  # beyond the window of 45 minutes, within the day
        body = {"id": str(uuid.uuid4()), "kind": kind, "occurred_at": happened.isoformat(), "sent_at": now.isoformat()}
        begun = time.perf_counter()
        answer = await self.http.post(
            f"{self.world.incidents_url}/v1/signals", json=body, headers={"Authorization": f"Bearer {device['key']}"}
        )
        assert answer.status_code == 201, answer.text
        self.sent[answer.json()["incident_id"]] = begun

    async def listen(self) -> None:
        """Notes when the first alert of each incident comes; reads the stream without parsing more than it must."""
        headers = {"Authorization": f"Bearer {self.world.token}"}
        async with self.http.stream(
            "GET", f"{self.world.notifications_url}/v1/stream", headers=headers, timeout=None
        ) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data:") and (at := line.find('"incident_id":"')) > 0:
                    self.alerted.setdefault(line[at + 15 : at + 51], time.perf_counter())

    async def heard(self, holds: Callable[[], bool], within_s: float) -> None:
        until = time.monotonic() + within_s
        while not holds() and time.monotonic() < until:
            await asyncio.sleep(0.02)

    def latencies_ms(self) -> list[float]:
        missing = self.sent.keys() - self.alerted.keys()
        assert not missing, f"{len(missing)} of {len(self.sent)} never came"
        return [(self.alerted[one] - begun) * 1000 for one, begun in self.sent.items()]

    def forget(self) -> None:
        self.sent.clear()
        self.alerted.clear()


async def main() -> int:
    figures: dict[str, Any] = {}
    async with whole_system() as world:
        sender = Sender(world)
        listening = asyncio.create_task(sender.listen())
        await asyncio.sleep(2)
        for _ in range(20):  # warm
            await sender.send()
        await sender.heard(lambda: len(sender.alerted) >= 20, 20)
        sender.forget()
        for _ in range(IDLE_SIGNALS):
            await sender.send()
            await asyncio.sleep(IDLE_PAUSE_S)
        figures |= await _told(sender, {"idle: median ms": 0.5, "idle: 99 of 100 within ms": 0.99})
        await _at_rate(sender, LOAD_PER_S, LOAD_S)
        figures |= await _told(
            sender, {"at 300 a second: median ms": 0.5, "at 300 a second: 99 of 100 within ms": 0.99}
        )
        await asyncio.sleep(3)
        await asyncio.gather(*(sender.send() for _ in range(AT_ONCE)))
        figures |= await _told(sender, {"60 at once: last alert after ms": 1.0})
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return tell("latency", figures, TARGETS)


async def _at_rate(sender: Sender, per_s: int, seconds: int) -> None:
    """Open loop: a signal is due every 1/rate s, whether or not those before it are answered."""
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in itertools.takewhile(lambda n: n < per_s * seconds, itertools.count()):
            due = begun + number / per_s
            if (left := due - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            group.create_task(sender.send())


async def _told(sender: Sender, shares: Mapping[str, float]) -> dict[str, float]:
    await sender.heard(lambda: sender.sent.keys() <= sender.alerted.keys(), 30)
    values = sender.latencies_ms()
    sender.forget()
    return {name: quantile(values, share) for name, share in shares.items()}


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
