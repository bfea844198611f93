"""Fetching from servers, well-behaved and otherwise."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from barograph.config import Limits
from barograph.errors import LimitExceeded, SourceRefused, SourceUnavailable
from barograph.sources import http_get
from barograph.sources.fetch import fetch
from tests.sources.conftest import LIMITS
from tests.support.http_server import FAILING, GONE, HANG, HttpServer, Reply, plain, redirect, too_many

BODY = b"Time,Wind\n00:04:00,WSW\n"
TWICE = replace(LIMITS, http_retries=2)


def _get(url: str, limits: Limits = LIMITS) -> bytes:
    with fetch(url, limits) as fetched:
        return fetched.read()


class _Naps:
    """A sleep that only notes how long it was asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def test_a_good_answer_and_what_is_known_about_it(server: HttpServer) -> None:
    """The body, its type, tag and date, and the address where it was found."""
    server.on("/old", redirect("/new.csv"))
    headers = {"Last-Modified": "Tue, 01 Oct 2024 00:04:00 GMT"}
    server.on("/new.csv", Reply(BODY, content_type="text/csv", etag='"1"', headers=headers))
    with fetch(server.url("/old"), LIMITS) as fetched:
        assert fetched.read() == BODY == b"".join(fetched.pieces(7))
        assert fetched.size == len(BODY)
        assert (fetched.content_type, fetched.etag) == ("text/csv", '"1"')
        assert fetched.last_modified == datetime(2024, 10, 1, 0, 4, tzinfo=UTC)
        assert (fetched.name, fetched.final_url) == (server.url("/old"), server.url("/new.csv"))


def test_the_request_names_us_and_asks_for_gzip(server: HttpServer) -> None:
    """A server's owner can see who calls; what is sent packed arrives unpacked."""
    server.on("/x", Reply(BODY * 1000, gzip=True))
    assert _get(server.url("/x")) == BODY * 1000
    (seen,) = server.requests_to("/x")
    assert seen.headers["user-agent"].startswith("barograph/")
    assert seen.headers["accept-encoding"] == "gzip"


def test_user_and_password_of_the_url_are_sent_as_such(server: HttpServer) -> None:
    """Basic authentication from the url, and to no other host that a redirect leads to."""
    with HttpServer() as other:
        other.on("/b", Reply(BODY))
        server.on("/a", redirect(other.url("/b")))
        url = server.url("/a").replace("//", "//me:p%40ss@")
        assert _get(url) == BODY
        assert server.requests_to("/a")[0].headers["authorization"] == "Basic bWU6cEBzcw=="
        assert "authorization" not in other.requests_to("/b")[0].headers


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410])
def test_a_refusal_is_final(server: HttpServer, status: int) -> None:
    """The server answered, and not with data: no second try, a hint what to look at."""
    server.on("/x", Reply(status=status))
    with pytest.raises(SourceRefused, match=f"answered {status}") as caught:
        fetch(server.url("/x"), TWICE)
    assert len(server.requests_to("/x")) == 1
    assert caught.value.hint
    assert not caught.value.retryable


def test_a_server_that_keeps_failing(server: HttpServer) -> None:
    """500 is tried as often as configured, with growing pauses, and then reported with the number of tries."""
    naps = _Naps()
    with pytest.raises(SourceUnavailable, match=r"answered 500 Internal Server Error \(3 tries\)") as caught:
        fetch(server.on("/x", FAILING), TWICE, sleep=naps)
    assert len(server.requests_to("/x")) == 3
    assert len(naps.seconds) == 2
    assert 0.25 <= naps.seconds[0] <= 0.5 <= naps.seconds[1] <= 1.0
    assert caught.value.retryable


def test_a_server_that_recovers(server: HttpServer) -> None:
    """500, 500, 200 is a success."""
    with fetch(server.on("/x", FAILING, FAILING, Reply(BODY)), TWICE, sleep=_Naps()) as fetched:
        assert fetched.read() == BODY


@pytest.mark.parametrize("when", ["seconds", "date", "nonsense"])
def test_retry_after_is_honoured(server: HttpServer, when: str) -> None:
    """429 is tried again after the pause that it asks for, in seconds or until a date; nonsense counts as no wish."""
    in_a_while = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    value = {"seconds": "7", "date": in_a_while, "nonsense": "soon"}[when]
    naps = _Naps()
    with fetch(server.on("/x", too_many(value), Reply(BODY)), TWICE, sleep=naps) as fetched:
        assert fetched.read() == BODY
    low, high = {"seconds": (7, 7), "date": (25, 30), "nonsense": (0.25, 0.5)}[when]
    assert len(naps.seconds) == 1
    assert low <= naps.seconds[0] <= high


def test_a_long_retry_after_is_left_to_the_next_run(server: HttpServer) -> None:
    """Nobody waits an hour inside of a run, and nobody knocks before the hour is over."""
    naps = _Naps()
    with pytest.raises(SourceUnavailable, match="429 Too Many Requests and asks for 3600 s"):
        fetch(server.on("/x", too_many("3600")), TWICE, sleep=naps)
    assert naps.seconds == []
    assert len(server.requests_to("/x")) == 1


def test_a_server_that_never_answers(server: HttpServer) -> None:
    """A hanging server costs http_timeout a try, not more."""
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"did not answer within 0\.3 s \(2 tries\)"):
        fetch(server.on("/x", HANG), replace(LIMITS, http_timeout=0.3, http_retries=1), sleep=_Naps())
    assert 0.6 <= time.monotonic() - started < 2


def test_a_server_that_stalls_in_the_middle(server: HttpServer) -> None:
    """No byte for http_timeout ends the try, however many came before."""
    with pytest.raises(SourceUnavailable, match="did not answer within"):
        fetch(server.on("/x", Reply(BODY, piece=5, pause=1)), replace(LIMITS, http_timeout=0.2))


def test_a_server_that_trickles(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps the connection alive, but the whole body has an end too."""
    monkeypatch.setattr(http_get, "TOTAL_FACTOR", 0.5)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="too slowly"):
        fetch(server.on("/x", Reply(bytes(4000), piece=1, pause=0.01)), replace(LIMITS, http_timeout=1))
    assert 0.5 <= time.monotonic() - started < 3


CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(BODY, cut_at=10),
        Reply(b"17\r\n" + BODY + b"\r\n0\r\n\r\n", headers=CHUNKED, cut_at=12),
        Reply(gzip.compress(BODY)[:-9], headers={"Content-Encoding": "gzip"}),
        Reply(b"no gzip at all", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["length", "chunked", "gzip", "damaged gzip"],
)
def test_a_body_cut_short_is_no_body(server: HttpServer, reply: Reply) -> None:
    """Half of an export must never be taken for the whole; the next try may bring all of it."""
    with pytest.raises(SourceUnavailable, match=r"broke off|damaged gzip"):
        fetch(server.on("/x", reply), LIMITS)
    good = Reply(b"17\r\n" + BODY + b"\r\n0\r\n\r\n", headers=CHUNKED)
    with fetch(server.on("/x", reply, good), TWICE, sleep=_Naps()) as fetched:
        assert fetched.read() == BODY


def _chunked(body: bytes) -> Reply:
    return Reply(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n", headers=CHUNKED)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(bytes(5 << 20)),
        _chunked(bytes(5 << 20)),
        Reply(bytes(5 << 20), gzip=True),
    ],
    ids=["declared", "undeclared", "gzipped"],
)
def test_the_size_limit(server: HttpServer, reply: Reply) -> None:
    """What is declared, what is sent and what it unpacks to are bounded, and no second try is made."""
    url = server.on("/x", reply)
    with pytest.raises(LimitExceeded, match="larger than 4 MiB"):
        fetch(url, TWICE)
    assert len(server.requests_to("/x")) == 1


def test_a_declared_size_beyond_the_limit_is_not_even_begun(server: HttpServer) -> None:
    """Content-Length is believed when it says too much: the server is spared the sending."""
    reply = Reply(b"x", headers={"Content-Length": str(5 << 20)}, piece=1, pause=60)
    started = time.monotonic()
    with pytest.raises(LimitExceeded, match="larger than 4 MiB"):
        fetch(server.on("/x", reply), LIMITS)
    assert time.monotonic() - started < 3


def test_a_large_body_is_kept_on_disk(server: HttpServer) -> None:
    """Beyond 32 MiB the snapshot still reads back byte for byte, from the beginning each time."""
    body = bytes(range(256)) * (33 << 12)
    with fetch(server.on("/x", Reply(body)), replace(LIMITS, source_mib=64)) as fetched:
        assert b"".join(fetched.pieces()) == body
        assert fetched.read(5) == body[:5]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (redirect("/x"), "redirects more than 5 times"),
        (redirect("ftp://127.0.0.1/x"), "redirects to ftp://"),
        (redirect("file:///etc/hostname"), "redirects to file://"),
        (redirect("http://[bad"), "no valid URL"),
        (Reply(BODY, headers={"Content-Encoding": "br"}), "in the encoding 'br'"),
        (Reply(status=301), "answered 301"),
    ],
)
def test_answers_that_lead_nowhere(server: HttpServer, reply: Reply, why: str) -> None:
    """Loops, redirects out of the web, and encodings that nobody asked for."""
    with pytest.raises(SourceRefused, match=why):
        fetch(server.on("/x", reply), TWICE)


def test_nobody_listens(server: HttpServer) -> None:
    """A refused connection is worth another try, and says so in a few words."""
    url = server.url("/x?token=abcdef")
    server.stop()
    with pytest.raises(SourceUnavailable, match=r"cannot be reached: Connection refused \(2 tries\)"):
        fetch(url, replace(LIMITS, http_retries=1), sleep=_Naps())


def test_an_unknown_host() -> None:
    """A name that does not resolve (RFC 6761 keeps .invalid free for ever) may resolve tomorrow."""
    with pytest.raises(SourceUnavailable, match="host name cannot be resolved"):
        fetch("http://barograph.invalid/", LIMITS)


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://bucket/x", "http://[bad", "http:///x", "file://host/x"])
def test_addresses_that_are_not_read(url: str) -> None:
    """Another scheme, or no URL at all, is refused at once."""
    with pytest.raises(SourceRefused) as caught:
        fetch(url, TWICE)
    assert caught.value.hint


SECRETS = ("s3cr3t", "hunter2", "abc/def+g")


@pytest.mark.parametrize(
    "replies",
    [(GONE,), (FAILING,), (HANG,), (redirect("/x?token=s3cr3t"),), (Reply(BODY, cut_at=3),), (plain("no", 401),)],
)
def test_no_message_carries_a_secret(server: HttpServer, replies: tuple[Reply, ...]) -> None:
    """Tokens, keys and passwords of the url stand in no message and in no cause that a log could print."""
    server.on("/x", *replies)
    url = server.url("/x?stations[]=07015&token=s3cr3t&apiKey=abc%2Fdef%2Bg").replace("//", "//me:hunter2@")
    with pytest.raises((SourceRefused, SourceUnavailable)) as caught:
        fetch(url, replace(LIMITS, http_timeout=0.2))
    shown = f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r}"
    assert not any(secret in shown for secret in (*SECRETS, "abc%2Fdef"))
    assert "stations[]=07015&token=***&apiKey=***" in shown


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """An HTTPS server whose certificate nobody vouches for."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield lambda: f"https://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_certificates_are_verified(self_signed: Callable[[], str]) -> None:
    """A server that cannot prove its name gets no token and no second try."""
    with pytest.raises(SourceRefused, match=r"TLS connection cannot be made: .*certificate"):
        fetch(self_signed(), TWICE)
