"""Infoclimat's opendata server, asked night after night for what is new: date windows of station batches."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Final
from urllib.parse import urlencode

from barograph.config import Connection
from barograph.errors import BarographError
from barograph.messages import Log
from barograph.sources.base import Access, Messages, ReadRequest
from barograph.sources.guard import guarded
from barograph.sources.infoclimat import AnswerReader
from barograph.sources.polite import Client, Pace
from barograph.sources.progress import Ask, Progress

BACKOFF: Final = 5.0
"""Seconds before a further try: one answer may cost the server a year of a hundred stations."""


class InfoclimatApi:
    """Stations of the opendata server."""

    spans: ClassVar[bool] = True

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection, self._limits = connection, access.limits
        self._options = connection.options

    def read(self, request: ReadRequest) -> Messages:
        """A record per answer (several where it is large), and a State after each.

        Raises SourceRefused where an answer is no data, FormatError, LimitExceeded, SourceUnavailable and SyncStopped;
        what was given before the last State is whole then.
        """
        return guarded(self._read(request), self._connection)

    def _read(self, request: ReadRequest) -> Messages:
        options = self._options
        progress = Progress(request, start=options["start"], overlap=options["overlap_days"])
        client = Client(
            self._connection, self._limits, request.sleep, pace=Pace(options["pause"]), backoff=BACKOFF, key="token"
        )
        asks = progress.asks(options["stations"], batch=options["batch"], window=options["window_days"])
        yield from progress.walk(asks, partial(self._answer, client))

    def _answer(self, client: Client, ask: Ask) -> Messages:
        url = self._url(ask)
        with client.get(url) as fetched:
            try:
                for message in AnswerReader(url).read(fetched):
                    # A window in which no station has data is nothing strange in a long past.
                    known = isinstance(message, Log) and "holds no hourly rows" in message.message
                    yield self._silent(ask) if known else message
            except BarographError as error:
                raise client.named(error) from None

    def _silent(self, ask: Ask) -> Log:
        what = f"{len(ask.stations)} stations" if len(ask.stations) > 1 else f"station {ask.stations[0]}"
        return Log("info", f"Infoclimat has no data of {what} from {ask.first} to {ask.last}")

    def _url(self, ask: Ask) -> str:
        connection = self._connection
        query = [
            ("version", "2"),
            ("method", "get"),
            ("format", "json"),
            *(("stations[]", station) for station in ask.stations),
            ("start", ask.first.isoformat()),
            ("end", ask.last.isoformat()),
            ("token", connection.reveal(self._options["token"])),
        ]
        return f"{connection.reveal(connection.url)}?{urlencode(query, safe='[]')}"
