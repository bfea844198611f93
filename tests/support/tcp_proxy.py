"""A TCP proxy on 127.0.0.1 that can forward, refuse, or swallow: a network that breaks, without touching the machine's.

Swallowing is what a firewall that drops packets does to those who talk through it: connections stay open, new ones are
accepted, and nothing ever arrives. As with TCP itself nothing is lost: what was held goes on when it forwards again.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Self

CHUNK: Final = 256 * 1024
POLL: Final = 0.1
"""Seconds after which a thread that waits looks whether it is still wanted."""
CONNECT_SECONDS: Final = 5.0
HARD_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 s: the other side gets a reset."""


class TcpProxy:
    """From a port of its own to `target`, as a context manager; it forwards until told otherwise."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._flowing = threading.Event()
        self._listening: _Listening | None = None

    def __enter__(self) -> Self:
        self.forward()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()

    def forward(self) -> None:
        """Everything passes, also what was held."""
        self._listen()
        self._flowing.set()

    def swallow(self) -> None:
        """Nothing passes any more, on new connections and on those that exist, and nobody is told."""
        self._listen()
        self._flowing.clear()

    def refuse(self) -> None:
        """Every connection is reset, and new ones are refused."""
        if self._listening is not None:
            self._listening.end()
            self._listening = None

    def _listen(self) -> None:
        if self._listening is None:
            self._listening = _Listening(self.port, self.target, self._flowing)
            self.port = self._listening.port


class _Listening:
    """A port that is open, and the connections that came through it, each with a thread for either direction."""

    def __init__(self, port: int, target: int, flowing: threading.Event) -> None:
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._target, self._flowing = target, flowing
        self._ended = threading.Event()
        self._changing = threading.Lock()
        self._open: set[socket.socket] = set()
        self._connections: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="tcp-proxy", daemon=True)
        self._acceptor.start()

    def end(self) -> None:
        """Close the port and reset every connection; no thread is left."""
        self._ended.set()
        self._acceptor.join()
        self._socket.close()
        with self._changing:
            for sock in self._open:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD_CLOSE)
                    # Wakes a thread that waits for the other side to take more.
                    sock.shutdown(socket.SHUT_RDWR)
        for connection in self._connections:
            connection.join()

    def _accept(self) -> None:
        while not self._ended.is_set():
            if _readable(self._socket):
                near, _ = self._socket.accept()
                thread = threading.Thread(target=self._connect, args=(near,), name="tcp-proxy", daemon=True)
                self._connections = [*(known for known in self._connections if known.is_alive()), thread]
                thread.start()

    def _connect(self, near: socket.socket) -> None:
        with self._owned(near), suppress(OSError):
            if self._passes():
                far = socket.create_connection(("127.0.0.1", self._target), timeout=CONNECT_SECONDS)
                far.settimeout(None)
                with self._owned(far):
                    back = threading.Thread(target=self._pump, args=(far, near), name="tcp-proxy", daemon=True)
                    back.start()
                    self._pump(near, far)
                    back.join()

    @contextmanager
    def _owned(self, sock: socket.socket) -> Iterator[None]:
        with self._changing:
            self._open.add(sock)
        try:
            yield
        finally:
            with self._changing:
                self._open.discard(sock)
                sock.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """One direction, until its source has no more to say or the port is closed."""
        with suppress(OSError):
            while not self._ended.is_set():
                if not _readable(source):
                    continue
                data = source.recv(CHUNK)
                if not self._passes():
                    return
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
        # The other direction has nobody to talk to.
        with suppress(OSError):
            source.shutdown(socket.SHUT_RDWR)
            sink.shutdown(socket.SHUT_RDWR)

    def _passes(self) -> bool:
        """Wait until what was read may be passed on; False when the port was closed meanwhile."""
        while not self._ended.is_set():
            if self._flowing.wait(POLL):
                return True
        return False


def _readable(sock: socket.socket) -> bool:
    """Whether something has come, waiting a moment for it. `poll` knows no greatest descriptor, as `select` does."""
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(POLL * 1000))
