"""Live pages: one reader of the ledger a process, one bounded queue a page.

The id of an event *is* its number in the ledger, and the ledger is gapless in commit order. So "all up to n" has a
meaning, whichever process committed, and a page that comes back with the last number it saw misses nothing.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import asyncpg
import orjson
from prometheus_client import Counter, Gauge

from foundation.chassis.clock import Clock, pause
from foundation.chassis.database import Database
from foundation.chassis.problems import Problem
from foundation.contracts.alerts import TOPIC
from foundation.contracts.events import Event
from foundation.contracts.fields import rfc3339
from foundation.streams import ledger
from services.notifications.notices import QUIET, Notices, look
from services.notifications.settings import Settings

PAGE = 500
POLL_S = 1.0
"""Safety net under NOTIFY."""
READ_TIMEOUT_S = 10.0
READY_WITHIN_S = 5.0
MAX_NUMBER = 2**63 - 1

CLIENTS = Gauge("vonggac_stream_clients", "Pages on the live stream of this process")
RESETS = Counter("vonggac_stream_resets_total", "Times a page was told to fetch the list again", ["why"])


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of the stream, ready to be sent; ``unit`` is kept beside it, so that nobody parses it again."""

    sequence: int
    unit: str
    text: bytes


@dataclass(eq=False)
class Page:
    """One connected page. ``after``: what it has another way. ``seen``: how far it is, sent or not for its eyes."""

    area: str
    unit: str | None
    after: int
    seen: int
    waiting: int
    """Most frames that wait."""
    frames: deque[bytes] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, frame: Frame) -> bool:
        return self.unit is None or frame.unit == self.unit

    def offer(self, frame: Frame) -> None:
        """Queues a frame; a page that is too slow loses its queue and is told to fetch the list again."""
        if frame.sequence <= self.after:
            return
        self.seen = frame.sequence
        if not self.wants(frame):
            return
        if len(self.frames) >= self.waiting:
            self.reset(frame.sequence, "slow")
        else:
            self.frames.append(frame.text)
            self.wake.set()

    def reset(self, at: int, why: str) -> None:
        """Tells the page that a list fetched from now on, and what follows ``at``, is all it needs."""
        RESETS.labels(why).inc()
        self.frames.clear()
        self.frames.append(_sse("reset", at, orjson.dumps({"sequence": at})))
        self.after = self.seen = at
        self.wake.set()


class Hub:
    """The live stream of one process."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._wake = asyncio.Event()
        self._placed = asyncio.Event()
        self._closing = False
        self._reading = False
        self._pages: set[Page] = set()
        self._at: dict[str, int] = {}
        """The number up to which an area's ledger was handed to all pages."""
        self._notices: dict[str, Notices] = {}

    async def read(self) -> None:
        """Hands the ledger to all pages, from where it was, until cancelled; raises when the database goes away."""
        async with self._database.listening(ledger.CHANNEL, self._wake) as connection:
            try:
                await self._place(connection)
                self._reading = True
                while True:
                    for area in self._settings.areas:
                        await self._hand_out(connection, area)
                    await pause(POLL_S, or_when=self._wake)
            finally:
                self._reading = False

    async def look(self) -> None:
        """Looks, until cancelled, for what pages should be told is wrong."""
        since = self._clock.now()
        while True:
            for area in self._settings.areas:
                self._notices[area] = await look(self._database, area, since, self._clock.now(), self._settings)
            await pause(self._settings.tick_s / 2)

    async def close(self) -> None:
        """Ends all streams at once."""
        self._closing = True
        for page in self._pages:
            page.wake.set()

    async def ready(self, area: str) -> None:
        """Waits until the reader has a place. Raises 403 for an area that is not served here, 503."""
        if area not in self._settings.areas:
            raise Problem("forbidden")
        if len(self._pages) >= self._settings.stream_clients or self._closing:
            raise Problem("busy")
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await self._placed.wait()
        except TimeoutError:
            raise Problem("unavailable") from None

    async def follow(self, area: str, unit: str | None, last_id: int | None) -> AsyncGenerator[bytes]:
        """The stream for one page: first what it missed since ``last_id``, then live, until the page or we end it.

        The reader's place is taken and the page entered in one breath: what is numbered up to ``here`` comes from the
        ledger, what is numbered above it from the reader, and nothing from both or from neither.
        """
        here = self._at[area]
        start = here if last_id is None else last_id
        page = Page(area, unit, max(here, start), start, self._settings.stream_queue)
        self._pages.add(page)
        CLIENTS.set(len(self._pages))
        try:
            async with contextlib.aclosing(self._missed(page, start, here)) as missed:
                async for text in missed:
                    yield text
            async with contextlib.aclosing(self._live(page)) as frames:
                async for text in frames:
                    yield text
        finally:
            self._pages.discard(page)
            CLIENTS.set(len(self._pages))

    async def _missed(self, page: Page, start: int, here: int) -> AsyncGenerator[bytes]:
        """What is numbered above ``start`` up to ``here``; a reset where that cannot be had."""
        if start < 0 or here - start > self._settings.stream_replay:
            page.reset(max(here, page.seen), "too old")
            return
        if start > here and start > await self._head(page.area):  # a number that we never gave
            page.reset(self._at[page.area], "foreign")
            return
        while start < here:
            async with self._database.pool.acquire(timeout=5) as connection:
                events = await ledger.read(connection, TOPIC, page.area, start, min(PAGE, here - start))
            if not events:  # set back under us: the reader will say so
                return
            start = events[-1].sequence
            ready = b"".join(frame.text for frame in map(_frame, events) if page.wants(frame))
            if ready:
                yield ready
        page.seen = max(page.seen, start)

    async def _live(self, page: Page) -> AsyncGenerator[bytes]:
        """What comes from now on; a tick at once and every ``tick_s``."""
        clock = asyncio.get_running_loop().time
        tick_at = clock()
        ends_at = clock() + self._settings.stream_at_most_s
        while not self._closing and clock() < ends_at:
            page.wake.clear()
            ready = b"".join(page.frames)
            page.frames.clear()
            if clock() >= tick_at:
                tick_at = clock() + self._settings.tick_s
                ready += self._tick(page)
            if ready:
                yield ready
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(tick_at, ends_at)):
                    await page.wake.wait()

    async def _place(self, connection: asyncpg.Connection) -> None:
        """Starts at the head, or goes on from where it was; a ledger that was set back is a new story for all pages."""
        streams = await ledger.heads(connection)
        for area in self._settings.areas:
            head = streams[TOPIC, area][1] if (TOPIC, area) in streams else 0
            if head < self._at.get(area, 0):
                for page in self._pages:
                    if page.area == area:
                        page.reset(head, "set back")
            self._at[area] = min(head, self._at.get(area, head))
        self._placed.set()

    async def _hand_out(self, connection: asyncpg.Connection, area: str) -> None:
        while True:
            async with asyncio.timeout(READ_TIMEOUT_S):
                events = await ledger.read(connection, TOPIC, area, self._at[area], PAGE)
            pages = [page for page in self._pages if page.area == area]
            for frame in map(_frame, events) if pages else ():
                for page in pages:
                    page.offer(frame)
            if events:
                self._at[area] = events[-1].sequence
            if len(events) < PAGE:
                return

    async def _head(self, area: str) -> int:
        async with self._database.pool.acquire(timeout=5) as connection:
            found: int | None = await connection.fetchval(
                "SELECT head FROM stream WHERE topic = $1 AND area = $2", TOPIC, area
            )
        return found or 0

    def _tick(self, page: Page) -> bytes:
        """The time, how far the page is, and what is wrong; what concerns the whole area is for the province desk."""
        known = self._notices.get(page.area, QUIET)
        notices = list(known.trouble if page.unit is not None else known.trouble + known.desk)
        if not self._reading:
            notices.append("Cơ sở dữ liệu tạm ngừng: tin mới có thể hiện chậm.")
        body = {
            "server_time": rfc3339(self._clock.now()),
            "sequence": page.seen,
            "notices": notices,
            "held_old": known.held_old if page.unit is None else 0,
        }
        return _sse("tick", page.seen, orjson.dumps(body))


def _sse(event: str, sequence: int, data: bytes) -> bytes:
    """One event of ``text/event-stream`` (WHATWG HTML, 9.2); JSON has no line breaks."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (sequence, event.encode(), data)


def _frame(event: Event) -> Frame:
    return Frame(event.sequence, event.data["unit"]["code"], _sse("alert", event.sequence, event.payload))
