"""Asking a server again and again without being a burden: pauses, a rate, a day's quota, conditional requests."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from barograph.config import Connection, Limits
from barograph.errors import BarographError, SourceRefused
from barograph.sources.fetch import BACKOFF_SECONDS, Terms, fetch
from barograph.sources.fetched import Fetched
from barograph.sources.masking import mask, quote

NOT_MODIFIED: Final = 304
MINUTE: Final = 60.0


class QuotaSpent(Exception):
    """No further request today; a source says so and ends as if it had everything."""


@dataclass(slots=True)
class Quota:
    """Requests of one UTC day; `used` is kept in the state, so that every sync of the day counts."""

    limit: int
    day: str
    used: int = 0

    @classmethod
    def of(cls, state: Mapping[str, Any], limit: int, now: datetime) -> Quota:
        """What the state says of today."""
        day = now.astimezone(UTC).date().isoformat()
        kept = state.get("quota") or {}
        return cls(limit, day, kept.get("used", 0) if kept.get("day") == day else 0)

    def take(self) -> None:
        """Count a request that is about to be made. Raises QuotaSpent where there is none left."""
        if self.used >= self.limit:
            raise QuotaSpent
        self.used += 1

    def as_state(self) -> dict[str, Any]:
        """For the state."""
        return {"day": self.day, "used": self.used}


@dataclass(slots=True)
class Pace:
    """When the next request may be made: `pause` seconds after the last one began, `per_minute` in any minute."""

    pause: float = 0.0
    per_minute: int = 0
    clock: Callable[[], float] = time.monotonic
    _begun: deque[float] = field(default_factory=deque)

    def wait(self, sleep: Callable[[float], None]) -> None:
        """Sleep until then."""
        now = due = self.clock()
        if self._begun:
            due = max(due, self._begun[-1] + self.pause)
        if self.per_minute and len(self._begun) >= self.per_minute:
            due = max(due, self._begun[-self.per_minute] + MINUTE)
        if due > now:
            sleep(due - now)
        # The instant that was waited for, not the one of waking up: a sleep may end a little early.
        self._begun.append(due)
        while len(self._begun) > max(self.per_minute, 1):
            self._begun.popleft()


class Client:
    """One sync's requests to one server; every try counts, further ones included.

    A further try comes `backoff` seconds after the first, then twice that, with jitter, or when Retry-After asks for
    it. `key` is the setting that holds the token, for the hint of a refusal.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        sleep: Callable[[float], None],
        *,
        pace: Pace,
        quota: Quota | None = None,
        backoff: float = BACKOFF_SECONDS,
        key: str | None = None,
    ) -> None:
        self._connection, self._limits, self._sleep = connection, limits, sleep
        self._pace, self._quota, self._backoff, self._key = pace, quota, backoff, key

    def get(
        self, url: str, *, also: frozenset[int] = frozenset(), etag: str | None = None, modified: str | None = None
    ) -> Fetched:
        """An answer; 304 where `etag` or `modified`, what an earlier answer said of itself, still holds.

        Raises what `fetch` raises, the connection named in it, and QuotaSpent.
        """
        headers = {}
        if etag:
            headers["If-None-Match"] = etag
        if modified:
            headers["If-Modified-Since"] = format_datetime(
                datetime.fromisoformat(modified).astimezone(UTC), usegmt=True
            )
        also |= {NOT_MODIFIED} if headers else set()
        terms = Terms(also, self._before, self._backoff)
        try:
            return fetch(url, self._limits, headers=headers, sleep=self._sleep, terms=terms)
        except BarographError as error:
            raise self.named(error) from None

    def named(self, error: BarographError) -> BarographError:
        """The error with the connection's name, and with the setting that holds its key where the server refuses it."""
        hint = error.hint
        if isinstance(error, SourceRefused) and self._key and error.what.startswith(("answered 401", "answered 403")):
            variable = self._connection.options[self._key]
            hint = f"check what {variable} holds: it is the connection's {self._key}, and the server does not take it"
        where = f"connection {self._connection.name}, {error.where}"
        return type(error)(error.what, where=where, hint=hint)

    def refused(self, what: str, url: str, hint: str, start: bytes = b"") -> BarographError:
        """The error for an answer of `url` that is no data; `start`, how it begins, is quoted."""
        quoted = f": {quote(start, url)}" if start else ""
        return self.named(SourceRefused(f"{what}{quoted}", where=mask(url), hint=hint))

    def _before(self) -> None:
        if self._quota is not None:
            self._quota.take()
        self._pace.wait(self._sleep)
