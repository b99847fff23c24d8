"""What goes wrong, when: made from a seed, so that a plan (not its interleaving) can be repeated."""

import random
from dataclasses import dataclass

SERVICES = ("incidents", "notifications", "reporting")
WEIGHTS = {
    "kill": 6,
    "pause": 2,
    "crash": 2,
    "cut": 1,
    "half_open": 1,
    "slow": 1,
}
TARGETS = {
    "kill": {"incidents": 4, "notifications": 4, "reporting": 3, "kafka": 2, "postgres": 1},
    "pause": {"incidents": 2, "notifications": 2, "reporting": 2, "kafka": 1, "postgres": 1},
    "crash": {"incidents": 2, "notifications": 2, "reporting": 1},
    "cut": {"posts": 1, "feed": 1, "incidents-db": 1, "notifications-db": 1, "reporting-db": 1},
    "half_open": {"posts": 1, "incidents-db": 1, "notifications-db": 1},
    "slow": {"posts": 1, "incidents-db": 1, "notifications-db": 1},
}
POINTS = {
    "incidents": ("after_commit", "after_publish", "after_effects"),
    "notifications": ("after_publish", "after_effects"),
    "reporting": ("after_effects",),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. ``lasts_s``: until it is put right again; ``then_s``: until the next fault."""

    verb: str
    target: str
    lasts_s: float
    then_s: float
    point: str = ""
    count: int = 0

    @property
    def kills(self) -> bool:
        return self.verb in ("kill", "crash")

    def __str__(self) -> str:
        point = f" {self.point}#{self.count}" if self.point else ""
        return f"{self.verb} {self.target}{point} for {self.lasts_s:.1f} s"


def plan(seed: int, kills: int) -> list[list[Fault]]:
    """Bursts of one to four faults with at least ``kills`` kills in all, each service and server at least twice."""
    dice = random.Random(seed)
    must = [("kill", target) for target in TARGETS["kill"] for _ in range(2)]
    must += [("crash", service) for service in SERVICES]
    if kills < len(must):
        must = [("kill", target) for target in TARGETS["kill"]] + [("crash", "incidents")]
    dice.shuffle(must)
    bursts: list[list[Fault]] = []
    planned = 0
    while planned < kills or must:
        burst = []
        for _ in range(dice.randint(1, 4)):
            if must and (dice.random() < 0.5 or planned >= kills):
                verb, target = must.pop()
            else:
                verb = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
                target = dice.choices(list(TARGETS[verb]), list(TARGETS[verb].values()))[0]
            burst.append(_fault(dice, verb, target))
        planned += sum(fault.kills for fault in burst)
        bursts.append(burst)
    return bursts


def _fault(dice: random.Random, verb: str, target: str) -> Fault:
    lasts, then = dice.uniform(0.1, 2.5), dice.uniform(0.0, 1.5)
    if verb != "crash":
        return Fault(verb, target, lasts, then)
    return Fault(verb, target, lasts, then, dice.choice(POINTS[target]), dice.randint(1, 4))
