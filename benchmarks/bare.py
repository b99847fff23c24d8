"""The raw limit of intake: a bare Starlette route that group-commits the same rows, without identity and rules.

Every request becomes a signal, an incident and a numbered ledger row in one transaction with all that wait, and is
answered after the commit: what no service that stores the same can beat.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from foundation.streams.ledger import NUMBER_AND_INSERT
from services.incidents.store.incidents import PUT
from services.incidents.store.signals import INSERT

AREA, SITE, DEVICE, POST = "44", uuid4(), uuid4(), uuid4()
queue: asyncio.Queue[tuple[dict[str, Any], asyncio.Future[bytes]]] = asyncio.Queue(5000)


async def post(request: Request) -> Response:
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    await queue.put((orjson.loads(await request.body()), answer))
    return Response(await answer, 201, media_type="application/json")


async def store(pool: asyncpg.Pool) -> None:
    while True:
        batch = [await queue.get()]
        while not queue.empty() and len(batch) < 500:
            batch.append(queue.get_nowait())
        now = datetime.now(UTC)
        signals, incidents, payloads = [], [], []
        for body, _ in batch:
            incident = uuid4()
            signals.append((
                body["id"], AREA, DEVICE, POST, SITE, body["kind"], "alarm", False, body["zone"], None, None, None, now,
                now, now, now, None, b"x" * 32, "raised", incident, "open",
            ))  # fmt: skip
            incidents.append((
                incident, 1, "raised", AREA, SITE, "Sở", "agency", "18859", None, None, None, POST, body["kind"], 2,
                "open", False, False, 2, 1, 1, "{}", now, now, now, now, None, None, None, None, None, "[]",
            ))  # fmt: skip
            payloads.append(orjson.dumps({"id": incident, "kind": body["kind"], "at": now, "pad": "x" * 600}).decode())
        keys = [str(row[0]) for row in incidents]
        many = len(batch)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(INSERT, *zip(*signals, strict=True))
            await connection.execute(PUT, *zip(*incidents, strict=True))
            await connection.execute(
                NUMBER_AND_INSERT, "bare", AREA, keys, now, ["t"] * many, [1] * many, [""] * many, payloads
            )
        for (body, answer), key in zip(batch, keys, strict=True):
            if not answer.done():
                answer.set_result(orjson.dumps({"signal_id": body["id"], "incident_id": key, "received_at": now}))


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["INCIDENTS_DATABASE_URL"], min_size=1, max_size=2) as pool:
        await pool.execute("INSERT INTO stream (topic, area) VALUES ('bare', $1) ON CONFLICT DO NOTHING", AREA)
        storing = asyncio.create_task(store(pool))
        yield
        storing.cancel()


async def ready(_: Request) -> Response:
    return Response("ready")


if __name__ == "__main__":
    routes = [Route("/v1/signals", post, methods=["POST"]), Route("/health/ready", ready)]
    uvicorn.run(Starlette(routes=routes, lifespan=lifespan), port=int(sys.argv[1]), access_log=False, log_level="error")
