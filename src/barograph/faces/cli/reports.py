"""Reports of a station as a table for people and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from barograph.faces.cli import render
from barograph.faces.cli.render import BAD, ODD, QUIET, STRONG, Cell, Column, count, number
from barograph.frame import FLAG_SUFFIX, variables_in
from barograph.model import Station, StationSummary, iso, utc_now
from barograph.quality import FAIL, SUSPECT
from barograph.variables import BY_NAME, NAMES

if TYPE_CHECKING:
    from barograph.query import Span

SIGNS: Final = {SUSPECT: "?", FAIL: "!"}
"""What stands behind a value that a quality test doubts."""
MEANINGS: Final = {SUSPECT: "suspect (flag 3)", FAIL: "not possible here (flag 4)"}
NOTHING: Final = "-"
_JSON_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column ready to be shown."""

    column: Column
    cells: list[Cell]


def show(frame: pl.DataFrame, timezone: str, *, provenance: bool = False) -> None:
    """The reports as a table: local time, UTC, the variables with their units, values with a flag marked.

    On a terminal only the variables that fit are shown, and the others are named below.
    """
    terminal = render.is_terminal()
    times = _times(frame, timezone, short=terminal)
    shown = [_variable(frame, name, narrow=terminal) for name in variables_in(frame.columns)]
    origins: dict[str, int] = {}
    chosen = [*times, *shown]
    if provenance:
        origins = {key: place for place, key in enumerate(frame.get_column("origin").unique(maintain_order=True), 1)}
        chosen += _provenance(frame, origins if terminal else {})
    rows = zip(*(item.cells for item in chosen), strict=True)
    render.table([item.column for item in chosen], list(rows), more="choose with --variables")
    if terminal:
        for key, place in origins.items():
            render.say(Cell(f"[{place}] {key}", QUIET))
    legend(frame)


def legend(frame: pl.DataFrame) -> None:
    """How many values carry which sign."""
    for flag, sign in SIGNS.items():
        columns = [name for name in frame.columns if name.endswith(FLAG_SUFFIX)]
        marked = sum(int((frame.get_column(name) == flag).sum()) for name in columns)
        if marked:
            render.say(Cell(f"{sign} {count(marked, 'value')} {MEANINGS[flag]}; stored as reported", ODD))


def _times(frame: pl.DataFrame, timezone: str, *, short: bool) -> list[_Shown]:
    instants = frame.get_column("utc_time")
    local = instants.dt.convert_time_zone(timezone)
    result = []
    if timezone != "UTC":
        zones = local.dt.strftime("%Z")
        # Where the clock is changed in between, an hour stands there twice: the zone's name tells which is which.
        mark = " %Z" if zones.n_unique() > 1 else ""
        result.append(_time(f"local time\n{timezone}", local, mark, short=short))
    return [*result, _time("UTC", instants, "" if short else "Z", short=short)]


def _time(title: str, values: pl.Series, mark: str, *, short: bool) -> _Shown:
    seconds = ":%S" if bool((values.dt.second() != 0).any()) else ""
    pattern = f"%H:%M{seconds}{mark}"
    if not short or values.dt.year().n_unique() > 1:
        pattern = f"%Y-%m-%d {pattern}"
    elif values.dt.date().n_unique() > 1:
        pattern = f"%m-%d {pattern}"
    else:
        title = title.replace("local time", "local")
    lines = title.split("\n")
    if short and len(lines) > 1:
        title = f"{lines[0]}\n{lines[1].rpartition('/')[2]}"
    return _Shown(Column(title), [Cell(text) for text in values.dt.strftime(pattern).to_list()])


def _variable(frame: pl.DataFrame, name: str, *, narrow: bool) -> _Shown:
    variable = BY_NAME[name]
    values = frame.get_column(name).to_list()
    flags = frame.get_column(name + FLAG_SUFFIX).to_list() if name + FLAG_SUFFIX in frame.columns else None
    places = _decimals(values) if variable.kind == "float" else 0
    texts = [_value(value, places) for value in values]
    if flags is None:
        cells = [Cell(text, QUIET if text == NOTHING else "") for text in texts]
    else:
        signs = [SIGNS.get(flag, " ") for flag in flags]
        cells = [
            Cell(text + sign, BAD if sign == "!" else ODD if sign == "?" else "")
            for text, sign in zip(texts, signs, strict=True)
        ]
    title = name.replace("precipitation", "precip").replace("_", "\n") if narrow else name
    # Degrees go first where there is no room, for the compass point says the same; then the end of the table.
    drop = len(NAMES) if name == "wind_direction_deg" else NAMES.index(name)
    column = Column(f"{title}\n{variable.unit}", right=variable.kind != "text", drop=drop, name=name)
    return _Shown(column, cells)


def _decimals(values: Sequence[Any]) -> int:
    """Digits that a column needs, at most 2 (what is stored)."""
    places = 0
    for value in values:
        if value is not None and places < 2:
            text = f"{value:.2f}"
            places = max(places, 2 if text[-1] != "0" else 1 if text[-2] != "0" else 0)
    return places


def _value(value: Any, places: int) -> str:
    if value is None:
        return NOTHING
    return f"{value:.{places}f}" if isinstance(value, float) else str(value)


def _provenance(frame: pl.DataFrame, numbers: dict[str, int]) -> list[_Shown]:
    """Where the reports come from; an object that has a number is shown by it."""
    origins = [f"[{numbers[text]}]" if text in numbers else text or "" for text in frame.get_column("origin").to_list()]
    lines = ["" if line is None else str(line) for line in frame.get_column("line").to_list()]
    extracted = frame.get_column("extracted_at").to_list()
    return [
        _Shown(Column("extracted"), [Cell(render.instant(value)) for value in extracted]),
        _Shown(Column("line", right=True), [Cell(text) for text in lines]),
        _Shown(Column("object", wrap=True), [Cell(text) for text in origins]),
    ]


def summary(frame: pl.DataFrame, span: Span, timezone: str) -> str:
    """How many reports there are, from when to when, and of how many that should be there."""
    instants = frame.get_column("utc_time")
    first, last = instants[0], instants[-1]
    text = count(frame.height, "report")
    if (expected := expected_reports(instants, span)) is not None:
        reports, step = expected
        # Rounded down: 287 of 288 are not 100 %.
        share = 100 * frame.height // reports
        text += f" of {number(reports)} expected ({share} %, one every {step / timedelta(minutes=1):g} min)"
    return f"{text}, {_local(first, timezone)} to {_local(last, timezone)} ({timezone})"


def expected_reports(instants: pl.Series, span: Span) -> tuple[int, timedelta] | None:
    """Reports that the span (as far as it is past) would hold at the usual interval, and that interval."""
    steps = instants.diff().drop_nulls()
    if steps.is_empty():
        return None
    step = steps.median()
    if not isinstance(step, timedelta):
        return None
    end = min(span.end, max(utc_now(), instants[-1] + step))
    return max(-((span.start - end) // step), instants.len()), step


def _local(moment: datetime, timezone: str) -> str:
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")


def nothing_found(station: Station, held: StationSummary, span: Span) -> str:
    """What the record has instead."""
    zone = station.timezone or "UTC"
    missing = f"no reports of {station.station_id} for {span.label} ({span.timezone})"
    if held.count == 0 or held.first is None or held.last is None:
        return f"{missing}; the record has none of this station"
    return (
        f"{missing}; the record has {count(held.count, 'report')}, "
        f"{_local(held.first, zone)} to {_local(held.last, zone)} ({zone})"
    )


def title(station: Station, span: Span) -> None:
    """Station, place and span, above the table."""
    place = ", ".join(filter(None, dict.fromkeys((station.name, station.city))))
    render.say(Cell(station.station_id, STRONG), f"  {place}" if place else "", f"  {span.label} ({span.timezone})")


def write_json(frame: pl.DataFrame, station: Station, span: Span) -> None:
    """One object: station, timezone, the span, and the reports, one on a line."""
    head = {
        "station_id": station.station_id,
        "timezone": station.timezone or "UTC",
        "from": iso(span.start),
        "to": iso(span.end),
    }
    out = sys.stdout.buffer
    sys.stdout.flush()
    out.write(orjson.dumps(head)[:-1] + b',"reports":[')
    lead = b"\n"
    for report in _plain_reports(frame):
        out.write(lead + orjson.dumps(report))
        lead = b",\n"
    out.write(b"]}\n" if lead == b"\n" else b"\n]}\n")
    out.flush()


def _plain_reports(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    variables = variables_in(frame.columns)
    flagged = [name for name in variables if name + FLAG_SUFFIX in frame.columns]
    provenance = [name for name in ("extracted_at", "origin", "line") if name in frame.columns]
    for piece in frame.iter_slices(_JSON_ROWS):
        for row in piece.iter_rows(named=True):
            report: dict[str, Any] = {"utc_time": iso(row["utc_time"])}
            report |= {name: row[name] for name in variables}
            if flags := {name: value for name in flagged if (value := row[name + FLAG_SUFFIX]) is not None}:
                report["flags"] = flags
            if provenance:
                report["provenance"] = {
                    name: iso(row[name]) if isinstance(row[name], datetime) else row[name] for name in provenance
                }
            yield report
