"""A real HTTP server on 127.0.0.1 whose answers are scripted per path, good ones and bad ones, for tests.

server.on("/export", FAILING, FAILING, Reply(b"..."))   # 500, 500, then 200 for ever
server.requests_to("/export")[0].headers["accept-encoding"]
"""

from __future__ import annotations

import gzip
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.faults import FaultKeeper

CONTENT_TYPES: Final = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer.

    `etag` makes it conditional: the same tag in If-None-Match is answered 304. `gzip` compresses for a client that
    accepts it. `cut_at` sends that many bytes of the body, though Content-Length promises all, and closes. `piece`
    sends that many bytes at a time with `pause` seconds before each. `hang` never answers.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    gzip: bool = False
    cut_at: int | None = None
    piece: int = 0
    pause: float = 0.0
    hang: bool = False


def file(path: Path, **more: Any) -> Reply:
    """A file's bytes, with the content type of its suffix."""
    return Reply(path.read_bytes(), content_type=CONTENT_TYPES.get(path.suffix, "application/octet-stream"), **more)


def json_text(text: str, **more: Any) -> Reply:
    """A JSON document as it stands."""
    return Reply(text.encode(), content_type="application/json", **more)


def plain(text: str, status: int = 200) -> Reply:
    """Plain text, such as Infoclimat's "Wrong ip address" with status 200."""
    return Reply(text.encode(), status, "text/plain; charset=utf-8")


def html(title: str, status: int = 200) -> Reply:
    """A page for people where data was asked for."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(page.encode(), status, "text/html; charset=utf-8")


def redirect(to: str, status: int = 302) -> Reply:
    """A redirection to a path or URL."""
    return Reply(status=status, headers={"Location": to})


def too_many(retry_after: str) -> Reply:
    """429, to be tried again after so many seconds, or at an HTTP date."""
    return Reply(b"slow down", 429, "text/plain", {"Retry-After": retry_after})


FAILING: Final = Reply(b"Internal Server Error", 500, "text/plain")
GONE: Final = Reply(b"Not Found", 404, "text/plain")
HANG: Final = Reply(hang=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came. Header names are lower case; `at` is time.monotonic()."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    at: float


class HttpServer:
    """The server while it runs, as a context manager; a path without a script is answered 404."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self._scripts: dict[str, deque[Reply]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.script = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens; after `stop` connections there are refused."""
        return self._server.server_port

    def url(self, path: str = "/") -> str:
        """The URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def on(self, path: str, *replies: Reply) -> str:
        """Script a path anew: the replies in their order, the last one for ever. Returns the path's URL."""
        with self._lock:
            self._scripts[path] = deque(replies)
        return self.url(path)

    def requests_to(self, path: str) -> list[Seen]:
        """The requests to a path so far, whatever their query."""
        with self._lock:
            return [seen for seen in self.requests if seen.path == path]

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End every hanging answer, close the port, and raise what went wrong inside the server, if anything did."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.end(self._thread)
        self._server.raise_fault()

    def answer(self, seen: Seen) -> Reply:
        """Note a request and take the next reply of its script."""
        with self._lock:
            self.requests.append(seen)
            script = self._scripts.get(seen.path)
            if not script:
                return plain(f"{seen.path} is not scripted", 404)
            return script.popleft() if len(script) > 1 else script[0]

    def pause(self, seconds: float | None) -> bool:
        """Wait, but not beyond the server's end; False where it ended."""
        return not self._closing.wait(seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(FaultKeeper, ThreadingHTTPServer):
    script: HttpServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        query = parse_qs(parts.query, keep_blank_values=True)
        seen = Seen(self.command, parts.path, query, headers, body, time.monotonic())
        reply = self.server.script.answer(seen)
        if reply.hang:
            self.server.script.pause(None)
            self.close_connection = True
            return
        self._send(reply, headers)

    do_POST = do_HEAD = do_GET  # noqa: N815 - the names are http.server's

    def _send(self, reply: Reply, asked: Mapping[str, str]) -> None:
        if reply.etag is not None and asked.get("if-none-match") == reply.etag:
            self.send_response(304)
            self.send_header("ETag", reply.etag)
            self.end_headers()
            return
        packed = reply.gzip and "gzip" in asked.get("accept-encoding", "")
        body = gzip.compress(reply.body, mtime=0) if packed else reply.body
        more = {
            "Content-Type": reply.content_type,
            "Content-Length": str(len(body)),
            **({"Content-Encoding": "gzip"} if packed else {}),
            **({"ETag": reply.etag} if reply.etag is not None else {}),
        }
        self.send_response(reply.status)
        for name, value in {**more, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._write(body, reply)

    def _write(self, body: bytes, reply: Reply) -> None:
        sent = body if reply.cut_at is None else body[: reply.cut_at]
        self.close_connection = self.close_connection or len(sent) < len(body)
        step = reply.piece or len(sent) or 1
        for start in range(0, len(sent), step):
            if reply.pause and not self.server.script.pause(reply.pause):
                self.close_connection = True
                return
            self.wfile.write(sent[start : start + step])
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: `requests` keeps what a test wants to know."""
