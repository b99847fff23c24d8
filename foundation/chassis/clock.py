"""The only place that asks what time it is."""

import asyncio
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

HO_CHI_MINH = ZoneInfo("Asia/Ho_Chi_Minh")


class Clock:
    """The wall clock in UTC. Tests in one process move ``offset_s``; nobody else does."""

    def __init__(self) -> None:
        self.offset_s = 0.0

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def timestamp(self) -> float:
        """The present instant in seconds since 1970."""
        return datetime.now(UTC).timestamp() + self.offset_s


async def pause(seconds: float, *, or_when: asyncio.Event | None = None) -> None:
    """Waits ``seconds``, or less when ``or_when`` is set; clears it."""
    if or_when is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await or_when.wait()
    except TimeoutError:
        pass
    or_when.clear()
