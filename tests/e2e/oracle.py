"""The network's exports decoded by other means: openpyxl, json and zoneinfo, in exact fractions, row by row.

Nothing of barograph and no data-frame library is used, so that the two readings of a file share no mistake. The
units and names are those of the table of variables in the design; they are written here a second time on purpose.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import openpyxl

Number = Fraction
Exact = dict[str, Fraction | str]
"""One report: variable -> exact value. What was not observed has no key."""
Instant = tuple[str, datetime]
"""Station and instant (UTC)."""
Reading = dict[Instant, Exact]
Stored = dict[Instant, dict[str, float | str]]
"""What an export says: numbers as printed, nulls left out."""

POINTS: Final = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
LONG_POINTS: Final = {"North": "N", "East": "E", "South": "S", "West": "W"}
WHOLE: Final = frozenset({"humidity", "ncloud_cover", "temps_omm"})
"""Variables that are kept without decimals; all others have two."""


def _times(factor: str) -> Callable[[Fraction], Fraction]:
    return lambda value: value * Fraction(factor)


def _celsius(fahrenheit: Fraction) -> Fraction:
    return (fahrenheit - 32) / Fraction("1.8")


_TABLE: Final[dict[str, tuple[str, str, Callable[[Fraction], Fraction]]]] = {
    "Temperature": ("temperature", "°F", _celsius),
    "Dew Point": ("dew_point", "°F", _celsius),
    "Humidity": ("humidity", "%", _times("1")),
    "Speed": ("mean_wind_speed", "mph", _times("1.609344")),
    "Gust": ("wind_gust", "mph", _times("1.609344")),
    "Pressure": ("pressure", "in", _times("33.863886")),
    "Precip. Rate.": ("precipitation_rate", "in", _times("25.4")),
    "Precip. Accum.": ("precipitation_acc", "in", _times("25.4")),
    "UV": ("uv", "", _times("1")),
    "Solar": ("solar", "w/m²", _times("1")),
}
_ANSWER: Final = {
    "temperature": "temperature",
    "point_de_rosee": "dew_point",
    "humidite": "humidity",
    "vent_direction": "wind_direction_deg",
    "vent_moyen": "mean_wind_speed",
    "vent_rafales": "wind_gust",
    "pression": "pressure",
    "pluie_1h": "precipitation_1h",
    "pluie_3h": "precipitation_3h",
    "visibilite": "visibility",
    "neige_au_sol": "snow_depth",
    "nebulosite": "ncloud_cover",
    "temps_omm": "temps_omm",
}


def read_workbook(path: Path, station_id: str, timezone: str) -> Reading:
    """A Weather Underground workbook: a sheet per local day, its title DDMMYY, its clock the station's."""
    reading: Reading = {}
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    for sheet in book.worksheets:
        day = datetime.strptime(sheet.title, "%d%m%y").replace(tzinfo=UTC).date()
        header, *rows = sheet.iter_rows(values_only=True)
        filled = [dict(zip(header, row, strict=True)) for row in rows if any(cell is not None for cell in row)]
        clocks = [row["Time"] for row in filled if isinstance(row["Time"], time)]
        for row, instant in zip(filled, _instants(day, clocks, ZoneInfo(timezone)), strict=True):
            key = (station_id, instant)
            if key in reading:
                raise AssertionError(f"{key} twice")
            reading[key] = _table_row(row)
    book.close()
    return reading


def _instants(day: date, clocks: Iterable[time], zone: ZoneInfo) -> Iterator[datetime]:
    """Wall-clock times of one day in the order of their rows; when the clock runs backwards, the second pass begins."""
    fold, last = 0, time.min
    for clock in clocks:
        fold = 1 if clock < last else fold
        last = clock
        local = datetime.combine(day, clock, zone)
        yield local.replace(fold=fold if _happens_twice(local) else 0).astimezone(UTC)


def _happens_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _table_row(row: Mapping[Any, Any]) -> Exact:
    report: Exact = {}
    for column, (name, unit, convert) in _TABLE.items():
        cell = row[column]
        if cell is None:
            continue
        digits, _, written = str(cell).partition("\u00a0")
        if written != unit:
            raise AssertionError(f"{column} in {written!r}")
        report[name] = convert(Fraction(digits))
    if row["Wind"] is not None:
        point = LONG_POINTS.get(row["Wind"], row["Wind"])
        report["wind_direction"] = point
        report["wind_direction_deg"] = POINTS.index(point) * Fraction("22.5")
    return report


def read_answer(path: Path) -> Reading:
    """An Infoclimat answer: metric, UTC, every value a string, null or empty."""
    reading: Reading = {}
    for station_id, rows in json.loads(path.read_text(encoding="utf-8"))["hourly"].items():
        if station_id == "_params":
            continue
        for row in rows:
            instant = datetime.strptime(row["dh_utc"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            if (station_id, instant) in reading or row["id_station"] != station_id:
                raise AssertionError(f"{station_id} {instant}")
            report: Exact = {name: Fraction(row[field]) for field, name in _ANSWER.items() if row.get(field)}
            if "wind_direction_deg" in report:
                report["wind_direction"] = nearest_point(Fraction(row["vent_direction"]))
            reading[station_id, instant] = report
    return reading


def nearest_point(degrees: Fraction) -> str:
    """The one of 16 points whose direction is the least angle away."""

    def apart(index: int) -> Fraction:
        angle = abs(degrees - index * Fraction("22.5")) % 360
        return min(angle, 360 - angle)

    return POINTS[min(range(16), key=apart)]


def read_network(folder: Path) -> Reading:
    """All six stations of the first network."""
    return (
        read_workbook(folder / "Ichtegem_BE.xlsx", "IICHTE19", "Europe/Brussels")
        | read_workbook(folder / "La_Madeleine_FR.xlsx", "ILAMAD25", "Europe/Paris")
        | read_answer(folder / "Data_Source1_011024-071024.json")
    )


def read_export(data: bytes) -> Stored:
    """The reports in `barograph export --format csv`, read by the csv module."""
    stored: Stored = {}
    for row in csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")):
        key = (row.pop("station_id"), datetime.fromisoformat(row.pop("utc_time")))
        if key in stored:
            raise AssertionError(f"{key} twice")
        stored[key] = {
            name: cell if name == "wind_direction" else float(cell) for name, cell in row.items() if cell != ""
        }
    return stored


def differences(exact: Reading, stored: Stored) -> list[str]:
    """Every way in which `stored` is not `exact` rounded: reports and values missing, extra or wrong."""
    found = [f"{station} {instant}: missing" for station, instant in sorted(exact.keys() - stored.keys())]
    found += [f"{station} {instant}: extra" for station, instant in sorted(stored.keys() - exact.keys())]
    for key in sorted(exact.keys() & stored.keys()):
        expected, got = exact[key], stored[key]
        for name in sorted(expected.keys() | got.keys()):
            if not _agree(name, expected.get(name), got.get(name)):
                found.append(f"{key[0]} {key[1]} {name}: {got.get(name)} instead of {expected.get(name)}")
    return found


def _agree(name: str, expected: Fraction | str | None, got: float | str | None) -> bool:
    if isinstance(expected, Fraction) and isinstance(got, float):
        half = Fraction(1, 2) if name in WHOLE else Fraction(1, 200)
        rounded = got == round(got, 0 if name in WHOLE else 2)
        return rounded and abs(Fraction(got) - expected) <= half + Fraction(1, 10**9)
    return expected == got
