"""Serves a service that dies at a named point: ``python -m tests.faults.crashing SERVICE POINT NTH``.

The points are the windows between two steps that must survive a crash between them:
``after_commit`` (stored, not answered), ``after_publish`` (in Kafka, cursor not moved),
``after_effects`` (applied, offset not said to Kafka). The process ends as by ``kill -9``.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from foundation.streams import relay
from foundation.streams.consumer import StreamConsumer
from services.incidents.intake import Intake

POINTS = ("after_commit", "after_publish", "after_effects")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _nth(count: int) -> Callable[[], None]:
    left = count

    def passed() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            die()

    return passed


def arm(point: str, count: int) -> None:
    """The process dies when it passes ``point`` for the ``count``-th time."""
    passed = _nth(count)
    if point == "after_commit":
        stored = Intake._stored

        async def store_and_die(self: Intake, batch: Any) -> Any:
            answers = await stored(self, batch)
            passed()
            return answers

        Intake._stored = store_and_die  # type: ignore[method-assign]
    elif point == "after_publish":
        move = relay._move

        async def die_and_move(*arguments: Any) -> None:
            passed()
            await move(*arguments)

        relay._move = die_and_move
    else:
        after: Callable[..., Awaitable[None]] = StreamConsumer.after_batch

        async def die_then(self: StreamConsumer, *arguments: Any) -> None:
            passed()
            await after(self, *arguments)

        StreamConsumer.after_batch = die_then  # type: ignore[method-assign]


if __name__ == "__main__":
    from vonggac.cli import main

    service, point, count = sys.argv[1:]
    assert point in POINTS
    arm(point, int(count))
    sys.exit(main(["serve", service]))
