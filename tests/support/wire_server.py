"""A server on 127.0.0.1 that speaks MongoDB's wire protocol and answers from a script.

For what no mongod here would say: a DocumentDB that knows half of the commands, a member that rolls back.
https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import bson

from tests.support.faults import FaultKeeper

Document = dict[str, Any]
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEADER: Final = struct.Struct("<iiii")
WIRE_VERSION: Final = 13
"""Of MongoDB 5.0."""


class WireServer:
    """`replies` by the name of the command; any other is answered with CommandNotFound. A context manager."""

    def __init__(self, replies: Mapping[str, Document]) -> None:
        self.replies = {name: dict(reply) for name, reply in replies.items()}
        self.asked: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end(self._thread)
        self._server.raise_fault()

    def reply(self, command: Document) -> Document:
        """What is said to a command."""
        name = next(iter(command))
        self.asked.append(name)
        reply = self.replies.get(name.lower(), self.replies.get(name))
        if reply is None:
            text = f"no such command: '{name}'"
            return {"ok": 0.0, "errmsg": text, "code": 59, "codeName": "CommandNotFound"}
        if "ismaster" in (name.lower(), *reply) or name == "hello":
            reply = {"maxWireVersion": WIRE_VERSION, "minWireVersion": 0, **reply}
        return {"ok": 1.0, **reply}


class _Server(FaultKeeper):
    owner: WireServer


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError):
            while len(head := self.rfile.read(HEADER.size)) == HEADER.size:
                length, request, _, code = HEADER.unpack(head)
                body = self.rfile.read(length - HEADER.size)
                if code == OP_QUERY:
                    start = body.index(b"\0", 4) + 1 + 8
                    said = bson.encode(self.server.owner.reply(_decoded(body[start:])))
                    self._send(request, OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + said)
                elif code == OP_MSG:
                    said = bson.encode(self.server.owner.reply(_decoded(body[5:])))
                    self._send(request, OP_MSG, struct.pack("<IB", 0, 0) + said)

    def _send(self, request: int, code: int, body: bytes) -> None:
        self.wfile.write(HEADER.pack(HEADER.size + len(body), 0, request, code) + body)


def _decoded(data: bytes) -> Document:
    """The first document of `data`."""
    length = int.from_bytes(data[:4], "little")
    return bson.decode(data[:length])
