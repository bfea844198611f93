"""Weather Underground tables (°F, mph, inHg, in; station-local times) -> report frames.

A table comes as landed CSV or JSONL records, or as a workbook dropped by hand. Each row says its local day in `Date`
or `DateTime` (our own sync takes it from the sheet's title); where no row does, days are inferred from a configured
first day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from itertools import compress
from typing import Final

import polars as pl

from barograph.decode import dates, workbook
from barograph.decode.base import DecodeContext, Decoded, Opener
from barograph.decode.columnar import is_columnar
from barograph.decode.envelope import RawBatch, plain_name, read_table
from barograph.decode.localtime import to_utc
from barograph.decode.values import Column, column_for, compass_words, parse_columns
from barograph.errors import FormatError
from barograph.frame import INSTANT
from barograph.model import LandedObject, Note, Rejection
from barograph.variables import VARIABLES

_UNITS: Final = {
    "temperature": ("°F", "\u00a0°F"),
    "dew_point": ("°F", "\u00a0°F"),
    "humidity": ("%", "\u00a0%"),
    "mean_wind_speed": ("mph", "\u00a0mph"),
    "wind_gust": ("mph", "\u00a0mph"),
    "pressure": ("in", "\u00a0in"),
    "precipitation_acc": ("in", "\u00a0in"),
    "precipitation_rate": ("in", "\u00a0in"),
    "uv": ("", ""),
    "solar": ("w/m²", "\u00a0w/m²"),
}
NUMBERS: Final[tuple[Column, ...]] = tuple(
    column_for(v.name, v.wunderground, *_UNITS[v.name]) for v in VARIABLES if v.wunderground and v.name in _UNITS
)
WIND: Final = "Wind"
TIMES: Final = ("Time", "Date", "DateTime")
PLACES: Final = ("Sheet", "Row")
OBSERVED: Final[tuple[str, ...]] = (*(column.raw for column in NUMBERS), WIND)
KNOWN: Final[tuple[str, ...]] = (
    "Time", "Temperature", "Dew Point", "Humidity", "Wind", "Speed", "Gust", "Pressure", "Precip. Rate.",
    "Precip. Accum.", "UV", "Solar", "Date", "Sheet", "Row",
)  # fmt: skip


def decode(item: LandedObject, opener: Opener, context: DecodeContext) -> Iterator[Decoded]:
    """Decode one table object; `context.station` must name the station and its timezone."""
    table = _Table(item, opener, context)
    try:
        for batch in table.batches():
            yield table.decode(batch)
    except FormatError:
        # What was whole before the damage counts, the day under way too.
        if table.held is not None:
            yield table.finish()
        raise
    yield table.finish()


class _Table:
    """State that outlives a batch: the rows of the local day at its end, and what was already noted."""

    def __init__(self, item: LandedObject, opener: Opener, context: DecodeContext) -> None:
        if context.station is None or context.station.timezone is None:
            raise FormatError("belongs to no station with a timezone", where=item.key, hint="name it in the connection")
        self.item, self.opener, self.context = item, opener, context
        self.station_id, self.timezone = context.station.station_id, context.station.timezone
        self.held: pl.DataFrame | None = None
        self.days = dates.DayInference(context.first_day, self.timezone)
        self.filled: dict[date | None, set[str]] = {}
        self.dated: bool | None = None

    def batches(self) -> Iterator[RawBatch]:
        """The object's rows, from its start."""
        if self.item.key.endswith(".xlsx"):
            return workbook.read_sheets(self.item, self.opener(), self.context)
        limit, unpacked = self.context.record_mib << 20, self.context.unpacked_mib
        return read_table(self.item, self.opener(), KNOWN, limit_bytes=limit, unpacked_mib=unpacked)

    def decode(self, batch: RawBatch) -> Decoded:
        out = Decoded(rejections=batch.rejections)
        frame = self._named(batch)
        frame = self._without_blanks(frame, out)
        if not frame.is_empty() and self.held is not None:
            frame = pl.concat([self.held, frame], how="diagonal")
            self.held = None
        if not frame.is_empty():
            # The last local day may go on in the next batch, and its clock change must be seen whole.
            last = frame.get_column("_day")[-1]
            same = frame.get_column("_day").eq_missing(last)
            cut = frame.height - int((~same).reverse().arg_true()[0]) if not same.all() else 0
            self.held = frame[cut:]
            self._rows(frame[:cut], out)
        return out

    def finish(self) -> Decoded:
        out = Decoded()
        if self.held is not None:
            self._rows(self.held, out)
        self._drift(out)
        return out

    def _named(self, batch: RawBatch) -> pl.DataFrame:
        """Columns under the table's own names (headers differ in blanks, case and a final dot)."""
        names = {plain_name(name): name for name in (*KNOWN, "DateTime")}
        rename: dict[str, str] = {}
        for column in batch.columns:
            name = names.get(plain_name(column), column)
            if name != column and name not in rename.values():
                rename[column] = name
        frame = batch.frame
        if "DateTime" in frame.columns and is_columnar(self.item.key):
            # Typed, Airbyte writes a wall-clock time as if it were UTC; this column is station-local.
            frame = frame.with_columns(pl.col("DateTime").str.strip_suffix("Z"))
        clash = [name for name in rename.values() if name in frame.columns]
        # A known column that no row fills gives way to the one that is written a little differently.
        frame = frame.drop(name for name in clash if frame.get_column(name).null_count() == frame.height)
        frame = frame.rename({old: new for old, new in rename.items() if new not in frame.columns})
        missing = [name for name in ("Time", *PLACES, *OBSERVED) if name not in frame.columns]
        return frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in missing)

    def _without_blanks(self, frame: pl.DataFrame, out: Decoded) -> pl.DataFrame:
        """Leave out rows that hold no value, and give each other row its local day in `_day`."""
        blank = _blank(frame)
        out.blank += int(blank.sum())
        day = dates.local_days(frame)
        if self.dated is None and not blank.all():
            self.dated = bool(day.is_not_null().any())
            if self.dated is False:
                out.notes.append(self._infer_all())
        if not self.dated:
            # Also empty rows before the first that says something: how many they are counts.
            day = self.days.infer(frame.get_column("Time"), blank)
        return frame.with_columns(day.alias("_day")).filter(~blank)

    def _infer_all(self) -> Note:
        """Go through a table without dates, whose days must all be clear before one of its rows is believed."""
        first = self.context.first_day
        if first is None:
            raise FormatError(
                "its rows carry no date",
                where=self.item.key,
                hint="add a Date or DateTime column, title each sheet DDMMYY, or set first_day in the connection",
            )
        inference, days = dates.DayInference(first, self.timezone), {first}
        for batch in self.batches():
            frame = self._named(batch)
            if frame.is_empty():
                continue
            try:
                found = inference.infer(frame.get_column("Time"), _blank(frame))
            except dates.UnclearDays as unclear:
                line = frame.item(unclear.row, "_line")
                raise self._unclear(f"its rows carry no date, and at line {line:,} {unclear}") from None
            days.update(found.drop_nulls().unique().to_list())
            extracted = frame.get_column("_extracted_at").dt.convert_time_zone(self.timezone).dt.date()
            if (found > extracted).any():
                raise self._unclear(f"counted from first_day = {first}, its rows reach {max(days)}: it was read before")
        span = f"{len(days)} {'day' if len(days) == 1 else 'days'} to {max(days)}"
        text = f"the table carries no date; its days were inferred from first_day = {first}: {span}"
        context = {"object": self.item.key, "station_id": self.station_id, "first_day": str(first), "days": len(days)}
        return Note("warning", text, context)

    def _unclear(self, what: str) -> FormatError:
        return FormatError(
            what, where=self.item.key, hint="correct first_day or the table, or add a Date or DateTime column to it"
        )

    def _rows(self, frame: pl.DataFrame, out: Decoded) -> None:
        """Decode rows whose local days are complete."""
        if frame.is_empty():
            return
        self._note_columns(frame)
        local, why = dates.local_times(frame)
        converted = to_utc(local, self.timezone)
        refused: dict[int, tuple[str, str, str | None]] = {
            row: (column, reason, value) for row, column, reason, value in why
        }
        for row in converted.missing:
            refused.setdefault(
                row, ("Time", f"no such time in {self.timezone}: the clock went forward", _show(local[row]))
            )
        for row in converted.unclear:
            refused.setdefault(
                row,
                ("Time", "the clock runs backwards more than once in the repeated hour of autumn", _show(local[row])),
            )
        numbers, bad = parse_columns(frame, NUMBERS)
        points, degrees, odd_points = compass_words(frame.get_column(WIND))
        for cell in (*bad, *odd_points):
            refused.setdefault(cell.row, (cell.column, cell.reason, cell.value))
        reports = pl.select(
            pl.lit(self.station_id).alias("station_id"), pl.lit(converted.utc).cast(INSTANT).alias("utc_time")
        ).hstack([*numbers.get_columns(), points, degrees])
        sheet = "" if frame.get_column("Sheet").is_null().all() or not self.item.key.endswith(".xlsx") else "Sheet"
        origin = pl.lit(self.item.key) if not sheet else pl.concat_str(pl.lit(self.item.key + "#"), pl.col(sheet))
        reports = reports.hstack(
            frame.select(
                pl.col("_extracted_at").alias("extracted_at"), origin.alias("origin"), pl.col("_line").alias("line")
            )
        )
        if refused:
            out.rejections += [self._rejection(frame, row, converted.utc, *refused[row]) for row in sorted(refused)]
            keep = pl.Series(range(frame.height)).is_in(list(refused))
            reports = reports.filter(~keep)
        for guess in converted.assumptions:
            context = {
                "object": self.item.key,
                "station_id": self.station_id,
                "lines": [frame.item(guess.first, "_line"), frame.item(guess.last, "_line")],
                "local": [_show(local[guess.first]), _show(local[guess.last])],
                "timezone": self.timezone,
            }
            out.notes.append(Note("warning", guess.text, context))
        out.frame = pl.concat([out.frame, reports], how="diagonal") if not out.frame.is_empty() else reports

    def _rejection(
        self, frame: pl.DataFrame, row: int, utc: pl.Series, column: str, reason: str, value: str | None
    ) -> Rejection:
        # A row whose two times differ has none that could be trusted, and its day is that of one of them.
        instant = None if column == "DateTime" else utc[row]
        sheet, sheet_row = frame.item(row, "Sheet"), frame.item(row, "Row")
        line = None if self.item.key.endswith(".xlsx") else frame.item(row, "_line")
        return Rejection(
            self.item.key,
            reason,
            line=line,
            sheet=sheet,
            row=int(float(sheet_row)) if sheet_row and re.fullmatch(r"\d+(\.0)?", sheet_row) else None,
            column=column,
            value=value,
            station_id=self.station_id,
            instant=instant,
            day=None if instant is not None else frame.item(row, "_day"),
        )

    def _note_columns(self, frame: pl.DataFrame) -> None:
        """Note which columns hold a value on each local day: a sheet may differ from its neighbours."""
        names = [name for name in frame.columns if not name.startswith("_")]
        held = frame.group_by("_day").agg(pl.col(names).is_not_null().any())
        for day, *flags in held.iter_rows():
            self.filled.setdefault(day, set()).update(compress(names, flags))

    def _drift(self, out: Decoded) -> None:
        """Report columns that came or went: a renamed column would otherwise be lost in silence."""
        wanted = ("Time", *OBSERVED)
        unknown = set().union(*self.filled.values()) - {*KNOWN, *TIMES, *PLACES}
        for name in sorted(unknown):
            beside = set().union(*(held for held in self.filled.values() if name in held))
            absent = [column for column in wanted if column not in beside]
            if absent:
                guess = get_close_matches(plain_name(name), [plain_name(a) for a in absent], n=1, cutoff=0.3)
                like = next((a for a in absent if guess and plain_name(a) == guess[0]), None)
                reason = f"unknown column, while {', '.join(map(repr, absent))} is absent"
                reason += f"; renamed from {like!r}?" if like else "; was it renamed?"
                out.rejections.append(Rejection(self.item.key, reason, column=name, station_id=self.station_id, rows=0))
            else:
                out.notes.append(
                    Note(
                        "info",
                        f"column {name!r} is not known and was left out",
                        {"object": self.item.key, "column": name},
                    )
                )
        for name in wanted:
            without = [day for day, held in self.filled.items() if name not in held and not held & unknown]
            if without:
                days = sorted(str(day) for day in without)
                some = (
                    ""
                    if len(without) == len(self.filled)
                    else f" on {len(days)} of {len(self.filled)} days, {days[0]} the first"
                )
                out.notes.append(
                    Note("warning", f"column {name!r} holds no value{some}", {"object": self.item.key, "column": name})
                )


def _blank(frame: pl.DataFrame) -> pl.Series:
    """Which rows hold no value."""
    cells = [name for name in frame.columns if not name.startswith("_") and name not in (*PLACES, "Date")]
    return frame.select(
        pl.all_horizontal(pl.col(name).is_null() | (pl.col(name) == "") for name in cells).alias("blank")
    ).to_series()


def _show(value: object) -> str | None:
    return None if value is None else str(value)
