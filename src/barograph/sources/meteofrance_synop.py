"""Météo-France's SYNOP archive: one CSV a year for all stations, read again only when it changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from barograph.config import Connection
from barograph.messages import Log, Record, Span, State
from barograph.model import iso
from barograph.sources.base import Access, Messages, ReadRequest
from barograph.sources.delimited import lines, rows, unpacked
from barograph.sources.fetched import Fetched
from barograph.sources.guard import guarded
from barograph.sources.polite import NOT_MODIFIED, Client, Pace
from barograph.sources.progress import named

STYLES: Final = (("geo_id_wmo", "validity_time"), ("numer_sta", "date"))
"""Station and time columns: the current files', and the classic ones'."""

CORE: Final = ("t", "u", "ff")
CHANGED: Final = "the table has changed its form; nothing was taken, and a newer barograph may know it"

BACKOFF: Final = 5.0
_GONE: Final = 404
_TOLERANCE: Final = timedelta(days=7)
"""So long into a year its file may not be there yet."""


class MeteofranceSynop:
    """The yearly files of a server, or of a folder."""

    spans: ClassVar[bool] = True

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection, self._limits = connection, access.limits
        self._options = connection.options
        self._wanted = frozenset(name.zfill(5) for name in self._options.get("stations", ()))

    def read(self, request: ReadRequest) -> Messages:
        """A record per row that is news, and a State after each file.

        Raises SourceRefused where a file is none of these, FormatError, LimitExceeded, SourceUnavailable, SyncStopped.
        """
        return guarded(self._read(request), self._connection)

    def _read(self, request: ReadRequest) -> Messages:
        state = deepcopy(dict(request.states.get("", {})))
        client = Client(
            self._connection, self._limits, request.sleep, pace=Pace(self._options["pause"]), backoff=BACKOFF
        )
        if request.span is not None:
            yield from self._backfill(client, request.span, state, request.now)
            return
        files: dict[str, Any] = state.setdefault("files", {})
        overlap = timedelta(days=self._options["overlap_days"])
        for year in range(self._options["start"].year, request.now.year + 1):
            entry = files.get(str(year), {})
            if self._settled(entry, year, request.now, overlap):
                continue
            yield from self._year(client, year, entry, request.now)
            files[str(year)] = {**entry, "asked": iso(request.now), "stations": sorted(self._wanted)}
            yield State(deepcopy(state))
        yield State(deepcopy(state))

    def _settled(self, entry: Mapping[str, Any], year: int, now: datetime, overlap: timedelta) -> bool:
        """Whether a past year was read when late data could not come in any more, by the clock of today as well."""
        if "asked" not in entry or not self._covered(entry):
            return False
        return min(datetime.fromisoformat(entry["asked"]), now) >= datetime(year + 1, 1, 1, tzinfo=UTC) + overlap

    def _covered(self, entry: Mapping[str, Any]) -> bool:
        """Whether the stations of today were all asked for then; none named means all of them."""
        before = entry.get("stations")
        return before is not None and (not before or (bool(self._wanted) and self._wanted <= set(before)))

    def _year(self, client: Client, year: int, entry: dict[str, Any], now: datetime) -> Messages:
        """The news of a year's file; `entry` is brought up to date."""
        if not self._covered(entry):
            entry.clear()
        url = self._url(year)
        with client.get(
            url, also=frozenset({_GONE}), etag=entry.get("etag"), modified=entry.get("modified")
        ) as fetched:
            if fetched.status == NOT_MODIFIED:
                return
            if fetched.status == _GONE:
                yield self._missing(client, year, now)
                return
            newest: dict[str, str] = dict(entry.get("newest", {}))
            start = datetime.combine(self._options["start"], datetime.min.time(), UTC)
            overlap = timedelta(days=self._options["overlap_days"])
            since = {name: max(start, datetime.fromisoformat(at) - overlap) for name, at in newest.items()}
            for station, at, row in self._rows(fetched, client, url):
                if at is None or at >= since.get(station, start):
                    yield Record(row)
                # A row of a wrong, future time must not hide what is to come.
                if at is not None and start <= at <= now + timedelta(days=1):
                    newest[station] = max(newest.get(station, ""), iso(at))
            entry["newest"] = newest
            entry["etag"] = fetched.etag
            entry["modified"] = None if fetched.last_modified is None else iso(fetched.last_modified)

    def _missing(self, client: Client, year: int, now: datetime) -> Log:
        """What to say of a year without a file. Raises SourceRefused where there should be one."""
        if year < now.year or now - datetime(year, 1, 1, tzinfo=UTC) > _TOLERANCE:
            hint = "check the connection's url and start: it must be the folder of synop_YEAR.csv.gz"
            raise client.refused("answered 404 Not Found", self._url(year), hint)
        return Log("info", f"there is no file of {year} yet")

    def _backfill(self, client: Client, span: Span, state: dict[str, Any], now: datetime) -> Messages:
        """Every row of a span; whole years are the steps."""
        wanted = named(span, now)
        kept = state.get("backfill") or {}
        if {key: kept.get(key) for key in wanted} != wanted:
            kept = {**wanted, "years": []}
        state["backfill"] = kept
        last = min(span.end - timedelta(microseconds=1), now)
        for year in range(span.start.year, last.year + 1):
            if year in kept["years"]:
                continue
            url = self._url(year)
            with client.get(url, also=frozenset({_GONE})) as fetched:
                if fetched.status == _GONE:
                    yield self._missing(client, year, now)
                    continue
                for _, at, row in self._rows(fetched, client, url):
                    if at is None or span.start <= at < span.end:
                        yield Record(row)
            kept["years"].append(year)
            yield State(deepcopy(state))
        del state["backfill"]
        yield State(deepcopy(state))

    def _rows(
        self, fetched: Fetched, client: Client, url: str
    ) -> Iterator[tuple[str, datetime | None, dict[str, str]]]:
        """Station, instant and cells of the rows of the wanted stations; an instant that cannot be read is None."""
        text = lines(unpacked(fetched.pieces(), fetched.name, self._limits), fetched.name)
        first = next(text, "")
        header = [name.strip().strip('"') for name in first.strip().split(";")]
        style = next((style for style in STYLES if set(style) <= set(header)), None)
        if style is None:
            start = first[:4096].encode()
            hint = "the connection's url must be the folder of synop_YEAR.csv.gz"
            raise client.refused("is no SYNOP file", url, hint, start)
        self._whole(header, client, url)
        place, wanted = header.index(style[0]), self._wanted

        def keep(cells: list[str]) -> bool:
            return not wanted or (len(cells) > place and cells[place].zfill(5) in wanted)

        for row in rows(text, header, ";", where=fetched.name, keep=keep):
            yield row.get(style[0], "").zfill(5), instant(row.get(style[1], "")), row

    def _whole(self, header: list[str], client: Client, url: str) -> None:
        doubled = [name for name, group in itertools.groupby(sorted(header)) if len(list(group)) > 1 and name]
        if doubled:
            raise client.refused(f"has the column {doubled[0]!r} twice", url, CHANGED)
        if absent := [name for name in CORE if name not in header]:
            raise client.refused(f"has no column {absent[0]!r}", url, CHANGED)

    def _url(self, year: int) -> str:
        base = self._connection.reveal(self._connection.url)
        return f"{base.rstrip('/')}/synop_{year}.csv.gz"


def instant(text: str) -> datetime | None:
    """ISO with Z, or the classic YYYYMMDDHHMMSS (UTC)."""
    try:
        if len(text) == 14 and text.isdecimal():
            return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
