"""What is the highest rate that the whole system keeps, every signal an incident, nothing later than a second?

Three services, Kafka, PostgreSQL and the load share the machine. Open loop. For as long as the rate is held,
none of these may exceed a second:

- a signal is answered, counted from the instant it was due,
- its alert is on the live stream, counted from the answer,
- every consumer has applied what its stream holds: alerts, the timeline of the incident, the figures.

Short probes search; the rate they find is then held for a minute on fresh databases, and lowered if it fails.
"""

import asyncio
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.lags import Streams
from benchmarks.posts import Listener, Posts, fresh_signals, now, until
from benchmarks.stage import cpu_seconds, options, quantile, servers, system, tell
from tests.world.brokers import Broker
from tests.world.databases import Cluster
from tests.world.world import World

LATEST_S = 1.0
FIRST_RATE, HIGHEST_RATE = 400, 6400
CLOSE_ENOUGH = 1.05
STEP_DOWN, TRIES = 0.95, 6
WARM_RATE, WARM_S = 100, 3
DRAIN_S = 60
FIGURE = "sustained: signals a second for 60 s, nothing a second late"


@dataclass
class Run:
    """One rate, held for a while. Seconds; ``late``: what exceeded a second, empty if nothing did."""

    rate: float
    kept_s: float
    sent: int
    late: list[str]
    answered: dict[str, float] = field(default_factory=dict)
    alerted: dict[str, float] = field(default_factory=dict)
    consumers: dict[str, float] = field(default_factory=dict)
    cores: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = {"answer": self.answered.get("max"), "alert": self.alerted.get("max"), **self.consumers}
        lags = ", ".join(f"{who} {lag:.2f}" for who, lag in shown.items() if lag is not None)
        said = f"late: {'; '.join(self.late)}" if self.late else "kept"
        return f"{self.rate:6.0f}/s for {self.kept_s:4.1f} s  {said}\n           worst, s: {lags}"


class Hall:
    """One world with its load and everything that watches it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.posts = Posts(world.incidents_url, fresh_signals(world.devices))
        self.streams = Streams(world)

    async def __aenter__(self) -> "Hall":
        await self.posts.open()
        self.listener = await Listener.open(self.world.notifications_url, self.world.token)
        await self.streams.open()
        self._watching = asyncio.create_task(self.streams.watch())
        await self.hold(WARM_RATE, WARM_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        self.posts.close()
        self.listener.close()
        await self.streams.close()

    async def hold(self, rate: float, seconds: float) -> Run:
        """Holds a rate for so many seconds, or until it is lost; returns when all has arrived."""
        await until(lambda: self.streams.settled, DRAIN_S, "settled before the run")
        for account in (self.posts, self.listener, self.streams):
            account.forget()
        before = cpu_seconds(self.world)
        kept_s = await self.posts.at_rate(rate, seconds, give_up=lambda: bool(self._lost(rate)))
        late = self._lost(rate)
        cores = {name: round((used - before[name]) / kept_s, 2) for name, used in cpu_seconds(self.world).items()}
        await self._arrived()
        run = Run(rate, kept_s, self.posts.sent, late, cores=cores)
        self._measure(run)
        return run

    def _lost(self, rate: float) -> list[str]:
        """What is more than a second behind at this moment."""
        unheard = len(self.posts.answered) - len(self.listener.first)
        behind = {"answers": self.posts.unanswered / rate, "alerts": unheard / rate, **self.streams.lag}
        return [who for who, lag in behind.items() if lag > LATEST_S]

    async def _arrived(self) -> None:
        """Nothing may be lost, also of a run that was too fast."""
        await until(lambda: not self.posts.unanswered, DRAIN_S, "all answered")
        assert not self.posts.refused, self.posts.refused.most_common(3)
        assert len(self.posts.answered) == self.posts.sent, "two signals became one incident"
        await until(lambda: self.listener.first.keys() >= self.posts.answered.keys(), DRAIN_S, "all alerted")
        await until(lambda: self.streams.settled, DRAIN_S, "all counted")

    def _measure(self, run: Run) -> None:
        posts, first = self.posts, self.listener.first
        answers = [at - posts.due[incident] for incident, at in posts.answered.items()]
        alerts = [first[incident] - at for incident, at in posts.answered.items()]
        run.answered, run.alerted = _spread(answers), _spread(alerts)
        run.consumers = {who: round(lag, 3) for who, lag in sorted(self.streams.worst.items())}
        worst = {"answer": run.answered["max"], "alert": run.alerted["max"], **run.consumers}
        run.late = run.late or [who for who, lag in worst.items() if lag > LATEST_S]
        if self.listener.resets:
            run.late.append("the console could not follow")
        if self.streams.missed > LATEST_S:
            run.late.append("the measurement itself stood still")


def _spread(values: list[float]) -> dict[str, float]:
    return {name: round(quantile(values, share), 4) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}


async def _search(hall: Hall, seconds: float) -> tuple[float, list[Run]]:
    """Doubles until a rate is lost, then halves the interval; the highest rate that was kept.

    Lost is a rate that was lost twice: one stall of the machine must not send the search below what is true.
    """
    kept, lost, rate, runs = 0.0, 0.0, float(FIRST_RATE), []
    while kept < HIGHEST_RATE and (not lost or lost > kept * CLOSE_ENOUGH):
        for _ in range(2):
            run = await hall.hold(rate, seconds)
            runs.append(run)
            print(run, flush=True)
            if not run.late:
                break
        kept, lost = (kept, rate) if run.late else (rate, lost)
        rate = (kept + lost) / 2 if lost else kept * 2
        if rate < FIRST_RATE / 8:
            break
    return kept, runs


async def _hold_for_good(
    cluster: Cluster, broker: Broker, path: Path, rate: float, seconds: float
) -> tuple[Run | None, list[Run]]:
    """The first rate from ``rate`` downwards that is kept for the whole time."""
    runs: list[Run] = []
    for _ in range(TRIES):
        async with system(cluster, broker, path) as world, Hall(world) as hall:
            run = await hall.hold(rate, seconds)
            counted = (await world.get("reporting", "/v1/status"))["counts"]["complete"]
        print(run, f"\n           cores: {run.cores}, counted by reporting: {counted}", flush=True)
        runs.append(run)
        if not run.late:
            return run, runs
        rate *= STEP_DOWN
    return None, runs


async def main(seconds: int, probe_seconds: int, rate: int, short: bool) -> int:
    begun = now()
    async with servers() as (cluster, broker, path):
        found, probes = float(rate), []
        if not rate:
            async with system(cluster, broker, path) as world, Hall(world) as hall:
                found, probes = await _search(hall, probe_seconds)
        print(f"--- {found:.0f}/s for {seconds} s", flush=True)
        held, tries = await _hold_for_good(cluster, broker, path, found, seconds)
        broker_kind = broker.kind
    figures = {FIGURE: held.rate if held else 0.0}
    if held:
        figures |= {
            "sustained: worst answer, s": held.answered["max"],
            "sustained: worst alert after its answer, s": held.alerted["max"],
            "sustained: alerts, 99 of 100 within s": held.alerted["p99"],
            "sustained: worst lag of a consumer, s": max(held.consumers.values()),
            "sustained: cores used by all": sum(held.cores.values()),
        }
    return tell(
        "sustained", figures, {FIGURE: (">=", 800.0)}, short=short, broker=broker_kind, seconds=seconds,
        took_s=round(now() - begun), probes=[asdict(run) for run in probes], tries=[asdict(run) for run in tries],
    )  # fmt: skip


if __name__ == "__main__":
    given = options(seconds=60, probe_seconds=10, rate=0)
    sys.exit(uvloop.run(main(given.seconds, given.probe_seconds, given.rate, given.short)))
