"""Reports of a station, and pieces of the record of many stations.

A span is in the station's local days unless UTC days are asked for; a station without a timezone has UTC days.
Frames that leave here have `station_id`, `utc_time`, the variables in the table's order, then `<variable>_flag`
columns (null: nothing against the value). Everything but `reports` works in pieces of a UTC month of one station.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import polars as pl

from barograph.errors import NotFound, UsageError
from barograph.frame import FLAG, FLAG_SUFFIX, INSTANT, VARIABLE_SCHEMA, variables_in
from barograph.model import Station
from barograph.query.spans import Span, parse_span
from barograph.variables import NAMES

if TYPE_CHECKING:
    from barograph.store.base import StoredStation, StoreReader

REPORTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "station_id": pl.String(),
    "utc_time": INSTANT,
    **VARIABLE_SCHEMA,
    **{name + FLAG_SUFFIX: FLAG for name in NAMES},
}
"""Columns of the table `reports`: what `scan` and `lazy` give."""

STATIONS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "station_id": pl.String(),
    "name": pl.String(),
    "city": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "elevation": pl.Int32(),
    "type": pl.String(),
    "hardware": pl.String(),
    "software": pl.String(),
    "license_info": pl.String(),
    "timezone": pl.String(),
    "reports": pl.Int64(),
    "first": INSTANT,
    "last": INSTANT,
}
"""Columns of the table `stations`: the description, then the record's number of reports, first and last instant."""


class Query:
    """Questions to one store. Holds nothing but the store, which its owner closes."""

    def __init__(self, store: StoreReader) -> None:
        self._store = store

    def stations(self) -> list[StoredStation]:
        """All stations, by id."""
        return sorted(self._store.stations(), key=lambda stored: stored.station.station_id)

    def station(self, station_id: str) -> StoredStation:
        """One station. Raises NotFound, with the ids that look like it."""
        return self._pick([station_id])[0]

    def stations_frame(self) -> pl.DataFrame:
        """All stations as a frame of STATIONS_SCHEMA, by id."""
        rows = [
            {
                **{name: getattr(stored.station, name) for name in Station.__slots__},
                "reports": stored.summary.count,
                "first": stored.summary.first,
                "last": stored.summary.last,
            }
            for stored in self.stations()
        ]
        return pl.DataFrame(rows, schema=STATIONS_SCHEMA, orient="row")

    def span(
        self, station_id: str, first: str | date | None = None, last: str | date | None = None, *, utc: bool = False
    ) -> Span:
        """The span that FROM and TO name for a station; without them its whole record. Raises UsageError, NotFound."""
        return self.spans([station_id], first, last, utc=utc)[station_id]

    def spans(
        self,
        station_ids: Iterable[str] | None = None,
        first: str | date | None = None,
        last: str | date | None = None,
        *,
        utc: bool = False,
    ) -> dict[str, Span]:
        """The span of each station (None: all of them), by id: the same words are other instants in other timezones.

        Without `first` and `last`, from the first report to the last; a station without reports has an empty span.
        """
        if first is None and last is not None:
            raise UsageError("TO is given without FROM", where="FROM TO")
        chosen = self.stations() if station_ids is None else self._pick(station_ids)
        return {
            stored.station.station_id: _whole(stored, utc=utc)
            if first is None
            else parse_span(first, last, timezone=stored.station.timezone, utc=utc)
            for stored in chosen
        }

    def reports(
        self, station_id: str, span: Span, *, variables: Sequence[str] | None = None, provenance: bool = False
    ) -> pl.DataFrame:
        """Reports of a station in a span, ascending; empty where the record has none.

        Columns: `station_id`, `utc_time`, the variables asked for (None: all that are observed in the span), their
        flag columns where a value is not good; with `provenance` also `extracted_at`, `origin`, `line`.
        Raises UsageError for an unknown variable, NotFound for an unknown station.
        """
        wanted = None if variables is None else check_variables(variables)
        frame = self._store.read(station_id, span.start, span.end, variables=wanted, provenance=provenance)
        if frame.is_empty():
            # Asked only now: a day of MongoDB is one round trip instead of two.
            self.station(station_id)
        # 8 µs; the same by `select`, which goes through a query plan, takes 60.
        return frame.clone().insert_column(0, _repeated(station_id, frame.height))

    def scan(self, spans: Mapping[str, Span], *, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Reports of many stations in pieces of at most a UTC month of one station, by station id, then time.

        Every piece has the same columns: those of REPORTS_SCHEMA, or the `columns` asked for. Empty pieces are left
        out.
        """
        wanted = list(REPORTS_SCHEMA) if columns is None else list(columns)
        variables = variables_in(column.removesuffix(FLAG_SUFFIX) for column in wanted)
        for station_id in sorted(spans):
            for start, end in _months(spans[station_id].start, spans[station_id].end):
                frame = self._store.read(station_id, start, end, variables=variables)
                if frame.height:
                    yield _complete(frame, station_id, wanted)

    def _pick(self, station_ids: Iterable[str]) -> list[StoredStation]:
        wanted = sorted(set(station_ids))
        known = {stored.station.station_id: stored for stored in self._store.stations(wanted)}
        for station_id in wanted:
            if station_id not in known:
                upper = {stored.station.station_id.upper(): stored.station.station_id for stored in self.stations()}
                close = [upper[key] for key in get_close_matches(station_id.upper(), upper, n=3, cutoff=0.5)]
                meant = f"did you mean {' or '.join(close)}? " if close else ""
                raise NotFound(f"no station {station_id!r}", hint=f"{meant}`barograph stations` lists all")
        return [known[station_id] for station_id in wanted]


def check_variables(variables: Sequence[str]) -> list[str]:
    """`variables` in the table's order, each once. Raises UsageError with close matches for an unknown name."""
    for name in variables:
        if name not in NAMES:
            close = get_close_matches(name.lower(), NAMES, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(NAMES)}"
            raise UsageError(f"no variable {name!r}", where="variables", hint=hint)
    return variables_in(variables)


def _whole(stored: StoredStation, *, utc: bool) -> Span:
    """The span of a station's record; empty (at the epoch) where there is none."""
    timezone = "UTC" if utc else stored.station.timezone or "UTC"
    first, last = stored.summary.first, stored.summary.last
    if first is None or last is None:
        epoch = datetime.fromtimestamp(0, UTC)
        return Span(epoch, epoch, timezone)
    return Span(first, last + timedelta(milliseconds=1), timezone)


def _months(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) cut at the first instants of UTC months."""
    while start < end:
        after = datetime(start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC)
        yield start, min(after, end)
        start = after


def _complete(frame: pl.DataFrame, station_id: str, wanted: Sequence[str]) -> pl.DataFrame:
    """The `wanted` columns of a store's frame, those that it lacks filled with null."""
    there = {*frame.columns, "station_id"}
    lacking = [pl.lit(None, REPORTS_SCHEMA[name]).alias(name) for name in wanted if name not in there]
    return frame.with_columns(*lacking, _repeated(station_id, frame.height)).select(wanted)


def _repeated(station_id: str, height: int) -> pl.Series:
    return pl.Series("station_id", [station_id]).new_from_index(0, height)
