"""The live stream as a browser gets it: real HTTP, and a clean end."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from foundation.chassis.web import Server
from tests.notifications.api.door import Door
from tests.notifications.desk import WITHIN_S, Desk, incident


class QuietServer(Server):
    """Leaves the signals of the test process alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def test_a_page_hears_an_alert_and_the_server_stops_at_once_without_an_error(desk: Desk, door: Door, caplog):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = QuietServer(door.app, lifespan="off", timeout_graceful_shutdown=10)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        headers = {"Authorization": f"Bearer {door.token('province_desk')}", "Last-Event-ID": "nonsense"}
        async with (
            asyncio.timeout(WITHIN_S),
            httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client,
            client.stream("GET", "/v1/stream") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            lines = answer.aiter_lines()
            assert await anext(lines) == "id: 0"
            assert await anext(lines) == "event: reset"
            await desk.hear(incident())
            async for line in lines:
                if line == "event: alert":
                    break
            began = asyncio.get_running_loop().time()
            server.should_exit = True
            async for _ in lines:
                pass
            await serving
            assert asyncio.get_running_loop().time() - began < 5
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []
