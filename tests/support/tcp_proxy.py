"""A TCP proxy on 127.0.0.1 that can forward, refuse, or swallow: a network that breaks, without touching the machine's.

Swallowing is what a firewall that drops packets does to those who talk through it: connections stay open, new ones are
accepted, and nothing ever arrives. As with TCP itself nothing is lost: what was held goes on when it forwards again.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")
CHUNK: Final = 256 * 1024
HARD_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 s: the other side gets a reset."""


class TcpProxy:
    """From a port of its own to `target`, in a thread of its own; it forwards until told otherwise."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._forward)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._refuse)
        self._do(self._settle)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def forward(self) -> None:
        """Everything passes, also what was held."""
        self._do(self._forward)

    def swallow(self) -> None:
        """Nothing passes any more, on new connections and on those that exist, and nobody is told."""
        self._do(self._swallow)

    def refuse(self) -> None:
        """Every connection is reset, and new ones are refused."""
        self._do(self._refuse)

    def _do(self, action: Callable[[], Awaitable[T]]) -> T:
        async def done() -> T:
            return await action()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(timeout=30)

    async def _forward(self) -> None:
        await self._listen()
        self._flowing.set()

    async def _swallow(self) -> None:
        await self._listen()
        self._flowing.clear()

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            sock: socket.socket = writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD_CLOSE)
            writer.transport.abort()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self._writers.clear()

    async def _settle(self) -> None:
        """Let what was aborted be closed before the loop is."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, "127.0.0.1", self.port, limit=CHUNK, reuse_address=True
            )
            self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._pump_in_task(self._connect(reader, writer))

    def _pump_in_task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
        except OSError:
            self._close(writer)
            return
        self._writers.add(far_writer)
        self._pump_in_task(self._pump(reader, far_writer))
        self._pump_in_task(self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        await self._flowing.wait()
        self._close(writer)

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        with suppress(OSError, RuntimeError):
            writer.close()
