"""Any table whose columns a mapping names (see `barograph.mapping`) -> report frames.

A table comes as landed CSV or JSONL records, or as a workbook dropped by hand. Everything is done to whole columns;
rows on the day when a station's clock goes back are held until the object ends, so that the repeated hour is seen whole
however the table is sorted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

import polars as pl

from barograph.decode import workbook
from barograph.decode.base import DecodeContext, Decoded, Opener
from barograph.decode.envelope import RawBatch, plain_name, read_table
from barograph.decode.instants import fold_days, parse_times, sure_instants
from barograph.decode.localtime import to_utc
from barograph.decode.mapped_cells import PLACES, UNREAD, Cells
from barograph.decode.values import Column, compass_points, compass_words, parse_columns
from barograph.errors import FormatError
from barograph.mapping import TableMapping
from barograph.model import LandedObject, Note, Rejection, Station
from barograph.variables import BY_NAME

HELD_ROWS: Final = 500_000
"""Rows of days on which clocks go back that are held at once: those of 1,000 stations each 5 minutes are 300,000."""

MANY: Final = 10
"""So many rows that all lack a time are no accident: the mapping is wrong."""

_WORDS: Final = "wind_direction"
_DEGREES: Final = "wind_direction_deg"
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def decode(item: LandedObject, opener: Opener, context: DecodeContext) -> Iterator[Decoded]:
    """Decode one table object by `context.mapping`.

    Raises FormatError where the mapping fits nothing of the object, or no station is known for its rows.
    """
    if context.mapping is None:
        raise FormatError("has no mapping of its columns", where=item.key, hint="add [connections.NAME.columns]")
    table = _Table(item, context, context.mapping)
    batches = (
        workbook.read_sheets(item, opener(), context)
        if item.key.endswith(".xlsx")
        else read_table(item, opener(), table.cells.known, limit_bytes=context.record_mib << 20)
    )
    for batch in batches:
        yield table.decode(batch)
    yield table.finish()


def decode_batches(
    item: LandedObject, batches: Iterable[RawBatch], context: DecodeContext, mapping: TableMapping
) -> Iterator[Decoded]:
    """Decode batches that hold the mapping's columns and no other; whether they came to something is not judged."""
    table = _Table(item, context, mapping)
    for batch in batches:
        yield table.decode(batch)
    yield table.finish(drift=False)


class _Table:
    """State that outlives a batch: rows of days with a repeated hour, stations already told of, columns seen."""

    def __init__(self, item: LandedObject, context: DecodeContext, mapping: TableMapping) -> None:
        self.item, self.context, self.mapping = item, context, mapping
        self.cells = Cells(mapping)
        self.numbers = tuple(
            Column(column.column, BY_NAME[name], column.unit)
            for name, column in mapping.columns.items()
            if name != _WORDS
        )
        self.values = list(dict.fromkeys(column.column for column in mapping.columns.values()))
        self.marks = {mark.strip() for mark in mapping.missing}
        self.number_marks = [float(mark) for mark in self.marks if _NUMBER.fullmatch(mark)]
        self.held: list[pl.DataFrame] = []
        self.told: dict[str, Station] = {}
        self.rows = 0

    # ------------------------------------------------------------------------------------------------ batch by batch

    def decode(self, batch: RawBatch) -> Decoded:
        out = Decoded(rejections=batch.rejections)
        frame = self._without_blanks(self._without_unread(self.cells.pick(batch), out), out)
        if frame.is_empty():
            return out
        self._check_columns(batch)
        frame = self._with_station(frame, out)
        self.rows += frame.height
        frame = self._with_time(frame, out)
        frame = self._with_instant(frame, out)
        self._rows(frame, out)
        if sum(each.height for each in self.held) > HELD_ROWS:
            self._release(out)
        return out

    def finish(self, *, drift: bool = True) -> Decoded:
        out = Decoded()
        self._release(out)
        if drift:
            self._drift(out)
        return out

    def _without_unread(self, frame: pl.DataFrame, out: Decoded) -> pl.DataFrame:
        """Refuse the lines that the sync could not split into cells."""
        unread = frame.get_column("__unread").is_not_null()
        if not unread.any():
            return frame
        for row in frame.filter(unread).iter_rows(named=True):
            reason, _, text = row["__unread"].partition(": ")
            out.rejections.append(self._rejection(row, "", f"the source's line {reason}", text))
        return frame.filter(~unread)

    def _without_blanks(self, frame: pl.DataFrame, out: Decoded) -> pl.DataFrame:
        """Leave out rows that say neither a time nor a value."""
        cells = list(dict.fromkeys([*self.mapping.time, *self.values]))
        blank = frame.select(
            pl.all_horizontal((pl.col(name).is_null() | (pl.col(name) == "")) for name in cells).alias("blank")
        ).to_series()
        if not blank.any():
            return frame
        out.blank += int(blank.sum())
        return frame.filter(~blank)

    def _check_columns(self, batch: RawBatch) -> None:
        """Refuse a table that lacks the columns without which no row can be a report."""
        needed = [*self.mapping.time, *([self.mapping.station] if self.mapping.station else [])]
        absent = [name for name in needed if name not in self.cells.found]
        if absent and not self.rows:
            columns = ", ".join(repr(name) for name in batch.columns if name in self.cells.filled)
            raise FormatError(
                f"has nothing in column {absent[0]!r}, which its mapping names",
                where=self.item.key,
                hint=f"its columns are {columns[:300]}; correct the connection's columns",
            )

    # ------------------------------------------------------------------------------------------------ station and time

    def _with_station(self, frame: pl.DataFrame, out: Decoded) -> pl.DataFrame:
        """Give each row its station in `__station`; rows of stations that nothing describes are refused."""
        column = self.mapping.station
        if column is None:
            if self.context.station is None:
                raise FormatError("belongs to no station", where=self.item.key, hint="name it in the connection")
            frame = frame.with_columns(pl.lit(self.context.station.station_id).alias("__station"))
        else:
            name = pl.col(column).str.replace_all("\u00a0", " ", literal=True).str.strip_chars()
            name = pl.when(name != "").then(pl.lit(self.mapping.station_prefix) + name)
            frame = frame.with_columns(name.alias("__station"))
        distinct = frame.get_column("__station").unique().to_list()
        refused = {each: reason for each in distinct if (reason := self._refusal(each))}
        if refused:
            frame = self._without_stations(frame, refused, out)
        if self.mapping.station_columns or self.mapping.license_info:
            self._describe(frame, out)
        return frame

    def _refusal(self, station_id: str | None) -> str:
        if station_id is None:
            return "the row names no station"
        station = self._station(station_id)
        if station is None and not self.mapping.station_columns:
            return "unknown station: the configuration does not describe it"
        if self.mapping.timezone == "station" and (station is None or station.timezone is None):
            return "the station's clock is not known: the configuration gives it no timezone"
        return ""

    def _station(self, station_id: str) -> Station | None:
        own = self.context.station
        return own if own is not None and own.station_id == station_id else self.context.stations.get(station_id)

    def _without_stations(self, frame: pl.DataFrame, refused: dict[str | None, str], out: Decoded) -> pl.DataFrame:
        """One rejection for all rows of a station: there may be millions."""
        bad = frame.get_column("__station").is_in([each for each in refused if each is not None]).fill_null(value=True)
        column = self.mapping.station
        groups = frame.filter(bad).group_by("__station", maintain_order=True)
        for (station_id,), rows in groups:
            out.rejections.append(
                self._rejection(
                    rows.row(0, named=True), column or "", refused[station_id], column and rows.item(0, column)
                )
            )
            out.rejections[-1] = replace(out.rejections[-1], rows=rows.height)
        return frame.filter(~bad)

    def _describe(self, frame: pl.DataFrame, out: Decoded) -> None:
        """Tell of each station what the table says, once, and again where it says something else."""
        said = frame.group_by("__station", maintain_order=True).agg(
            pl.col("_extracted_at").max().alias("__at"),
            *(
                pl.col(column).filter(pl.col(column) != "").last().alias(f"__{key}")
                for key, column in self.mapping.station_columns.items()
            ),
        )
        for row in said.iter_rows(named=True):
            values = {key: _said(key, row[f"__{key}"]) for key in self.mapping.station_columns}
            station = Station(row["__station"], **values, license_info=self.mapping.license_info)
            if self.told.get(station.station_id) != station:
                self.told[station.station_id] = station
                at: datetime = row["__at"]
                out.stations.append((station, at))

    def _with_time(self, frame: pl.DataFrame, out: Decoded) -> pl.DataFrame:
        """Give each row its wall-clock time in `__local`, or its instant in `__utc`; rows without are refused."""
        names = self.mapping.time
        text = frame.select(
            pl.col(names[0]).alias("time")
            if len(names) == 1
            else pl.concat_str([pl.col(name).str.strip_chars() for name in names], separator=" ").alias("time")
        ).to_series()
        times = parse_times(text, self.mapping.time_format)
        frame = frame.with_columns(times.local.alias("__local"), times.utc.alias("__utc"))
        without = frame.select((pl.col("__local").is_null() & pl.col("__utc").is_null()).alias("no")).to_series()
        if not without.any():
            return frame
        if without.all() and self.rows == frame.height >= MANY and text.null_count() < len(text):
            first = text.drop_nulls()[0]
            raise FormatError(
                f"no row's time is {_form(self.mapping.time_format)}, the first is {first!r}",
                where=self.item.key,
                hint="correct the format of time in the connection's columns, then ingest",
            )
        for row in frame.filter(without).iter_rows(named=True):
            empty = next((name for name in names if row[name] in (None, "")), None)
            shown = " ".join(str(row[name]) for name in names)
            reason = "the row carries no time" if empty else f"not a time ({_form(self.mapping.time_format)})"
            out.rejections.append(self._rejection(row, empty or names[0], reason, None if empty else shown))
        return frame.filter(~without)

    def _with_instant(self, frame: pl.DataFrame, out: Decoded) -> pl.DataFrame:
        """Wall-clock times become instants; rows of a day with a repeated hour are held."""
        local = frame.get_column("__local")
        if local.null_count() == len(local):
            return frame
        if self.mapping.timezone != "station":
            return self._in_timezone(frame, self.mapping.timezone, out)
        zones: dict[str, str] = {}
        for station_id in frame.get_column("__station").unique().to_list():
            station = self._station(station_id)
            zones[station_id] = (station and station.timezone) or "UTC"
        if len(distinct := sorted(set(zones.values()))) == 1:
            return self._in_timezone(frame, distinct[0], out)
        zone = frame.get_column("__station").replace_strict(zones, return_dtype=pl.String)
        parts = [self._in_timezone(frame.filter(zone == each), each, out) for each in distinct]
        return pl.concat(parts).sort("_line", maintain_order=True)

    def _in_timezone(self, frame: pl.DataFrame, timezone: str, out: Decoded) -> pl.DataFrame:
        if timezone != "UTC":
            day = frame.get_column("__local").dt.date()
            back = fold_days(day.drop_nulls().unique().to_list(), timezone)
            if back:
                held = day.is_in(back).fill_null(value=False)
                self.held.append(frame.filter(held).with_columns(pl.lit(timezone).alias("__zone")))
                frame = frame.filter(~held)
        local, utc = frame.get_column("__local"), frame.get_column("__utc")
        sure = sure_instants(local, timezone)
        lost = sure.is_null() & local.is_not_null()
        frame = frame.with_columns(pl.coalesce(pl.lit(utc), pl.lit(sure)).alias("__utc"))
        if not lost.any():
            return frame
        for row in frame.filter(lost).iter_rows(named=True):
            out.rejections.append(self._no_such_time(row, timezone))
        return frame.filter(~lost)

    def _no_such_time(self, row: dict[str, Any], timezone: str) -> Rejection:
        reason = f"no such time in {timezone}: the clock went forward"
        return self._rejection(row, self.mapping.time[-1], reason, str(row["__local"]))

    def _release(self, out: Decoded) -> None:
        """Decode the rows that were held, station by station, in the order of the table."""
        if not self.held:
            return
        frame, self.held = pl.concat(self.held), []
        done = [
            self._folded(rows, rows.item(0, "__zone"), out)
            for rows in frame.partition_by("__station", maintain_order=True)
        ]
        self._rows(pl.concat(done).drop("__zone"), out)

    def _folded(self, frame: pl.DataFrame, timezone: str, out: Decoded) -> pl.DataFrame:
        """One station's rows around a repeated hour."""
        local = frame.get_column("__local")
        converted = to_utc(local, timezone)
        for row in converted.missing:
            out.rejections.append(self._no_such_time(frame.row(row, named=True), timezone))
        for row in converted.unclear:
            reason = "the clock runs backwards more than once in the repeated hour of autumn"
            out.rejections.append(
                self._rejection(frame.row(row, named=True), self.mapping.time[-1], reason, str(local[row]))
            )
        for guess in converted.assumptions:
            context = {
                "object": self.item.key,
                "station_id": frame.item(0, "__station"),
                "lines": [frame.item(guess.first, "_line"), frame.item(guess.last, "_line")],
                "local": [str(local[guess.first]), str(local[guess.last])],
                "timezone": timezone,
            }
            out.notes.append(Note("warning", guess.text, context))
        return frame.with_columns(converted.utc.alias("__utc")).filter(pl.col("__utc").is_not_null())

    # ------------------------------------------------------------------------------------------------ values

    def _rows(self, frame: pl.DataFrame, out: Decoded) -> None:
        """Add the reports of rows whose station and instant are known."""
        if frame.is_empty():
            return
        cells = frame.select(self._cell(name) for name in self.values)
        numbers, bad = parse_columns(cells, self.numbers)
        numbers, odd = self._with_wind(numbers, cells)
        reports = frame.select(pl.col("__station").alias("station_id"), pl.col("__utc").alias("utc_time")).hstack(
            numbers
        )
        book = self.item.key.endswith(".xlsx")
        origin = pl.lit(self.item.key)
        if book:
            origin = pl.concat_str(pl.lit(self.item.key + "#"), pl.col("__sheet"))
        reports = reports.hstack(
            frame.select(
                pl.col("_extracted_at").alias("extracted_at"), origin.alias("origin"), pl.col("_line").alias("line")
            )
        )
        refused: dict[int, tuple[str, str, str | None]] = {}
        for cell in (*bad, *odd):
            refused.setdefault(cell.row, (cell.column, cell.reason, cell.value))
        if refused:
            out.rejections += [
                self._rejection(frame.row(row, named=True), *refused[row][:2], self._raw(frame, row, refused[row]))
                for row in sorted(refused)
            ]
            reports = reports.filter(~pl.Series(range(frame.height)).is_in(list(refused)))
        out.frame = pl.concat([out.frame, reports], how="diagonal") if not out.frame.is_empty() else reports

    def _cell(self, name: str) -> pl.Expr:
        """A column's texts, with what means "no value" as null and a point for the decimals."""
        text = pl.col(name)
        if self.marks:
            stripped = text.str.strip_chars()
            text = pl.when(~stripped.is_in(list(self.marks)).fill_null(value=False)).then(text)
        if self.mapping.decimal == ",":
            text = text.str.replace(",", ".", literal=True)
        if self.number_marks:
            number = text.str.strip_chars().cast(pl.Float64, strict=False)
            text = pl.when(~number.is_in(self.number_marks).fill_null(value=False)).then(text)
        return text.alias(name)

    def _raw(self, frame: pl.DataFrame, row: int, cell: tuple[str, str, str | None]) -> str | None:
        """What the table itself says in a refused cell."""
        return frame.item(row, cell[0]) if cell[0] in frame.columns else cell[2]

    def _with_wind(self, numbers: pl.DataFrame, cells: pl.DataFrame) -> tuple[pl.DataFrame, Sequence[Any]]:
        """Words give degrees, degrees give words; where the table has both, each fills the gaps of the other."""
        words = self.mapping.columns.get(_WORDS)
        if words is None:
            if _DEGREES in numbers.columns:
                numbers = numbers.with_columns(compass_points(_DEGREES))
            return numbers, ()
        points, degrees, odd = compass_words(cells.get_column(words.column))
        if _DEGREES not in numbers.columns:
            return numbers.with_columns(points, degrees) if numbers.width else pl.DataFrame([points, degrees]), odd
        derived = numbers.select(compass_points(_DEGREES)).to_series()
        return numbers.with_columns(
            pl.coalesce(pl.lit(points), pl.lit(derived)).alias(_WORDS),
            pl.coalesce(pl.col(_DEGREES), pl.lit(degrees)).alias(_DEGREES),
        ), odd

    def _rejection(self, row: dict[str, Any], column: str, reason: str, value: str | None) -> Rejection:
        sheet_row = row["__row"]
        return Rejection(
            self.item.key,
            reason,
            line=None if self.item.key.endswith(".xlsx") else row["_line"],
            sheet=row["__sheet"],
            row=int(float(sheet_row)) if sheet_row and re.fullmatch(r"\d+(\.0)?", sheet_row) else None,
            column=column or None,
            value=value,
            station_id=row.get("__station"),
            instant=row.get("__utc"),
            day=None if row.get("__local") is None else row["__local"].date(),
        )

    # ------------------------------------------------------------------------------------------------ drift

    def _drift(self, out: Decoded) -> None:
        """Report mapped columns that came to nothing: a renamed column would otherwise be lost in silence."""
        if not self.rows:
            return
        left = sorted(self.cells.filled - self.cells.used - {*PLACES, UNREAD})
        wanted = list(dict.fromkeys([*self.values, *self.mapping.station_columns.values()]))
        for name in wanted:
            if name in self.cells.found:
                continue
            guess = get_close_matches(plain_name(name), [plain_name(each) for each in left], n=1, cutoff=0.5)
            like = next((each for each in left if guess and plain_name(each) == guess[0]), None)
            if like is not None:
                reason = f"the mapped column holds no value, while {like!r} is not mapped; was it renamed?"
                out.rejections.append(Rejection(self.item.key, reason, column=name, rows=0))
            elif name not in self.cells.seen and "." not in name:
                reason = "the table has no such column, which its mapping names"
                out.rejections.append(Rejection(self.item.key, reason, column=name, rows=0))
            else:
                context = {"object": self.item.key, "column": name}
                out.notes.append(Note("warning", f"column {name!r} holds no value", context))
        if left:
            shown = ", ".join(map(repr, left[:20])) + (f" and {len(left) - 20} more" if len(left) > 20 else "")
            msg = f"columns that are not mapped were left out: {shown}"
            out.notes.append(Note("info", msg, {"object": self.item.key, "columns": left[:100]}))


def _form(time_format: str) -> str:
    return {
        "iso": "ISO 8601, as 2024-10-01T00:04:00",
        "epoch_s": "seconds since 1970",
        "epoch_ms": "milliseconds since 1970",
    }.get(time_format, f"as {time_format}")


def _said(key: str, text: str | None) -> Any:
    """A station's attribute as its type; a number that is none is not said."""
    if text is None or key not in ("latitude", "longitude", "elevation"):
        return text
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return round(number) if key == "elevation" else number
