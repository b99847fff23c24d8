"""The HTTP shell that all services share: problems, health, metrics, status, docs from our own origin, paging."""

import asyncio
import base64
import binascii
import contextlib
import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

import orjson
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from starlette.exceptions import HTTPException
from starlette.responses import Response

from foundation.chassis.body import DirectDoors, Door, Guard
from foundation.chassis.clock import Clock
from foundation.chassis.database import Database, migrate
from foundation.chassis.identity import Identity
from foundation.chassis.problems import FieldError, Problem
from foundation.chassis.settings import ServiceSettings
from foundation.chassis.telemetry import keep_running

MAX_LIMIT = 500
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Wide: a wrong clock (1970, 2036, 2106) never refuses an alarm; only what cannot be reckoned with is refused."""
RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)")
BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")
PLAIN_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def parse_instant(value: object) -> datetime:
    """An instant from RFC 3339 text with an offset, from 1900 up to 2200, in UTC. Raises ``ValueError``."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError("needs a time as in RFC 3339, with an offset, such as 2026-11-24T08:00:00+07:00")
    try:
        instant = datetime.fromisoformat(BEYOND_MICROSECONDS.sub(r"\1", value.upper())).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("time out of range") from error
    if not EARLIEST <= instant < LATEST:
        raise ValueError("time out of range")
    return instant


def parse_plain_uuid(value: object) -> UUID:
    """A UUID in its plain form with hyphens. Raises ``ValueError``."""
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or not PLAIN_UUID.fullmatch(value):
        raise ValueError("needs a plain UUID")
    return UUID(value)


StrictInstant = Annotated[
    datetime, BeforeValidator(parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
PlainUuid = Annotated[UUID, BeforeValidator(parse_plain_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]


def _no_surrogate(text: str) -> str:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("has a character that cannot be stored")
    return text


PlainText = Annotated[str, AfterValidator(_no_surrogate)]


def encode_cursor(*parts: object) -> str:
    """An opaque cursor for the page after the row with these sort keys."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def decode_cursor(cursor: str | None, *kinds: Callable[[Any], Any]) -> list[Any] | None:
    """The sort keys in a cursor. Raises 422 when it is not one of ours."""
    if cursor is None:
        return None
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError("another cursor")
        return [kind(part) for kind, part in zip(kinds, parts, strict=True)]
    except (ValueError, TypeError, binascii.Error) as error:
        raise Problem.invalid("cursor", "Con trỏ trang không hợp lệ.", "Not a cursor of this list.") from error


def json_answer(body: Any, status: int = 200) -> Response:
    """JSON; a UUID of the driver's own class becomes text. Instants must be text already (``rfc3339``)."""
    return Response(orjson.dumps(body, default=str), status, media_type="application/json")


class Consumes(Protocol):
    """A consumer as the health page sees it: ``trouble`` says in a word why nothing is applied, or is empty."""

    topic: str
    trouble: str


@dataclass
class Parts:
    """What a service is made of; ``tasks`` run for as long as it serves, each started again when it fails."""

    name: str
    package: str
    database: Database
    settings: ServiceSettings
    clock: Clock
    identity: Identity
    publishes: tuple[str, ...] = ()
    consumers: Sequence[Consumes] = field(default_factory=list)
    tasks: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    at_start: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    before_stop: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """Ends what would never end by itself (live streams), before open requests are waited for."""
    at_stop: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    counts: Callable[[], Awaitable[Mapping[str, int]]] | None = None
    migrated: bool = False


def create_app(parts: Parts, title: str, direct: Mapping[tuple[str, str], Door] | None = None) -> FastAPI:
    """The FastAPI app of one service; the service adds its routers. ``direct``: hot doors by method and path."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await parts.database.open()
        running = asyncio.create_task(_run(parts))
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            for stop in parts.at_stop:
                await stop()
            await parts.database.close()

    app = FastAPIOffline(title=title, version="1", lifespan=lifespan, redoc_url=None)
    app.add_middleware(Guard)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Problem, _problem)
    _add_health(app, parts)
    app.state.parts = parts
    app.state.direct = direct or {}
    return app


async def _run(parts: Parts) -> None:
    """Migrates (waiting for a database that is away), then keeps every background task running."""

    async def prepare() -> None:
        await migrate(parts.database, parts.package)
        for start in parts.at_start:
            await start()
        parts.migrated = True
        async with asyncio.TaskGroup() as group:
            for name, work in parts.tasks.items():
                group.create_task(keep_running(name, work), name=name)

    await keep_running("service", prepare)


def _add_health(app: FastAPI, parts: Parts) -> None:
    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon() -> Response:
        return Response(status_code=204)  # browsers ask for it on every page

    @app.get("/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", tags=["health"], description="503 while the doors cannot be served: no database.")
    async def ready() -> Response:
        trouble = {c.topic: c.trouble for c in parts.consumers if c.trouble}
        try:
            async with asyncio.timeout(2):
                await parts.database.pool.fetchval("SELECT 1", timeout=2)
            if not parts.migrated:
                trouble["database"] = "migrating"
        except Exception as error:
            trouble["database"] = type(error).__name__
        status = "ready" if not trouble else "unavailable" if "database" in trouble else "degraded"
        return json_answer({"status": status, "trouble": trouble}, 503 if "database" in trouble else 200)

    @app.get("/metrics", tags=["health"], include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "not-found", 405: "method-not-allowed", 401: "unauthorized", 403: "forbidden"}
    return Problem(codes.get(error.status_code, "invalid")).response()


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return Problem("invalid", errors=field_errors(error.errors())).response()


def field_errors(errors: Any) -> list[FieldError]:
    """Pydantic's errors as ours: the field's path and why, never the value (it may be personal)."""
    found = []
    for item in errors:
        path = [str(part) for part in item["loc"] if part not in ("body", "query", "path")]
        missing = item["type"] == "missing"
        vi = "Thiếu trường này." if missing else "Giá trị không hợp lệ."
        found.append(FieldError(".".join(path) or "body", vi, item["msg"]))
    return found


class Server(uvicorn.Server):
    """Answers hot doors in front of the framework, and ends open streams in the orderly way when it stops."""

    def __init__(self, app: FastAPI, **options: Any) -> None:
        self._parts: Parts = app.state.parts
        front = DirectDoors(app, app.state.direct)
        super().__init__(uvicorn.Config(front, access_log=False, log_config=None, server_header=False, **options))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for end in self._parts.before_stop:  # cut off by uvicorn, each would be an error in the log
            await end()
        await super().shutdown(sockets)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serves until SIGTERM or SIGINT; requests that are open then have two seconds."""
    server = Server(app, host=settings.host, port=settings.port, timeout_graceful_shutdown=2)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(3)
