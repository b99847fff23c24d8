"""A clock that a test moves."""

from datetime import timedelta

from foundation.chassis.clock import Clock


class MovableClock(Clock):
    """Runs with the real one, ahead of it by what was advanced."""

    def advance(self, *, seconds: float = 0, **more: float) -> None:
        """Moves it on; ``hours=`` and the like are understood. Call ``world.settle()`` for what became due."""
        self.offset_s += timedelta(seconds=seconds, **more).total_seconds()
