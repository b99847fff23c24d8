"""How long from the POST to the alert on the live stream? On Apache Kafka, the way the province desk sees it.

Idle, five signals a second; at 300 signals a second; and a fire at 60 posts of 60 sites in the same moment, where the
last alert of the last unit counts.
"""

import asyncio
import random
import sys
from collections.abc import Mapping
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.posts import Listener, Posts, fresh_signals, now, until
from benchmarks.stage import options, quantile, tell, whole_system
from foundation.contracts.kinds import KINDS

IDLE_PAUSE_S = (0.1, 0.3)
"""Not in step with anything that happens every so often."""
LOAD_PER_S = 300
AT_ONCE = 60
WARM = 40
REST_S = 3.0
ARRIVED_WITHIN_S = 30.0
IDLE, LOADED = "idle", f"at {LOAD_PER_S} signals a second"
TARGETS = {
    f"{IDLE}: POST to alert, median ms": ("<=", 20.0),
    f"{IDLE}: POST to alert, 99 of 100 within ms": ("<=", 80.0),
    f"{LOADED}: POST to alert, 99 of 100 within ms": ("<=", 500.0),
    f"{AT_ONCE} posts at once: last alert after ms": ("<=", 1000.0),
}


async def main(signals: int, seconds: int, short: bool) -> int:
    async with whole_system() as world:
        fires = fresh_signals(world.devices, ["fire"], rounds=1)
        posts = Posts(world.incidents_url, fresh_signals(world.devices, rounds=1))
        await posts.open()
        listener = await Listener.open(world.notifications_url, world.token)
        await _one_by_one(posts, WARM)
        await _arrived(posts, listener)
        await _one_by_one(posts, signals)
        figures = _shares(IDLE, await _arrived(posts, listener))
        await posts.at_rate(LOAD_PER_S, seconds)
        figures |= _shares(LOADED, await _arrived(posts, listener))
        await asyncio.sleep(REST_S)
        brigade = Posts(world.incidents_url, fires)
        await brigade.open(AT_ONCE)
        figures[f"{AT_ONCE} posts at once: last alert after ms"] = await _at_once(brigade, listener)
        broker_kind = world.broker.kind
        for each in (posts, brigade, listener):
            each.close()
    return tell("latency", figures, TARGETS, short=short, broker=broker_kind, idle_signals=signals, load_s=seconds)


async def _one_by_one(posts: Posts, many: int) -> None:
    for _ in range(many):
        posts.send()
        await asyncio.sleep(random.uniform(*IDLE_PAUSE_S))


async def _at_once(brigade: Posts, listener: Listener) -> float:
    """Milliseconds until the last of all alerts is on the stream."""
    expected = AT_ONCE * len(KINDS["fire"].units)
    begun = now()
    for _ in range(AT_ONCE):
        brigade.send(begun)
    await until(lambda: listener.alerts >= expected, ARRIVED_WITHIN_S, f"{expected} alerts")
    await _arrived(brigade, listener, keep=True)
    return (max(listener.last[incident] for incident in brigade.answered) - begun) * 1000


async def _arrived(posts: Posts, listener: Listener, *, keep: bool = False) -> list[float]:
    """Waits for the alert of every signal; the milliseconds that each took. Begins a new account unless ``keep``."""
    await until(lambda: not posts.unanswered, ARRIVED_WITHIN_S, "all answered")
    assert not posts.refused, posts.refused.most_common(3)
    assert len(posts.answered) == posts.sent, "two signals became one incident"
    await until(lambda: listener.first.keys() >= posts.answered.keys(), ARRIVED_WITHIN_S, "all alerted")
    taken = [(listener.first[incident] - due) * 1000 for incident, due in posts.due.items()]
    if not keep:
        posts.forget()
        listener.forget()
    return taken


def _shares(when: str, taken: list[float]) -> Mapping[str, float]:
    shares = {"median ms": 0.5, "99 of 100 within ms": 0.99, "slowest ms": 1.0}
    return {f"{when}: POST to alert, {name}": quantile(taken, share) for name, share in shares.items()}


if __name__ == "__main__":
    given = options(signals=300, seconds=15)
    sys.exit(uvloop.run(main(given.signals, given.seconds, given.short)))
