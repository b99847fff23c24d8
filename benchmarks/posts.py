"""The load: guard posts that send at a fixed pace, and one listener that hears the alerts. Both cheap on purpose.

Open loop: a signal is due at its instant whether or not those before it are answered, and every delay counts from
there. Plain protocols over keep-alive connections cost about 0.1 ms a signal; an HTTP client costs ten times that,
on the same two cores that are being measured.
"""

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

COMMUNE_KINDS = ("break_in", "theft", "disorder", "vandalism", "missing_person", "tip_off", "medical", "link_lost")
"""Kinds that one unit answers, the commune police: one alert an incident."""
APART = timedelta(minutes=46)
"""Beyond the window of 45 minutes in which signals of one site and kind are one incident."""
ROUNDS = 31
"""So many times ``APART`` still lie within the day after which nothing rings."""
CONNECTIONS = 256
FRESH_S = 4.0
"""uvicorn closes a connection on which nothing came for 5 s."""
TICK_S = 0.002
"""How finely a pace is kept."""
ALERTED = re.compile(rb'"incident_id":"([0-9a-f-]{36})"')

now = time.perf_counter
Fresh = Iterator[tuple[str, str, timedelta]]


def fresh_signals(
    devices: Sequence[Mapping[str, Any]], kinds: Sequence[str] = COMMUNE_KINDS, rounds: int = ROUNDS
) -> Fresh:
    """Key, kind and age of signals of which each is an incident of its own, in one database.

    One round is of this very moment and holds 689 sites times the kinds; more reach back in time, the oldest first:
    so the distance between two of one site and kind only grows by the time that passes.
    """
    one_a_site = {device["site_id"]: device["key"] for device in devices}
    for number in reversed(range(rounds)):
        for kind in kinds:
            for key in one_a_site.values():
                yield key, kind, number * APART
    raise RuntimeError("the demo province has no more signals that would be incidents of their own")


class Posts:
    """Sends signals. Instants are seconds of ``perf_counter``; incidents are known by their id as bytes."""

    def __init__(self, incidents_url: str, signals: Fresh) -> None:
        self._signals = signals
        self._address = urlsplit(incidents_url)
        self._free: list[_Line] = []
        self._many = 0
        self._opening: set[asyncio.Future[None]] = set()
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=1_000_000)
        self.forget()

    def forget(self) -> None:
        """Begins a new account; call it when nothing is on its way."""
        self.sent = 0
        self.due: dict[bytes, float] = {}
        self.answered: dict[bytes, float] = {}
        self.refused: Counter[str] = Counter()

    @property
    def unanswered(self) -> int:
        return self.sent - len(self.answered) - self.refused.total()

    async def open(self, connections: int = CONNECTIONS) -> None:
        """Fresh connections for what comes; more are made when all are busy, up to ``CONNECTIONS``."""
        self.close()
        self._many += connections
        await asyncio.gather(*(self._connect() for _ in range(connections)))

    async def _connect(self) -> None:
        await asyncio.get_running_loop().create_connection(
            lambda: _Line(self), self._address.hostname, self._address.port
        )

    def close(self) -> None:
        """Closes the connections that are not in use."""
        for line in self._free:
            line.close()
        self._free.clear()

    def send(self, due: float | None = None) -> None:
        """Sends the next signal now, or as soon as a connection is free; delays count from ``due`` (default: now)."""
        key, kind, age = next(self._signals)
        moment = datetime.now(UTC)
        body = (
            f'{{"id":"{uuid4()}","kind":"{kind}","occurred_at":"{(moment - age).isoformat()}",'
            f'"sent_at":"{moment.isoformat()}"}}'
        )
        request = (
            f"POST /v1/signals HTTP/1.1\r\nHost: {self._address.netloc}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        self.sent += 1
        self._waiting.append((due or now(), request.encode()))
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self._free:
            line = self._free.pop()
            if line.fresh:
                line.send(*self._waiting.popleft())
            else:
                line.close()
        if self._waiting and self._many < CONNECTIONS:
            self._many += 1
            self._opening.add(task := asyncio.ensure_future(self._connect()))
            task.add_done_callback(self._opening.discard)

    def free(self, line: "_Line") -> None:
        """A connection can be used."""
        self._free.append(line)
        self._send_waiting()

    def lost(self, *, in_use: bool) -> None:
        """A connection is gone; if it was in use, nobody knows what became of its signal."""
        self._many -= 1
        if in_use:
            self.refused["cut off"] += 1

    def take(self, due: float, status: bytes, body: bytes) -> None:
        """An answer."""
        if status == b"201" and (at := body.find(b'"incident_id":"')) > 0:
            incident = body[at + 15 : at + 51]
            self.due[incident] = due
            self.answered[incident] = now()
        else:
            self.refused[f"{status.decode()} {body[:200].decode(errors='replace')}"] += 1

    async def at_rate(self, per_s: float, seconds: float, give_up: Callable[[], bool] = lambda: False) -> float:
        """Keeps the pace for so many seconds, or until ``give_up``; the seconds it was kept."""
        await self.open()
        begun = now()
        sent, many = 0, int(per_s * seconds)
        while sent < many and not give_up():
            while sent < many and (due := begun + sent / per_s) <= now():
                self.send(due)
                sent += 1
            await asyncio.sleep(TICK_S)
        return now() - begun


class _Line(asyncio.Protocol):
    """One keep-alive connection of a post; one request at a time."""

    def __init__(self, posts: Posts) -> None:
        self._posts = posts
        self._buffer = b""
        self._due = 0.0
        self._in_use = False
        self._used_at = now()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class
        self._posts.free(self)

    @property
    def fresh(self) -> bool:
        """The server does not close it in this moment."""
        return now() - self._used_at < FRESH_S

    def send(self, due: float, request: bytes) -> None:
        assert self._transport is not None
        self._due, self._buffer, self._in_use = due, b"", True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, empty, body = self._buffer.partition(b"\r\n\r\n")
        if empty and len(body) >= int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
            self._in_use, self._used_at = False, now()
            self._posts.take(self._due, head[9:12], body)
            self._posts.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._posts.lost(in_use=self._in_use)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Listener(asyncio.Protocol):
    """The province desk on the live stream: when the first and the last alert of each incident came."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.BaseTransport | None = None
        self.opened = asyncio.Event()
        self.forget()

    def forget(self) -> None:
        self.first: dict[bytes, float] = {}
        self.last: dict[bytes, float] = {}
        self.alerts = 0
        self.resets = 0

    @classmethod
    async def open(cls, notifications_url: str, token: str) -> "Listener":
        """Returns when the stream has said its first word."""
        address = urlsplit(notifications_url)
        loop = asyncio.get_running_loop()
        transport, listener = await loop.create_connection(cls, address.hostname, address.port)
        transport.write(
            f"GET /v1/stream HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        async with asyncio.timeout(15):
            await listener.opened.wait()
        return listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        at = now()
        whole, end, rest = (self._buffer + data).rpartition(b"\n\n")  # events end with an empty line
        self._buffer = rest
        if not end:
            return
        if not self.opened.is_set() and b"event: tick" in whole:
            self.opened.set()
        self.resets += whole.count(b"event: reset")
        for found in ALERTED.finditer(whole):
            incident = found.group(1)
            self.first.setdefault(incident, at)
            self.last[incident] = at
            self.alerts += 1

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def until(holds: Callable[[], bool], within_s: float, what: str) -> None:
    """Waits for a condition. Raises ``TimeoutError`` that says what did not come."""
    give_up_at = now() + within_s
    while not holds():
        if now() > give_up_at:
            raise TimeoutError(f"not within {within_s} s: {what}")
        await asyncio.sleep(0.005)
