"""What `completeness` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from barograph.faces.cli import render
from barograph.faces.cli.render import BAD, GOOD, ODD, QUIET, Cell, Column
from barograph.model import iso
from barograph.query import CAUSES, percent, totals

if TYPE_CHECKING:
    import polars as pl

    from barograph.model import Station

SHOWN_GAPS: Final = 6
"""Gaps of one day that are listed with their times."""
SHOWN_DAYS: Final = 60


def write_json(frame: pl.DataFrame) -> None:
    """`stations`: the sums of each; `days`: a row per station and local day, with its gaps."""
    sums = [
        {**{key: value for key, value in row.items() if key not in CAUSES}, "missing": {c: row[c] for c in CAUSES}}
        for row in totals(frame).iter_rows(named=True)
    ]
    days = [
        {
            **row,
            "day": row["day"].isoformat(),
            "gaps": [gap | {"start": iso(gap["start"]), "end": iso(gap["end"])} for gap in row["gaps"]],
        }
        for row in frame.iter_rows(named=True)
    ]
    render.json({"stations": sums, "days": days})


def below(frame: pl.DataFrame, least: float) -> list[str]:
    """The stations of which less than this share was received."""
    return [
        row["station_id"]
        for row in totals(frame).iter_rows(named=True)
        if row["expected"] and row["received"] < least * row["expected"]
    ]


def show(frame: pl.DataFrame, stations: Sequence[Station], *, every_day: bool, utc: bool) -> None:
    """A table of stations, and one of the days on which something is missing."""
    if frame.is_empty():
        render.say(Cell("no stations", QUIET))
        return
    days = frame.get_column("day").unique().sort().to_list()
    render.say(f"{days[0]} to {days[-1]}, {'UTC' if utc else 'local'} days")
    render.say("")
    by_id = {station.station_id: station for station in stations}
    right = [Column(name, right=True) for name in ("days", "expected", "received", "share")]
    causes = [Column(cause, right=True, drop=2) for cause in CAUSES]
    heads: list[Column | str] = [
        "station",
        Column("name", drop=3),
        Column("every", right=True, drop=1),
        *right,
        *causes,
    ]
    late = Column("received late", right=True, drop=4)
    rows = [_sums(row, by_id[row["station_id"]]) for row in totals(frame).iter_rows(named=True)]
    render.table([*heads, late], rows)
    _show_days(frame, by_id, every_day=every_day, utc=utc)


def _sums(row: Mapping[str, Any], station: Station) -> list[str | Cell]:
    name = station.name or station.city or ""
    if row["interval_minutes"] is None:
        return [row["station_id"], name, *([""] * (len(CAUSES) + 6))]
    return [
        row["station_id"],
        name,
        f"{row['interval_minutes']:g} min",
        render.number(row["days"]),
        render.number(row["expected"]),
        render.number(row["received"]),
        _share(row["received"], row["expected"]),
        *(render.number(row[cause]) for cause in CAUSES),
        render.number(row["received_late"]),
    ]


def _show_days(frame: pl.DataFrame, by_id: Mapping[str, Station], *, every_day: bool, utc: bool) -> None:
    due = [row for row in frame.iter_rows(named=True) if row["expected"]]
    listed = due if every_day else [row for row in due if row["gaps"]]
    for row in totals(frame).iter_rows(named=True):
        if row["interval_minutes"] is None:
            hint = f"has fewer than two reports: set interval in [stations.{row['station_id']}]"
            render.say(Cell(row["station_id"], ODD), f" {hint}")
    if not due:
        render.say(Cell("nothing was expected in these days: `barograph stations` tells from when on there is", QUIET))
        return
    render.say("")
    if not listed:
        render.say(Cell("nothing is missing", GOOD))
        return
    # All of it goes into a file or a pipe; a terminal gets what a person will read.
    shown = listed if every_day or not render.is_terminal() else listed[-SHOWN_DAYS:]
    right = [Column(name, right=True) for name in ("expected", "received", "share")]
    render.table(
        ["station", "day", *right, Column("missing", wrap=True)],
        [
            [
                row["station_id"],
                row["day"].isoformat(),
                render.number(row["expected"]),
                render.number(row["received"]),
                _share(row["received"], row["expected"]),
                _gaps(row["gaps"], "UTC" if utc else by_id[row["station_id"]].timezone or "UTC"),
            ]
            for row in shown
        ],
    )
    if left := len(listed) - len(shown):
        render.say(Cell(f"and {render.count(left, 'day')} before these (--all lists every day)", QUIET))


def _share(received: int, expected: int) -> Cell:
    return Cell(percent(received, expected), "" if received == expected else ODD if received else BAD)


def _gaps(gaps: Sequence[Mapping[str, Any]], timezone: str) -> str:
    zone = ZoneInfo(timezone)
    told = [
        f"{_clock(gap['start'], zone)}–{_clock(gap['end'], zone)} {gap['cause']} ({gap['expected']})"
        for gap in gaps[:SHOWN_GAPS]
    ]
    if rest := gaps[SHOWN_GAPS:]:
        told.append(f"and {render.count(sum(gap['expected'] for gap in rest), 'more report')} in {len(rest)} gaps")
    return ", ".join(told)


def _clock(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%H:%M}"
