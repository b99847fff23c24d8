"""Simulated posts: real signals over real HTTP, now and then, from the demo devices of a province at its usual pace."""

import asyncio
import json
import random
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

from vonggac.demo.seed import device_list

PAUSE_S = (15.0, 60.0)
"""Shortest and longest pause between two signals, in seconds."""
CANCELLED = 0.2
"""Share of presses that the guard takes back within the grace time."""
KINDS = {
    "break_in": 20, "theft": 15, "disorder": 12, "vandalism": 8, "medical": 6, "missing_person": 3, "fire": 3,
    "panic": 3, "power_loss": 10, "tamper": 8, "drill": 12,
}  # fmt: skip
TIMEOUT_S = 5.0
ATTEMPTS = 20


async def simulate(incidents_url: str, secret: bytes) -> None:
    """Sends until cancelled; each signal keeps its id and is tried again when it was not answered."""
    devices = device_list(secret)
    dice = random.Random()  # noqa: S311 - a demonstration, not a secret
    while True:
        await asyncio.sleep(dice.uniform(*PAUSE_S))
        device, kind = dice.choice(devices), dice.choices(list(KINDS), list(KINDS.values()))[0]
        await _send(incidents_url, device, kind, "alarm")
        if dice.random() < CANCELLED:
            await asyncio.sleep(dice.uniform(5, 30))
            await _send(incidents_url, device, kind, "cancel")


async def _send(incidents_url: str, device: dict[str, Any], kind: str, event: str) -> None:
    now = _now()
    body = {"id": str(uuid.uuid4()), "kind": kind, "event": event, "occurred_at": now}
    for attempt in range(ATTEMPTS):
        if await asyncio.to_thread(_post, incidents_url, device["key"], body | {"sent_at": _now()}):
            return
        await asyncio.sleep(min(1.5**attempt, 30))


def _post(incidents_url: str, key: str, body: dict[str, Any]) -> bool:
    """True when there is no use in trying again."""
    request = urllib.request.Request(  # noqa: S310 - the address is ours
        f"{incidents_url}/v1/signals",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return 400 <= error.code < 500 and error.code not in (408, 429)
    except OSError:
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat()
