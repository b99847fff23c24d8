"""A link between two parts that a test can cut, slow down or leave half open: a relay of bytes on loopback."""

import asyncio
import contextlib
from pathlib import Path

CHUNK = 65_536


class Link:
    """Listens on ``port`` of 127.0.0.1, or on the socket file ``path``, and passes bytes on to ``target``.

    ``target`` is a port of 127.0.0.1 or a socket file. Belongs to one event loop.
    """

    def __init__(self, listen: int | Path, target: int | Path) -> None:
        self._listen = listen
        self._target = target
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.delay_s = 0.0

    async def start(self) -> None:
        """Begins to listen; nothing if it does."""
        if self._server is not None:
            return
        if isinstance(self._listen, Path):
            self._listen.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._accept, self._listen)
        else:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._listen)

    async def cut(self) -> None:
        """Every connection is reset and new ones are refused, until ``heal``."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for line in list(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def half_open(self) -> None:
        """Connections stay, and nothing comes through any more."""
        self._flowing.clear()

    def slow(self, delay_s: float) -> None:
        """Each piece takes so much longer."""
        self.delay_s = delay_s

    async def heal(self) -> None:
        """All as it was; what was half open goes on."""
        self.delay_s = 0.0
        self._flowing.set()
        await self.start()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            with contextlib.suppress(OSError):
                if isinstance(self._target, Path):
                    far_reader, far = await asyncio.open_unix_connection(self._target)
                else:
                    far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
                ways = (
                    asyncio.create_task(self._flow(reader, far)),
                    asyncio.create_task(self._flow(far_reader, writer)),
                )
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        except asyncio.CancelledError:
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    end.transport.abort()
            self._lines.discard(task)

    async def _flow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(CHUNK):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            writer.write(piece)
            await writer.drain()
