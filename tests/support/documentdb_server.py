"""A stand-in for an endpoint of Amazon DocumentDB 5.0: a proxy on 127.0.0.1 in front of the primary of a replica set.

    with DocumentDBServer(replica_set.uri) as server:
        MongoClient(server.uri_of("meteo"))

What is not in docs/documentdb-5.0.toml is refused with DocumentDB's own error; the rest reaches the real mongod, whose
replies are dressed as clusters of engine 5.0.0 were seen to dress theirs (`documentdb_replies`). It knows OP_MSG, and
OP_QUERY for the handshake. It cannot show what DocumentDB does differently while it accepts a command: its planner,
its order of results, its isolation, its speed.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from socketserver import BaseRequestHandler
from types import TracebackType
from typing import Any, Final, Self

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure

from tests.support.documentdb_list import ALLOWED, Refusal
from tests.support.documentdb_replies import dressed
from tests.support.documentdb_rules import violations
from tests.support.faults import FaultKeeper

SET_NAME: Final = "rs0"
"""Of every DocumentDB cluster."""
HEADER: Final = struct.Struct("<iiii")
OP_REPLY: Final = 1
OP_QUERY: Final = 2004
OP_MSG: Final = 2013
CHECKSUM_PRESENT: Final = 1
MORE_TO_COME: Final = 2
HANDSHAKE: Final = frozenset({"hello", "ismaster", "saslstart", "saslcontinue"})
"""What a driver sends before and beside the commands of its program."""
ANY_DATE: Final = CodecOptions[dict[str, Any]](datetime_conversion=DatetimeConversion.DATETIME_AUTO)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the wire protocol."""

    raw: bytes
    request_id: int
    opcode: int

    @property
    def flags(self) -> int:
        """Of OP_MSG."""
        flags: int = struct.unpack_from("<I", self.raw, HEADER.size)[0] if self.opcode == OP_MSG else 0
        return flags

    @property
    def answered(self) -> bool:
        """Whether the server sends a reply."""
        return not self.flags & MORE_TO_COME

    def command(self) -> dict[str, Any]:
        """The command document, with its document sequences in their places."""
        if self.opcode == OP_QUERY:
            start = self.raw.index(b"\0", HEADER.size + 4) + 1 + 8
            return bson.decode(self.raw[start : start + _int(self.raw, start)], ANY_DATE)
        body: dict[str, Any] = {}
        sequences: dict[str, Any] = {}
        for kind, name, content in self._sections():
            if kind == 0:
                body = bson.decode(content, ANY_DATE)
            else:
                sequences[name] = bson.decode_all(content, ANY_DATE)
        return {**body, **sequences}

    def _sections(self) -> Iterator[tuple[int, str, bytes]]:
        end = len(self.raw) - (4 if self.flags & CHECKSUM_PRESENT else 0)
        at = HEADER.size + 4
        while at < end:
            kind, size = self.raw[at], _int(self.raw, at + 1)
            content = self.raw[at + 1 : at + 1 + size]
            if kind == 0:
                yield kind, "", content
            else:
                name, _, documents = content[4:].partition(b"\0")
                yield kind, name.decode(), documents
            at += 1 + size


def receive(connection: socket.socket) -> Message:
    """The next message; EOFError where the other side has closed."""
    header = _exactly(connection, HEADER.size)
    size, request_id, _, opcode = HEADER.unpack(header)
    return Message(header + _exactly(connection, size - HEADER.size), request_id, opcode)


def reply_to(message: Message, document: Mapping[str, Any], request_id: int) -> bytes:
    """A reply, in the form that the request asks for."""
    body = bson.encode(document)
    if message.opcode == OP_MSG:
        opcode, content = OP_MSG, struct.pack("<Ib", 0, 0) + body
    else:
        opcode, content = OP_REPLY, struct.pack("<iqii", 0, 0, 0, 1) + body
    return HEADER.pack(HEADER.size + len(content), request_id, message.request_id, opcode) + content


def _document(message: Message) -> RawBSONDocument:
    """Of a reply; what is inside of it stays encoded."""
    start = HEADER.size + (5 if message.opcode == OP_MSG else 20)
    return RawBSONDocument(message.raw[start : start + _int(message.raw, start)])


def _int(data: bytes, at: int) -> int:
    value: int = struct.unpack_from("<i", data, at)[0]
    return value


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(min(size - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


class DocumentDBServer:
    """The stand-in while it runs, as a context manager; `refused` is what it refused so far.

    `lacking` refuses more than the list does: paths as in `[[optional]]`, such as "create.validator".
    """

    def __init__(self, upstream: str, *, lacking: Sequence[str] = ()) -> None:
        self.refused: list[str] = []
        self.commands: Counter[str] = Counter()
        self.lacking = tuple(lacking)
        self.upstream: MongoClient[dict[str, Any]] = MongoClient(upstream, connect=False)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.stand_in = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def uri_of(self, database: str) -> str:
        """As for a tunnel to a cluster, whose other members cannot be reached."""
        return f"mongodb://{self.address}/{database}?directConnection=true&retryWrites=false"

    def cluster_uri_of(self, database: str) -> str:
        """As AWS gives it for a cluster, without TLS and user."""
        more = f"replicaSet={SET_NAME}&readPreference=secondaryPreferred&retryWrites=false"
        return f"mongodb://{self.address}/{database}?{more}"

    def refusal(self, command: Mapping[str, Any]) -> dict[str, Any] | None:
        """The reply to what DocumentDB would refuse, None for what it would take."""
        name = next(iter(command))
        if name.lower() in HANDSHAKE:
            return None
        with self._lock:
            self.commands[name] += 1
        for option in command:
            if f"{name}.{option}" in self.lacking:
                return self._refuse(f"{name}.{option}", option, ALLOWED.refusals["field"])
        for violation in violations(name, command):
            if violation.refusal is not None:
                return self._refuse(str(violation), violation.item, violation.refusal)
        if name == "createIndexes" and not self._exists(command["$db"], command[name]):
            return self._refuse(
                name, "", Refusal(303, "Implicit collection creation not supported when creating indexes")
            )
        return None

    def _refuse(self, what: str, item: str, refusal: Refusal) -> dict[str, Any]:
        with self._lock:
            self.refused.append(what)
        return refusal.document(item)

    def _exists(self, database: str, collection: str) -> bool:
        return bool(self.upstream[database].list_collection_names(filter={"name": collection}))

    def connect(self) -> socket.socket:
        """A connection to the member that is primary now."""
        self.upstream.admin.command("ping")
        host, port = self.upstream.primary or ("127.0.0.1", 0)
        return socket.create_connection((host, port), timeout=60)

    def opened(self, *sockets: socket.socket) -> None:
        """Connections to close at the end."""
        with self._lock:
            self._open |= set(sockets)

    def closed(self, *sockets: socket.socket) -> None:
        """Connections that have closed by themselves."""
        with self._lock:
            self._open -= set(sockets)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end(self._thread)
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # its peer was quicker
        self.upstream.close()
        self._server.raise_fault()


class _Server(FaultKeeper):
    # A client that closes, or a primary that was killed.
    pardoned = (OSError, EOFError, ConnectionFailure)
    stand_in: DocumentDBServer


class _Connection(BaseRequestHandler):
    """One client with a connection of its own to the primary."""

    server: _Server
    request: socket.socket
    _ids = itertools.count(1)

    def handle(self) -> None:
        stand_in = self.server.stand_in
        with stand_in.connect() as upstream:
            upstream.settimeout(None)
            stand_in.opened(self.request, upstream)
            try:
                while True:
                    self._exchange(stand_in, upstream)
            except EOFError:
                return
            finally:
                stand_in.closed(self.request, upstream)

    def _exchange(self, stand_in: DocumentDBServer, upstream: socket.socket) -> None:
        message = receive(self.request)
        if message.opcode not in (OP_MSG, OP_QUERY):
            raise ValueError(f"opcode {message.opcode}: only OP_MSG without compression is known here")
        command = message.command()
        reply = stand_in.refusal(command)
        if reply is None:
            upstream.sendall(message.raw)
            if not message.answered:
                return
            reply = dressed(command, _document(receive(upstream)), stand_in.address, SET_NAME)
        if message.answered:
            self.request.sendall(reply_to(message, reply, next(self._ids)))
