"""GET of one http(s) address: one try, bounded in time and size, redirects followed, secrets never in a message."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from barograph.config import MIB, Limits
from barograph.errors import SourceRefused
from barograph.sources.fetched import Fetched, TryAgain, keep, too_large
from barograph.sources.masking import mask

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

TOTAL_FACTOR: Final = 20
"""One body may take this many times http_timeout: 10 minutes by default, for 512 MiB at 0.9 MB/s."""

MAX_REDIRECTS: Final = 5

_CHUNK: Final = 256 * 1024
_BUSY: Final = frozenset({408, 425, 429})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_HINTS: Final = {
    401: "check the token or key in the connection's url",
    403: "check the token or key in the connection's url, and whether this machine's address is allowed",
    404: "check the connection's url; the export may have moved",
    410: "the export was removed; ask its owner for the new address",
}


class HttpGet:
    """One address to get, as often as asked."""

    def __init__(
        self, url: str, limits: Limits, headers: Mapping[str, str] | None = None, also: frozenset[int] = frozenset()
    ) -> None:
        import urllib3

        self._headers = {key.lower(): value for key, value in (headers or {}).items()}
        self._also = also
        self._where = mask(url)
        self._limits = limits
        self._url, self._credentials = _split_userinfo(url, self._where)
        timeout = urllib3.Timeout(connect=limits.http_timeout, read=limits.http_timeout)
        self._pool = urllib3.PoolManager(timeout=timeout, cert_reqs="CERT_REQUIRED", retries=False)

    def __call__(self) -> Fetched:
        """One try. Raises TryAgain where another may succeed, else SourceRefused or LimitExceeded."""
        with self._told():
            response, final_url = self._follow()
            try:
                self._check(response)
                body, size = keep(self._body(response), self._where, self._limits)
            finally:
                response.close()
        headers = response.headers
        return Fetched(
            body,
            name=self._where,
            size=size,
            final_url=mask(final_url),
            content_type=headers.get("Content-Type"),
            etag=headers.get("ETag"),
            last_modified=_http_date(headers.get("Last-Modified")),
            status=response.status,
        )

    def look(self, *, any_answer: bool = False) -> datetime | None:
        """Whether it answers, without its body; the server's clock, where it tells that.

        With `any_answer` a refusal (4xx) is one too: of an address that wants a token which was not sent. Raises as a
        try does.
        """
        with self._told():
            response, _ = self._follow()
            try:
                if not any_answer or response.status >= 500:
                    self._check(response)
                return _http_date(response.headers.get("Date"))
            finally:
                response.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong inside, in our words."""
        from urllib3 import exceptions as failures

        try:
            yield
        except failures.SSLError as error:
            raise SourceRefused(
                f"a TLS connection cannot be made: {_reason(error)}",
                where=self._where,
                hint="check the host's name, its certificate, and this machine's clock and CA certificates",
            ) from None
        except failures.NameResolutionError:
            raise TryAgain("its host name cannot be resolved") from None
        except failures.NewConnectionError as error:
            raise TryAgain(f"cannot be reached: {_reason(error)}") from None
        except failures.TimeoutError:
            raise TryAgain(f"did not answer within {self._limits.http_timeout:g} s") from None
        except failures.HTTPError as error:
            raise TryAgain(f"broke off: {_reason(error)}") from None

    def _follow(self) -> tuple[BaseHTTPResponse, str]:
        """The first answer that is no redirect, and its address.

        urllib3 would read a redirect's body to its end, which is for the server to choose; here it is not read.
        """
        from urllib3.exceptions import LocationValueError

        url = self._url
        headers = {"user-agent": user_agent(), "accept-encoding": "gzip", **self._credentials, **self._headers}
        for _ in range(MAX_REDIRECTS + 1):
            try:
                response = self._pool.request("GET", url, headers=headers, redirect=False, preload_content=False)
            except LocationValueError:
                raise SourceRefused("is no valid URL", where=mask(url), hint="check the connection's url") from None
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                return response, url
            response.close()
            target = self._target(url, location)
            if urlsplit(target).netloc != urlsplit(url).netloc:
                # What was meant for one server, secrets above all, is for no other.
                for name in ("authorization", *self._headers):
                    headers.pop(name, None)
            url = target
        raise SourceRefused(
            f"redirects more than {MAX_REDIRECTS} times",
            where=self._where,
            hint="open it in a browser and copy the address where it ends",
        )

    def _target(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            schemes = urlsplit(url).scheme, urlsplit(target).scheme
        except ValueError:
            raise SourceRefused("redirects to no valid URL", where=self._where, hint="tell its owner") from None
        if schemes[1] not in ("http", "https") or schemes == ("https", "http"):
            raise SourceRefused(
                f"redirects to {mask(target)}",
                where=self._where,
                hint="only http and https are followed, and never from https down to http",
            )
        return target

    def _check(self, response: BaseHTTPResponse) -> None:
        status = response.status
        if status == 200:
            length = response.headers.get("Content-Length", "")
            if length.isdecimal() and int(length) > self._limits.source_mib * MIB:
                raise too_large(self._where, self._limits)
            return
        if status in self._also:
            return
        what = f"answered {status} {_PHRASES.get(status, '')}".rstrip()
        if status in _BUSY or status >= 500:
            raise TryAgain(what, _retry_after(response.headers.get("Retry-After")))
        raise SourceRefused(what, where=self._where, hint=_HINTS.get(status, "open the connection's url in a browser"))

    def _body(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        raw = _raw(response, time.monotonic() + TOTAL_FACTOR * self._limits.http_timeout)
        if encoding in ("", "identity"):
            return raw
        if encoding in ("gzip", "x-gzip"):
            return _gunzip(raw)
        raise SourceRefused(
            f"is sent in the encoding {encoding[:20]!r}, which was not asked for",
            where=self._where,
            hint="tell its owner",
        )


def _raw(response: BaseHTTPResponse, deadline: float) -> Iterator[bytes]:
    """The body as it is sent; read1 hands over what is there, so that no trickle outlasts the deadline."""
    while piece := response.read1(_CHUNK, decode_content=False):
        yield piece
        if time.monotonic() > deadline:
            raise TryAgain("sends too slowly")


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpacked 1 MiB at a time, so that a limit behind it stops a bomb. An unfinished stream was cut short."""
    engine, begun = zlib.decompressobj(wbits=31), False
    try:
        for piece in pieces:
            data = piece
            while data:
                if engine.eof:
                    engine = zlib.decompressobj(wbits=31)
                begun = True
                yield engine.decompress(data, MIB)
                data = engine.unconsumed_tail or engine.unused_data
        # A full output step can leave the last bytes inside the engine when the input has ended.
        while begun and not engine.eof and (out := engine.decompress(b"", MIB)):
            yield out
    except zlib.error as error:
        raise TryAgain(f"sent damaged gzip ({error})") from None
    if begun and not engine.eof:
        raise TryAgain("broke off inside of its gzip")


def _split_userinfo(url: str, where: str) -> tuple[str, dict[str, str]]:
    """The URL without user:password@, and the header that carries them instead."""
    from urllib3.util import make_headers

    try:
        parts = urlsplit(url)
    except ValueError:
        raise SourceRefused("is no valid URL", where=where, hint="check the connection's url") from None
    userinfo, at, host = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=host, fragment=""))
    return plain, make_headers(basic_auth=unquote(userinfo)) if at else {}


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from Retry-After's seconds or date; None where it says nothing readable."""
    if value is not None and value.strip().isdecimal():
        return float(value)
    instant = _http_date(value)
    return None if instant is None else max(0.0, (instant - datetime.now(UTC)).total_seconds())


def _http_date(value: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime

    if value is None:
        return None
    try:
        instant = parsedate_to_datetime(value)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _reason(error: BaseException) -> str:
    """The innermost cause, in words: urllib3's outer texts carry the address, and with it the token."""
    while isinstance(inner := error.__cause__ or (error.args[-1] if error.args else None), BaseException):
        error = inner
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]


def user_agent() -> str:
    """How barograph introduces itself to servers."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("barograph")
    except PackageNotFoundError:
        number = "0"
    return f"barograph/{number} (+weather station record)"
