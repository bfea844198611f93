"""Weather Underground's API for personal stations (PWS v2): the past by local day, and the day that is running."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson

from barograph.config import Connection
from barograph.errors import BarographError
from barograph.messages import Log, Record
from barograph.sources.base import Access, Messages, ReadRequest
from barograph.sources.fetched import Fetched
from barograph.sources.guard import guarded
from barograph.sources.polite import Client, Pace, Quota, QuotaSpent
from barograph.sources.progress import DAY, Progress

BACKOFF: Final = 5.0
NO_DATA: Final = 204
_ALSO: Final = frozenset({NO_DATA, 400, 404})
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request: a station's local day; `running` for the one that is not over."""

    station: str
    day: date
    running: bool


class WundergroundPws:
    """Personal stations, a request per station and local day."""

    spans: ClassVar[bool] = True

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection, self._limits = connection, access.limits
        self._options = connection.options
        self._zones = {name: ZoneInfo(zone) for name, zone in connection.timezones.items()}

    def read(self, request: ReadRequest) -> Messages:
        """A record per observation, and a State after each request.

        The running day of every station is asked for first, then the past, day by day. Where the day's quota is spent
        a log says so and the sync ends well; the next one goes on. A station that the server does not know costs its
        own data only, and fails the sync at its end.

        Raises SourceRefused, FormatError, SourceUnavailable and SyncStopped; what was given before the last State is
        whole then.
        """
        return guarded(self._read(request), self._connection)

    def _read(self, request: ReadRequest) -> Messages:
        options = self._options
        progress = Progress(request, start=options["start"], overlap=options["overlap_days"], whole=True)
        quota = Quota.of(progress.data, options["requests_per_day"], request.now)
        client = Client(
            self._connection,
            self._limits,
            request.sleep,
            pace=Pace(options["pause"], options["requests_per_minute"]),
            quota=quota,
            backoff=BACKOFF,
            key="api_key",
        )
        asks = self._asks(progress, request.now)
        gaps: dict[str, list[date]] = {}
        unknown: dict[str, BarographError] = {}
        done = 0
        try:
            for ask in asks:
                if ask.station not in unknown:
                    try:
                        yield from self._day(client, ask, progress, gaps)
                    except _Unknown as no:
                        unknown[ask.station] = no.error
                    else:
                        if not ask.running:
                            progress.reached(ask.station, ask.day)
                done += 1
                progress.data["quota"] = quota.as_state()
                yield progress.state()
            progress.finish()
        except QuotaSpent:
            then = "the next sync" if request.span is None else "a backfill of the same span"
            left = f"{len(asks) - done} station-days are left for {then}"
            yield Log("warning", f"the quota of {quota.limit} requests a day is spent; {left}")
        except BarographError:
            # What was asked for counts at the server, whatever came of it.
            progress.data["quota"] = quota.as_state()
            yield progress.state()
            raise
        yield from _told(gaps)
        progress.data["quota"] = quota.as_state()
        yield progress.state()
        errors = list(unknown.values())
        for error in errors[1:]:
            yield Log("error", str(error))
        if errors:
            raise errors[0]

    def _asks(self, progress: Progress, now: datetime) -> list[_Ask]:
        running, past = [], []
        for name in self._options["stations"]:
            zone = self._zones[name]
            today, last = now.astimezone(zone).date(), progress.last(zone)
            if last == today:
                running.append(_Ask(name, today, running=True))
                last -= DAY
            day = progress.first(name, zone)
            while day <= last:
                past.append(_Ask(name, day, running=False))
                day += DAY
        return running + sorted(past, key=lambda ask: ask.day)

    def _day(self, client: Client, ask: _Ask, progress: Progress, gaps: dict[str, list[date]]) -> Messages:
        url = self._url(ask)
        with client.get(url, also=_ALSO) as fetched:
            if fetched.status in (400, 404):
                hint = f"check station {ask.station} in the connection's stations; the others were read"
                raise _Unknown(client.refused(f"answered {fetched.status}", url, hint, fetched.read(4096)))
            rows = [] if fetched.status == NO_DATA else _observations(fetched, client, url)
            for row in rows:
                yield Record({"stationID": ask.station, **row})
        before = progress.cursor(ask.station)
        if not rows and not ask.running and (before is None or ask.day > before):
            gaps.setdefault(ask.station, []).append(ask.day)

    def _url(self, ask: _Ask) -> str:
        connection = self._connection
        query = {
            "stationId": ask.station,
            "format": "json",
            "units": "m",
            "numericPrecision": "decimal",
            **({} if ask.running else {"date": f"{ask.day:%Y%m%d}"}),
            "apiKey": connection.reveal(self._options["api_key"]),
        }
        path = "observations/all/1day" if ask.running else "history/all"
        return f"{connection.reveal(connection.url).rstrip('/')}/{path}?{urlencode(query)}"


class _Unknown(Exception):
    """The server refuses one station; the others can be asked for."""

    def __init__(self, error: BarographError) -> None:
        super().__init__(error.what)
        self.error = error


def _observations(fetched: Fetched, client: Client, url: str) -> list[dict[str, Any]]:
    """The observations of an answer."""
    data = fetched.read()
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        kind = "HTML" if data.lstrip().startswith(b"<") else "no JSON"
        raise client.refused(f"answered {kind}", url, "open the API's address in a browser", data[:4096]) from None
    rows = answer.get("observations") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise client.refused("answered JSON without observations", url, "has the API changed?", data[:4096])
    return rows


def _told(gaps: dict[str, list[date]]) -> Iterator[Log]:
    for station, days in gaps.items():
        named = ", ".join(day.isoformat() for day in days[:_SHOWN])
        more = f" and {len(days) - _SHOWN} more" if len(days) > _SHOWN else ""
        yield Log("info", f"station {station} has no data on {named}{more}")
