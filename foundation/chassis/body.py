"""The guard before every door: sizes, types and strict JSON in; problem details out. Nothing that arrives is a 500."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
import orjson
from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foundation.chassis.database import is_world_failure
from foundation.chassis.problems import FieldError, NoStream, Problem

log = logging.getLogger(__name__)

Door = Callable[[Request], Awaitable[Response]]
MAX_BODY_BYTES = 65_536
DRAIN_BYTES = 2_097_152
"""Read and thrown away of a body that is too large, so that its sender hears why before the line is cut."""
MAX_DEPTH = 20

REQUESTS = Counter("vonggac_http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "vonggac_http_seconds",
    "Seconds from request to answer",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def parse_json(body: bytes) -> Any:
    """The JSON value in ``body``. Raises 422 for anything that could hurt later.

    Malformed, NaN, a lone surrogate (all three refused by the parser, RFC 8259), U+0000 (which PostgreSQL cannot
    store), or deeper than ``MAX_DEPTH``.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem.invalid("body", "JSON sai cú pháp.", "Malformed JSON.") from error
    if b"\\u0000" in body and _has_nul(value):
        raise Problem.invalid("body", "Có ký tự U+0000.", "Contains U+0000.")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth_exceeds(value, MAX_DEPTH):
        raise Problem.invalid("body", "JSON lồng quá sâu.", "JSON nested too deeply.")
    return value


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _has_nul(value: Any) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and "\0" in item:
            return True
        waiting.extend(_children(item))
    return False


def _depth_exceeds(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [child for item in level for child in _children(item) if isinstance(child, dict | list)]
    return bool(level)


class Guard:
    """ASGI middleware around a whole service."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answered.append(True)
            await send(message)

        answered: list[bool] = []
        try:
            await self.app(scope, await _checked(scope, receive), send_on)
        except Exception as error:
            if answered:  # too late for another answer; the connection is cut by the server
                raise
            await as_problem(error).response()(scope, receive, send_on)
        route = scope["path"] if scope.get("direct") else getattr(scope.get("route"), "path", "-")
        REQUESTS.labels(scope["method"], route, status).inc()
        SECONDS.labels(route).observe(time.perf_counter() - started)


class DirectDoors:
    """Outermost ASGI app: hot doors are answered behind the guard alone, without a framework's layers in between."""

    def __init__(self, app: ASGIApp, doors: Mapping[tuple[str, str], Door]) -> None:
        self.app = app
        self.doors = {address: Guard(_answered_by(door)) for address, door in doors.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self.doors.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if door is not None:
            scope["direct"] = True
        await (door or self.app)(scope, receive, send)


def _answered_by(door: Door) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await door(Request(scope, receive))
        await answer(scope, receive, send)

    return app


def as_problem(error: Exception) -> Problem:
    """What to tell the caller about ``error``; logs what nobody expected."""
    if isinstance(error, Problem):
        return error
    origin = getattr(getattr(error, "orig", None), "__cause__", None) or error  # as wrapped by SQLAlchemy
    if isinstance(origin, asyncpg.DataError | asyncpg.CheckViolationError):
        return Problem("invalid", errors=[FieldError("body", "Giá trị không lưu được.", "A value cannot be stored.")])
    if isinstance(error, NoStream):
        return Problem("forbidden")
    if is_world_failure(error):
        log.warning("database away", extra={"error": type(error).__name__})
        return Problem("unavailable")
    log.error("unexpected error", extra={"error": type(error).__name__}, exc_info=error)
    return Problem("unexpected")


async def _checked(scope: Scope, receive: Receive) -> Receive:
    """Checks address and body; returns a ``receive`` that replays the body."""
    if b"%00" in scope.get("query_string", b"") or "\0" in scope["path"]:
        raise Problem.invalid("query", "Có ký tự U+0000.", "Contains U+0000.")
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return receive
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body = await _read(receive)
    if body or b"content-type" in headers:
        _check_type(headers)
    if body:
        scope.setdefault("state", {})["json"] = parse_json(body)
    replay: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return replay.pop() if replay else await receive()

    return receive_again


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    more = True
    while more and size <= DRAIN_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem.invalid("body", "Nội dung bị cắt ngang.", "The body was cut off.")
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY_BYTES:
            parts.append(part)
        more = message.get("more_body", False)
    if size > MAX_BODY_BYTES:
        raise Problem("too-large")
    return b"".join(parts)


def _check_type(headers: dict[bytes, str]) -> None:
    media_type, _, parameters = headers.get(b"content-type", "").partition(";")
    charset = parameters.partition("charset=")[2].strip().strip('"').lower()
    encoding = headers.get(b"content-encoding", "identity").lower()
    if media_type.strip().lower() != "application/json" or charset not in ("", "utf-8") or encoding != "identity":
        raise Problem("unsupported-media-type")
