"""METAR reports of airports as CSV, from the ASOS archive of the Iowa Environmental Mesonet (IEM)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Final
from urllib.parse import urlencode

from barograph.config import Connection
from barograph.errors import SourceUnavailable
from barograph.messages import Log, Record
from barograph.sources.base import Access, Messages, ReadRequest
from barograph.sources.delimited import lines, rows
from barograph.sources.fetched import Fetched
from barograph.sources.guard import guarded
from barograph.sources.polite import Client, Pace
from barograph.sources.progress import DAY, Ask, Progress

BACKOFF: Final = 10.0
"""The server throttles by address and answers 503 while it is busy."""

_KEYS: Final = ("station", "valid")
_CORE: Final = ("tmpf", "sknt")


class IemAsos:
    """Airports, by date windows of station batches."""

    spans: ClassVar[bool] = True

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection, self._limits = connection, access.limits
        self._options = connection.options

    def read(self, request: ReadRequest) -> Messages:
        """A record per report, and a State after each request.

        Raises SourceRefused where an answer is no such CSV, FormatError, SourceUnavailable and SyncStopped; what was
        given before the last State is whole then.
        """
        return guarded(self._read(request), self._connection)

    def _read(self, request: ReadRequest) -> Messages:
        options = self._options
        progress = Progress(request, start=options["start"], overlap=options["overlap_days"])
        client = Client(self._connection, self._limits, request.sleep, pace=Pace(options["pause"]), backoff=BACKOFF)
        asks = progress.asks(options["stations"], batch=options["batch"], window=options["window_days"])
        yield from progress.walk(asks, partial(self._answer, client))

    def _answer(self, client: Client, ask: Ask) -> Messages:
        url = self._url(ask)
        silent = set(ask.stations)
        with client.get(url) as fetched:
            for row in self._rows(fetched, client, url):
                silent.discard(row.get("station", ""))
                yield Record(row)
        if silent:
            yield Log("info", f"IEM has no report of {', '.join(sorted(silent))} from {ask.first} to {ask.last}")

    def _rows(self, fetched: Fetched, client: Client, url: str) -> Iterator[dict[str, str]]:
        text = self._whole(line for line in lines(fetched.pieces(), fetched.name) if not line.startswith("#"))
        first = next(text, "")
        header = [name.strip() for name in first.strip().split(",")]
        if not set(_KEYS) <= set(header):
            hint = "check the connection's stations; the server says the reason in words"
            raise client.refused("answered no table of reports", url, hint, first[:4096].encode())
        if absent := [name for name in _CORE if name not in header]:
            hint = "the table has changed its form; nothing was taken, and a newer barograph may know it"
            raise client.refused(f"has no column {absent[0]!r}", url, hint)
        yield from rows(text, header, ",", where=fetched.name)

    def _whole(self, text: Iterator[str]) -> Iterator[str]:
        """The lines; the program that makes them may die in the middle of one, which HTTP does not show."""
        commas = None
        for line in text:
            commas = line.count(",") if commas is None else commas
            if not line.endswith("\n") and line.count(",") < commas:
                raise SourceUnavailable(
                    "ends in the middle of a line",
                    where=f"connection {self._connection.name}",
                    hint="the next run asks for it again",
                )
            yield line

    def _url(self, ask: Ask) -> str:
        connection = self._connection
        query = [
            *(("station", station) for station in ask.stations),
            ("data", "all"),
            ("sts", f"{ask.first}T00:00Z"),
            # The end is not part of what is answered.
            ("ets", f"{ask.last + DAY}T00:00Z"),
            ("tz", "UTC"),
            ("format", "onlycomma"),
            ("latlon", "yes"),
            ("elev", "yes"),
            ("missing", "M"),
            ("trace", "0.0001"),
            ("report_type", "3"),
        ]
        return f"{connection.reveal(connection.url)}?{urlencode(query, safe=':')}"
