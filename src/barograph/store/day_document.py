"""Station-days as columnar BSON documents, the units of the MongoDB engine.

    _id           "IICHTE19:2024-10-01"
    station_id, day (midnight UTC), revision, count, first, last
    writer        token of the save that wrote it: tells our own write from another's after a lost answer
    reports       {utc_time: [dates], temperature: [doubles], humidity: [int32], wind_direction: [text], …};
                  null: unknown
    flags         {temperature: {index: [places], flag: [flags]}, …}, sparse
    sources       object keys, and source: [index into sources], extracted_at: [dates], line: [int32] per report
    origins       {temperature: {index: [places], extracted_at, source, line}, …}, sparse: where one variable's value
                  comes from another extraction than its report

Variables that are null all day, and `flags`, `line` and `origins` without content, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from itertools import islice
from typing import Any, Final

import bson
import polars as pl
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from barograph.errors import StoreError
from barograph.frame import FLAG_SUFFIX, INSTANT, OVERRIDE_SUFFIXES
from barograph.store.base import DayKey, StationDay
from barograph.store.bson_columns import ARRAY, DATE, DOUBLE, INT32, Malformed, array_of, decoded, elements, values
from barograph.store.day_frame import BASE_PROVENANCE, DTYPES, DayParts, parts_of, whole_frame
from barograph.store.span import EPOCH, MILLISECOND, day_of
from barograph.variables import BY_NAME

DAYS_PER_FRAME: Final = 32
"""Days whose values are collected in lists before they become a frame, so that years take bounded memory. A year
is decoded in 58 ms with 32, in 62 with 8, in 79 with all at once."""


_NAIVE_EPOCH: Final = EPOCH.replace(tzinfo=None)
_MILLISECONDS: Final[bson.CodecOptions[dict[str, Any]]] = bson.CodecOptions(
    datetime_conversion=bson.DatetimeConversion.DATETIME_MS
)


def _kind(dtype: pl.DataType) -> int | None:
    """The BSON type of a column's values; None for text."""
    if dtype.is_float():
        return DOUBLE
    return DATE if dtype == INSTANT else INT32 if dtype.is_integer() else None


KINDS: Final[dict[str, int | None]] = {name: _kind(dtype) for name, dtype in DTYPES.items()}
# Classes, not instances: polars compares a dtype a dozen times per series, and is 2.4 µs quicker with a class.
SERIES_TYPES: Final[dict[str, type[pl.DataType]]] = {
    "origin": pl.String,
    **{name: pl.Int64 if dtype == INSTANT else type(dtype) for name, dtype in DTYPES.items()},
}
INSTANTS: Final = frozenset(name for name, dtype in DTYPES.items() if dtype == INSTANT)
DAMAGE: Final = (pl.exceptions.PolarsError, BSONError, TypeError, ValueError, OverflowError, LookupError)
"""What bytes that are not a day document may raise (Malformed and UnicodeDecodeError are ValueErrors)."""


def midnight(key: DayKey) -> datetime:
    """The first instant of the UTC day."""
    return datetime.combine(key.day, time(), UTC)


def encode(day: StationDay, *, writer: str) -> dict[str, Any]:
    """The document of a day at its next revision; StoreError when the day is not sound."""
    parts = parts_of(day)
    document: dict[str, Any] = {
        "_id": str(day.key),
        "station_id": day.key.station_id,
        "day": midnight(day.key),
        "revision": day.revision + 1,
        "count": parts.count,
        "first": _date(parts.first),
        "last": _date(parts.last),
        "writer": writer,
        "reports": _reports(parts),
    }
    if flags := {column.name.removesuffix(FLAG_SUFFIX): _flags(column) for column in parts.reports if _is_flag(column)}:
        document["flags"] = flags
    document["sources"] = list(day.sources)
    columns = {column.name: _cells(column) for column in parts.provenance}
    for name in ("extracted_at", "source", "line"):
        if name in columns:
            document[name] = columns.pop(name)
    if origins := _origins(columns, parts.count):
        document["origins"] = origins
    return document


def _date(ms: int) -> datetime:
    # Naive (pymongo takes it as UTC): an aware datetime costs its encoder 0.9 µs instead of 0.16.
    return _NAIVE_EPOCH + ms * MILLISECOND


def _is_flag(column: pl.Series) -> bool:
    return column.name.endswith(FLAG_SUFFIX)


def _reports(parts: DayParts) -> RawBSONDocument:
    instants, *others = (column for column in parts.reports if not _is_flag(column))
    array = array_of(instants.cast(pl.Int64).to_list(), DATE)
    rest = bson.encode({column.name: column.to_list() for column in others})
    body = bytes([ARRAY]) + b"utc_time\x00" + array + rest[4:]
    return RawBSONDocument((len(body) + 4).to_bytes(4, "little") + body)


def _flags(column: pl.Series) -> dict[str, list[int]]:
    pairs = [(place, flag) for place, flag in enumerate(column.to_list()) if flag is not None]
    return {"index": [place for place, _ in pairs], "flag": [flag for _, flag in pairs]}


def _cells(column: pl.Series) -> list[Any]:
    """The cells as BSON takes them; a day has few extraction instants, so each is made once."""
    if column.dtype != INSTANT:
        return column.to_list()
    instants = column.cast(pl.Int64).to_list()
    known = {ms: None if ms is None else _date(ms) for ms in set(instants)}
    return [known[ms] for ms in instants]


def _origins(columns: dict[str, list[Any]], count: int) -> dict[str, dict[str, list[Any]]]:
    """Override columns, by variable, at the places where one of the three is known."""
    origins: dict[str, dict[str, list[Any]]] = {}
    for name in BY_NAME if columns else ():
        triple = {suffix[1:]: columns.get(name + suffix) for suffix in OVERRIDE_SUFFIXES}
        if any(cells is not None for cells in triple.values()):
            filled = {field: cells or [None] * count for field, cells in triple.items()}
            index = [place for place in range(count) if any(cells[place] is not None for cells in filled.values())]
            origins[name] = {"index": index} | {field: [cells[at] for at in index] for field, cells in filled.items()}
    return origins


class Columns:
    """Cells of days, day after day, by column; a column that begins late or ends early is filled with nulls."""

    def __init__(self) -> None:
        self.height = 0
        self._cells: dict[str, list[Any]] = {}

    def add(self, columns: dict[str, Sequence[Any]], count: int) -> None:
        """Append a day of `count` reports; Malformed when a column has another length."""
        for name, cells in columns.items():
            if len(cells) != count:
                raise Malformed(f"{name} has {len(cells)} cells, utc_time {count}")
            known = self._cells.get(name)
            if known is None:
                known = self._cells[name] = [None] * self.height
            elif len(known) < self.height:
                known.extend([None] * (self.height - len(known)))
            known.extend(cells)
        self.height += count

    def frame(self) -> pl.DataFrame:
        """All columns at full height."""
        columns = []
        for name, cells in self._cells.items():
            if len(cells) < self.height:
                cells.extend([None] * (self.height - len(cells)))
            column = pl.Series(name, cells, dtype=SERIES_TYPES[name])
            columns.append(column.cast(INSTANT) if name in INSTANTS else column)
        return pl.DataFrame(columns)


def decode_days(documents: Iterable[RawBSONDocument], *, where: str) -> pl.DataFrame | None:
    """The reports and flags of documents in their order, with `origin` in the place of `source` where it was fetched.

    None for no documents; StoreError naming the document that is damaged.
    """
    frames = []
    stream = iter(documents)
    while batch := [_Parsed(bytes(document.raw), where) for document in islice(stream, DAYS_PER_FRAME)]:
        frames.append(_frame(batch))
    if not frames:
        return None
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal", rechunk=True)


def _frame(days: Sequence[_Parsed]) -> pl.DataFrame:
    """Days as one frame; StoreError naming the first that is damaged."""
    columns = Columns()
    for day in days:
        try:
            cells = day.cells()
            if "source" in cells:
                sources = day.sources
                cells["origin"] = [sources[place] for place in cells.pop("source")]
            columns.add(cells, len(cells["utc_time"]))
        except DAMAGE as error:
            raise day.damaged(error) from error
    try:
        return columns.frame()
    except DAMAGE as error:
        if len(days) == 1:
            raise days[0].damaged(error) from error
        return pl.concat([_frame([day]) for day in days], how="diagonal")


def decode(document: RawBSONDocument, *, where: str) -> StationDay:
    """A whole document as a station-day; StoreError naming it when it is damaged."""
    parsed = _Parsed(bytes(document.raw), where)
    try:
        cells = parsed.cells()
        columns = Columns()
        columns.add(cells, len(cells["utc_time"]))
        key = DayKey(parsed.text("station_id"), day_of(parsed.number("day")))
        return StationDay(
            key, parsed.number("revision"), whole_frame(columns.frame().get_columns()), tuple(parsed.sources)
        )
    except DAMAGE as error:
        raise parsed.damaged(error) from error


class _Parsed:
    """The top-level fields of a document, by their places in its bytes."""

    def __init__(self, raw: bytes, where: str) -> None:
        self._raw, self._where = raw, where
        self._fields: dict[str, tuple[int, int]] = {}
        try:
            self._fields = {key: (begin, end) for key, _, begin, end in elements(raw)}
        except DAMAGE as error:
            raise self.damaged(error) from error

    def text(self, name: str) -> str:
        begin, end = self._fields[name]
        return self._raw[begin + 4 : end - 1].decode()

    def number(self, name: str) -> int:
        begin, end = self._fields[name]
        return int.from_bytes(self._raw[begin:end], "little", signed=True)

    @property
    def sources(self) -> list[str]:
        return decoded(self._raw, *self._fields["sources"])

    def cells(self) -> dict[str, Sequence[Any]]:
        """Every column that was fetched, by its name in a day frame."""
        raw = self._raw
        cells = {
            name: _column(raw, name, begin, end) for name, _, begin, end in elements(raw, self._fields["reports"][0])
        }
        count = len(cells["utc_time"])
        for variable, sparse in self._document("flags").items():
            cells[variable + FLAG_SUFFIX] = _dense(sparse["index"], sparse["flag"], count)
        for name in BASE_PROVENANCE:
            if name in self._fields:
                cells[name] = _column(raw, name, *self._fields[name])
        for variable, sparse in self._document("origins").items():
            for suffix in OVERRIDE_SUFFIXES:
                cells[variable + suffix] = _dense(sparse["index"], sparse[suffix[1:]], count)
        return cells

    def _document(self, name: str) -> dict[str, Any]:
        if name not in self._fields:
            return {}
        begin, end = self._fields[name]
        return bson.decode(self._raw[begin:end], _MILLISECONDS)

    def damaged(self, error: Exception) -> StoreError:
        name = self.text("_id") if "_id" in self._fields else "a document"
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        return StoreError(
            f"a stored day cannot be read: {what}",
            where=f"{self._where}, {name}",
            hint="upgrade barograph if a newer one wrote it, else restore a backup or `barograph rebuild`",
        )


def _column(raw: bytes, name: str, begin: int, end: int) -> Sequence[Any]:
    if name not in KINDS:
        raise Malformed(f"unknown column {name!r}")
    kind = KINDS[name]
    return decoded(raw, begin, end) if kind is None else values(raw, begin, end, kind)


def _dense(index: list[int], items: list[Any], count: int) -> list[Any]:
    cells: list[Any] = [None] * count
    for place, item in zip(index, items, strict=True):
        cells[place] = int(item) if isinstance(item, bson.DatetimeMS) else item
    return cells
