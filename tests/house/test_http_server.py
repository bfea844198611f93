"""The scripted HTTP server misbehaves exactly as told; the tests of the sources stand on that."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import urllib3
from urllib3.exceptions import IncompleteRead, MaxRetryError, ProtocolError, ReadTimeoutError

from tests.support import http_server as scripted
from tests.support.http_server import FAILING, GONE, HANG, HttpServer, Reply


def get(url: str, timeout: float = 10, **headers: str) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
        return pool.request(
            "GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()}, redirect=False
        )


def test_a_file_comes_with_its_type_and_the_request_is_noted(http_server: HttpServer, tmp_path: Path) -> None:
    """Bytes, content type, and what the client asked for, are seen on both sides as they are."""
    path = tmp_path / "answer.json"
    path.write_bytes(b'{"status": "OK"}')
    http_server.on("/open", scripted.file(path))
    answer = get(http_server.url("/open?start=2024-10-01&stations[]=07015&stations[]=00052"), User_Agent="test")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (
        200,
        b'{"status": "OK"}',
        "application/json",
    )
    (seen,) = http_server.requests_to("/open")
    assert seen.query == {"start": ["2024-10-01"], "stations[]": ["07015", "00052"]}
    assert (seen.method, seen.headers["user-agent"]) == ("GET", "test")


def test_a_script_is_played_in_order_and_its_last_reply_stays(http_server: HttpServer) -> None:
    """500 twice, then data for ever: what a retry has to survive."""
    url = http_server.on("/flaky", FAILING, FAILING, Reply(b"data"))
    assert [get(url).status for _ in range(4)] == [500, 500, 200, 200]
    assert len(http_server.requests_to("/flaky")) == 4


def test_gzip_only_for_a_client_that_accepts_it(http_server: HttpServer) -> None:
    """The body is packed where the client says gzip, and plain where it does not."""
    url = http_server.on("/packed", Reply(b"x" * 10_000, gzip=True))
    packed, unpacked = get(url, Accept_Encoding="gzip"), get(url, Accept_Encoding="identity")
    assert int(packed.headers["Content-Length"]) < 200
    assert "Content-Encoding" not in unpacked.headers
    assert packed.data == unpacked.data == b"x" * 10_000


def test_an_unchanged_tag_is_answered_304(http_server: HttpServer) -> None:
    """If-None-Match with the same tag brings no body; with another, all of it."""
    url = http_server.on("/tagged", Reply(b"data", etag='"v1"'))
    assert get(url).headers["ETag"] == '"v1"'
    same, other = get(url, If_None_Match='"v1"'), get(url, If_None_Match='"v0"')
    assert (same.status, same.data, other.status, other.data) == (304, b"", 200, b"data")


def test_refusals_and_impostors(http_server: HttpServer) -> None:
    """429 with Retry-After, 404, a redirection, a page for people, and an error told with status 200."""
    slow = get(http_server.on("/busy", scripted.too_many("7")))
    moved = get(http_server.on("/moved", scripted.redirect("/new")))
    page = get(http_server.on("/page", scripted.html("Maintenance")))
    wrong = get(http_server.on("/wrong", scripted.plain("Wrong ip address")))
    assert (slow.status, slow.headers["Retry-After"]) == (429, "7")
    assert (moved.status, moved.headers["Location"]) == (302, "/new")
    assert page.headers["Content-Type"].startswith("text/html")
    assert (wrong.status, wrong.data) == (200, b"Wrong ip address")
    assert [get(http_server.on("/gone", GONE)).status, get(http_server.url("/unscripted")).status] == [404, 404]


def test_a_cut_body_is_shorter_than_promised(http_server: HttpServer) -> None:
    """The connection ends before Content-Length is reached, and the client can tell."""
    url = http_server.on("/cut", Reply(b"x" * 100_000, cut_at=50_000))
    with pytest.raises((IncompleteRead, ProtocolError), match="50000 bytes read, 50000 more expected"):
        get(url)


def test_a_hanging_answer_never_comes_and_ends_with_the_server() -> None:
    """The client runs into its own timeout, and the server still stops at once."""
    with HttpServer() as server:
        url = server.on("/hang", HANG)
        with pytest.raises(ReadTimeoutError):
            get(url, timeout=0.1)
        before = time.monotonic()
    assert time.monotonic() - before < 5


def test_a_slow_drip_takes_its_time(http_server: HttpServer) -> None:
    """Ten pieces with 20 ms before each take 0.2 s at least, and arrive whole."""
    url = http_server.on("/drip", Reply(b"0123456789", piece=1, pause=0.02))
    before = time.monotonic()
    assert get(url).data == b"0123456789"
    assert time.monotonic() - before >= 0.2


def test_a_stopped_server_refuses_connections() -> None:
    """After its end nothing listens on its port: a server that is down."""
    with HttpServer() as server:
        url = server.on("/", Reply(b"up"))
        assert get(url).data == b"up"
    with pytest.raises((MaxRetryError, urllib3.exceptions.NewConnectionError)):
        get(url)
