"""An S3 server that misbehaves on request: an HTTP proxy on 127.0.0.1 in front of a good one, scripted per request.

proxy.fault(SLOW_DOWN, "PUT", "/_barograph/", times=2)   # the first two manifests are answered 503, then all is well
proxy.fault(LOST_ANSWER, "PUT", ".jsonl", skip=1)        # every part but the first is stored, and nobody is told
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from tests.support.faults import FaultKeeper

LIST: Final = "list-type=2"
"""What a request for a listing has in its path."""
MANIFEST: Final = "/_barograph/"
_FORWARD_SECONDS: Final = 60.0
_HOP: Final = ("connection", "keep-alive", "transfer-encoding", "date", "server")


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """What happens to a request.

    `status` and `code`: an S3 error with that HTTP status and error code, in place of forwarding. `cut`: the connection
    is closed without an answer, "before" the request was forwarded or "after" it was carried out. `delay`: seconds
    before anything else. `partial`: so many bytes of the true answer's body, then the connection is closed.
    """

    status: int = 0
    code: str = ""
    cut: str = ""
    delay: float = 0.0
    partial: int | None = None


SLOW_DOWN: Final = Misbehaviour(503, "SlowDown")
INTERNAL: Final = Misbehaviour(500, "InternalError")
EXPIRED: Final = Misbehaviour(400, "ExpiredToken")
FORBIDDEN: Final = Misbehaviour(403, "InvalidAccessKeyId")
SKEWED: Final = Misbehaviour(403, "RequestTimeTooSkewed")
CUT: Final = Misbehaviour(cut="before")
LOST_ANSWER: Final = Misbehaviour(cut="after")


@dataclass(slots=True)
class _Rule:
    what: Misbehaviour
    method: str
    part: str
    skip: int
    times: int | None

    def takes(self, method: str, path: str) -> bool:
        """Whether this request is one of those; counts it."""
        if method != self.method or self.part not in path:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


class S3Proxy:
    """From a port of its own to the S3 server on `target`, as a context manager; it forwards what no fault takes."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.requests: list[tuple[str, str]] = []
        self.struck: list[tuple[str, str]] = []
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def endpoint(self) -> str:
        """Where it answers, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def fault(self, what: Misbehaviour, method: str, part: str, *, skip: int = 0, times: int | None = None) -> None:
        """Let requests of a method with `part` in their path go wrong: after `skip` good ones, `times` or all."""
        with self._lock:
            self._rules.append(_Rule(what, method, part, skip, times))

    def heal(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._rules.clear()

    def judge(self, method: str, path: str) -> Misbehaviour:
        """Note a request; what is to happen to it."""
        with self._lock:
            self.requests.append((method, path))
            for rule in self._rules:
                if rule.takes(method, path):
                    self.struck.append((method, path))
                    return rule.what
        return Misbehaviour()

    def wait(self, seconds: float) -> bool:
        """Pass some time; False where the proxy ended meanwhile."""
        return not self._closing.wait(seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.end(self._thread)
        self._server.raise_fault()


class _Server(FaultKeeper, ThreadingHTTPServer):
    proxy: S3Proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        what = self.server.proxy.judge(self.command, self.path)
        if (what.delay and not self.server.proxy.wait(what.delay)) or what.cut == "before":
            self.close_connection = True
        elif what.status:
            self._refuse(what)
        else:
            self._forward(body, what)

    do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 - the names are http.server's

    def _refuse(self, what: Misbehaviour) -> None:
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{what.code}</Code>'
            f"<Message>as the test wants it</Message><RequestId>1</RequestId></Error>"
        ).encode()
        self.send_response(what.status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _forward(self, body: bytes, what: Misbehaviour) -> None:
        upstream = HTTPConnection("127.0.0.1", self.server.proxy.target, timeout=_FORWARD_SECONDS)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        if what.cut == "after":
            self.close_connection = True
            return
        self._answer(answer, data, what)

    def _answer(self, answer: HTTPResponse, data: bytes, what: Misbehaviour) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in (*_HOP, "content-length"):
                self.send_header(name, value)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", size or "0")
        self.end_headers()
        self.wfile.write(data if what.partial is None else data[: what.partial])
        self.close_connection = self.close_connection or what.partial is not None

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: `requests` keeps what a test wants to know."""
