"""The proxy that tests break the network with does what it says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.replica_set import free_port
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """Before a server that repeats what it hears."""
    ended = threading.Event()

    def serve(listening: socket.socket) -> None:
        while not ended.is_set():
            try:
                heard, _ = listening.accept()
            except TimeoutError:
                continue
            threading.Thread(target=repeat, args=(heard,)).start()

    def repeat(heard: socket.socket) -> None:
        with heard:
            try:
                while data := heard.recv(65536):
                    heard.sendall(data)
            except ConnectionError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        server = threading.Thread(target=serve, args=(listening,))
        server.start()
        with TcpProxy(listening.getsockname()[1]) as running:
            yield running
        ended.set()
        server.join()


def connected(proxy: TcpProxy) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=30)
    sock.sendall(b"hello")
    assert heard(sock, 5) == b"hello"
    return sock


def heard(sock: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (part := sock.recv(length - len(data))):
        data += part
    return data


def test_much_passes(proxy: TcpProxy) -> None:
    """Both ways at once, and more than fits into any buffer; the end of one side reaches the other."""
    data = bytes(range(256)) * 40_000

    def send() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    with connected(proxy) as sock:
        sender = threading.Thread(target=send)
        sender.start()
        assert heard(sock, len(data)) == data
        sender.join()
        assert sock.recv(1) == b""


def test_swallowing(proxy: TcpProxy) -> None:
    """Old and new connections stay open and hear nothing; once it forwards again, nothing was lost."""
    with connected(proxy) as old:
        proxy.swallow()
        old.sendall(b"swallowed")
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as new:
            new.sendall(b"as well")
            for sock in (old, new):
                sock.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    sock.recv(1)
                sock.settimeout(30)
            proxy.forward()
            assert heard(old, 9) == b"swallowed"
            assert heard(new, 7) == b"as well"


def test_refusing(proxy: TcpProxy) -> None:
    """Old connections end, new ones are refused; the same port forwards again when it is told to."""
    port = proxy.port
    with connected(proxy) as old:
        proxy.refuse()
        with suppress(ConnectionError):
            assert old.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=30)
    proxy.forward()
    assert proxy.port == port
    connected(proxy).close()


def test_nobody_behind_it() -> None:
    """A connection to a server that is gone is accepted and closed."""
    with TcpProxy(free_port()) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as sock:
        assert sock.recv(1) == b""
