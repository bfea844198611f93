"""A second reading of the simulated files, with openpyxl, csv, json and Decimal: shares no code with what it checks."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import openpyxl

Report = dict[str, Any]
Record = dict[tuple[str, datetime], Report]

POINTS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
WORDS = {"North": "N", "East": "E", "South": "S", "West": "W"}
COLUMNS = {
    "Temperature": "temperature",
    "Dew Point": "dew_point",
    "Humidity": "humidity",
    "Speed": "mean_wind_speed",
    "Gust": "wind_gust",
    "Pressure": "pressure",
    "Precip. Rate.": "precipitation_rate",
    "Precip. Accum.": "precipitation_acc",
    "UV": "uv",
    "Solar": "solar",
}
FIELDS = {
    "temperature": "temperature",
    "pression": "pressure",
    "humidite": "humidity",
    "point_de_rosee": "dew_point",
    "visibilite": "visibility",
    "vent_moyen": "mean_wind_speed",
    "vent_rafales": "wind_gust",
    "vent_direction": "wind_direction_deg",
    "pluie_3h": "precipitation_3h",
    "pluie_1h": "precipitation_1h",
    "neige_au_sol": "snow_depth",
    "nebulosite": "ncloud_cover",
    "temps_omm": "temps_omm",
}
FACTORS = {"mph": Decimal("1.609344"), "in": Decimal("25.4"), "%": Decimal(1), "w/m²": Decimal(1), "": Decimal(1)}


class Page(NamedTuple):
    """One sheet (or a whole CSV, title None): rows as they stand, with their number in the file."""

    title: str | None
    header: list[str]
    rows: list[tuple[int, Sequence[Any]]]


@cache
def workbook(path: Path) -> list[Page]:
    """The sheets of a workbook; rows from the third on. A path is read once."""
    book = openpyxl.load_workbook(path)
    pages = []
    for sheet in book.worksheets:
        rows = list(sheet.iter_rows(values_only=True))
        header = [str(cell) for cell in rows[0]]
        pages.append(Page(sheet.title, header, [(number, row) for number, row in enumerate(rows[2:], 3)]))
    return pages


def table(path: Path) -> list[Page]:
    """A CSV as one page; empty cells are None."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    return [Page(None, lines[0], [(n, [cell or None for cell in line]) for n, line in enumerate(lines[1:], 2)])]


def read(out_dir: Path) -> Record:
    """Every report of a simulated folder in canonical units; unreadable ones left out, the first of two kept."""
    config = tomllib.loads((out_dir / "barograph.toml").read_text(encoding="utf-8"))
    record: Record = {}
    for connection in config["connections"].values():
        path = out_dir / connection["url"]
        if connection["source"] == "infoclimat":
            reports = _answer(path)
        else:
            pages = workbook(path) if path.suffix == ".xlsx" else table(path)
            reports = _table(pages, connection["station"], config["stations"][connection["station"]]["timezone"])
        for key, report in reports:
            record.setdefault(key, report)
    return record


def _table(pages: list[Page], station: str, zone: str) -> Iterator[tuple[tuple[str, datetime], Report]]:
    previous = datetime.min.replace(tzinfo=UTC)
    for page in pages:
        day = _title_day(page.title)
        for _, row in page.rows:
            cells = dict(zip(page.header, row, strict=True))
            if all(cell is None for cell in row):
                continue
            moment = _time(cells["Time"])
            here = date.fromisoformat(str(cells["Date"])) if "Date" in cells else day
            if here is None or moment is None:
                continue
            wall = datetime.combine(here, moment, ZoneInfo(zone))
            utc = wall.astimezone(UTC)
            if utc < previous:  # the clock went back: the second 02:xx
                utc = wall.replace(fold=1).astimezone(UTC)
            try:
                report = _report(cells)
            except InvalidOperation:
                continue
            previous = utc
            yield (station, utc), report


def _title_day(title: str | None) -> date | None:
    if title is None or len(title) != 6 or not title.isdigit():
        return None
    return date(2000 + int(title[4:]), int(title[2:4]), int(title[:2]))


def _time(cell: object) -> time | None:
    if isinstance(cell, time):
        return cell
    try:
        return time.fromisoformat(str(cell))
    except ValueError:
        return None


def _report(cells: dict[str, Any]) -> Report:
    report: Report = {}
    for title, name in COLUMNS.items():
        if (cell := cells.get(title)) is not None:
            report[name] = _canonical(title, str(cell))
    if (word := cells.get("Wind")) is not None:
        report["wind_direction"] = WORDS.get(word, word)
        report["wind_direction_deg"] = POINTS.index(report["wind_direction"]) * 22.5
    return report


def _canonical(title: str, text: str) -> float:
    number, _, unit = text.partition("\u00a0")
    value = Decimal(number)
    if unit == "°F":
        value = (value - 32) / Decimal("1.8")
    elif title == "Pressure":
        value *= Decimal("33.863886")
    else:
        value *= FACTORS[unit]
    return float(value.quantize(Decimal("0.01"), ROUND_HALF_EVEN))


def _answer(path: Path) -> Iterator[tuple[tuple[str, datetime], Report]]:
    answer = json.loads(path.read_text(encoding="utf-8"))
    listed = {station["id"] for station in answer["stations"]}
    for station, rows in answer["hourly"].items():
        if station not in listed:
            continue
        for row in rows:
            report: Report = {name: float(row[field]) for field, name in FIELDS.items() if row.get(field)}
            if "wind_direction_deg" in report:
                report["wind_direction"] = POINTS[round(report["wind_direction_deg"] / 22.5) % 16]
            yield (station, datetime.fromisoformat(row["dh_utc"] + "+00:00")), report
