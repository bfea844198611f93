"""One file from a path or an http(s) address, tried again where that can help. What the bytes mean, others know."""

from __future__ import annotations

import os
import random
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote, urlsplit

from barograph.config import MIB, Limits
from barograph.errors import SourceRefused, SourceUnavailable
from barograph.sources.fetched import Fetched, TryAgain, keep, too_large
from barograph.sources.http_get import HttpGet
from barograph.sources.masking import mask

BACKOFF_SECONDS: Final = 0.5
BACKOFF_CAP: Final = 30.0
RETRY_AFTER_CAP: Final = 60.0
"""A server that asks for a longer pause is left alone until the next run."""

_CHUNK: Final = 256 * 1024
_JITTER: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Terms:
    """How a server is asked again and again.

    `also` are statuses that are answers, beside 200 (304, 204, 404); `Fetched.status` tells them apart. `before` is
    called before every try, further ones included. `backoff` is the first pause before a further try, in seconds, where
    the server does not ask for one.
    """

    also: frozenset[int] = frozenset()
    before: Callable[[], None] = lambda: None
    backoff: float = BACKOFF_SECONDS


def fetch(
    url: str,
    limits: Limits,
    *,
    headers: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    terms: Terms | None = None,
) -> Fetched:
    """The file at `url`: a path, file:// or http(s)://; `headers` go to its server, and to no other.

    A server has `limits.http_timeout` seconds to connect and between two bytes, and 20 times that for the whole body.
    5xx, 408, 425, 429, timeouts, refused connections, unknown hosts, bodies cut short and files that change while
    they are read are tried `limits.http_retries` times more, after a jittered exponential pause (`sleep`, seconds) or
    the one that Retry-After asks for.

    Raises SourceUnavailable after the last try; SourceRefused for every other answer than 200, a bad certificate, more
    than 5 redirects, and a path that is no readable file; LimitExceeded beyond `limits.source_mib`, sent or gunzipped.
    """
    terms = terms or Terms()
    once = _opener(url, limits, headers or {}, terms)
    tries = 0
    while True:
        tries += 1
        terms.before()
        try:
            return once()
        except TryAgain as failure:
            pause = failure.retry_after
            if tries > limits.http_retries or (pause or 0.0) > RETRY_AFTER_CAP:
                asked = f" and asks for {pause:.0f} s of peace" if pause else ""
                counted = f" ({tries} tries)" if tries > 1 else ""
                raise SourceUnavailable(
                    f"{failure.what}{asked}{counted}", where=mask(url), hint="the next run tries it again"
                ) from None
        sleep(_backoff(tries, terms.backoff) if pause is None else pause)


def _backoff(tries: int, first: float) -> float:
    # The jitter keeps the nightly jobs of many machines from knocking at one moment.
    return min(first * 2.0 ** (tries - 1), BACKOFF_CAP) * _JITTER.uniform(0.5, 1.0)


def _opener(url: str, limits: Limits, headers: Mapping[str, str], terms: Terms) -> Callable[[], Fetched]:
    if "://" not in url:
        return lambda: _read_file(url, url, limits)
    scheme = url.partition("://")[0].lower()
    if scheme in ("http", "https"):
        return HttpGet(url, limits, headers, terms.also)
    if scheme != "file":
        raise SourceRefused(
            f"{scheme}:// is not read", where=mask(url), hint="give a path, file://, http:// or https://"
        )
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise SourceRefused("names another machine", where=mask(url), hint="write file:///absolute/path")
    return lambda: _read_file(unquote(parts.path), url, limits)


def _read_file(path: str, where: str, limits: Limits) -> Fetched:
    """A snapshot of a file; one that changes meanwhile is still being written."""
    try:
        before = Path(path).stat()
        if not stat.S_ISREG(before.st_mode):
            kind = "a folder" if stat.S_ISDIR(before.st_mode) else "not a regular file"
            raise SourceRefused(f"is {kind}", where=where, hint="name the export file itself in the connection's url")
        if before.st_size > limits.source_mib * MIB:
            raise too_large(where, limits)
        with Path(path).open("rb") as source:
            # One byte more than there was: it shows growth, and ends a file that never stops growing.
            body, size = keep(_at_most(source, before.st_size + 1), where, limits)
            after = os.fstat(source.fileno())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = "check its permissions and the connection's url; a relative one starts at the configuration's folder"
        raise SourceRefused(f"cannot be read: {reason}", where=where, hint=hint) from error
    if size != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        body.close()
        raise TryAgain("is being written at this moment")
    modified = datetime.fromtimestamp(before.st_mtime, UTC)
    return Fetched(body, name=where, size=size, final_url=where, last_modified=modified)


def _at_most(source: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (piece := source.read(min(size, _CHUNK))):
        size -= len(piece)
        yield piece
