"""A landing zone filled with years of reports, in the three forms that Airbyte's S3 destination gives them.

Everything goes through `barograph.landing.land`, as a sync does, and in a process of its own, because a year of an
answer takes a gigabyte to make up: `python -m benchmarks.landed FOLDER FORM STATIONS DAYS`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import polars as pl

from barograph.config import Connection, Settings
from barograph.landing import land, open_landing
from barograph.model import Station
from benchmarks.weather import observe

Form = Literal["csv", "jsonl", "answer"]
FORMS: Final[tuple[Form, ...]] = ("csv", "jsonl", "answer")
TIMEZONE: Final = "Europe/Paris"
PREFIX: Final = "meteo_sync"
STARTED: Final = datetime(2024, 1, 1, 3, tzinfo=UTC)

# fmt: off
_TABLE: Final[dict[str, tuple[str, int, str]]] = {
    "Temperature": ("temperature", 1, "°F"),
    "Dew Point": ("dew_point", 1, "°F"),
    "Humidity": ("humidity", 0, "%"),
    "Wind": ("wind_direction", 0, ""),
    "Speed": ("mean_wind_speed", 1, "mph"),
    "Gust": ("wind_gust", 1, "mph"),
    "Pressure": ("pressure", 2, "in"),
    "Precip. Rate.": ("precipitation_rate", 2, "in"),
    "Precip. Accum.": ("precipitation_acc", 2, "in"),
    "UV": ("uv", 0, ""),
    "Solar": ("solar", 1, "w/m²"),
}
"""Column of a Weather Underground table: variable, digits after the point, unit."""
# fmt: on


def station_id(number: int, form: Form) -> str:
    """The id of the station with that number."""
    return f"{number:05d}" if form == "answer" else f"IBENCH{number:02d}"


def settings(folder: Path, store_url: str, form: Form, stations: int) -> Settings:
    """What a `barograph.toml` of these stations would say."""
    ids = [station_id(number, form) for number in range(stations)]
    if form == "answer":
        connections = {"answer": Connection("answer", "infoclimat", "answer.json", "answer")}
    else:
        connections = {
            name: Connection(name, "wunderground-table", f"{name}.xlsx", name.lower(), station=name, format=form)
            for name in ids
        }
    return Settings(
        data_dir=folder,
        landing_url=str(folder / "landing"),
        landing_prefix=PREFIX,
        store_url=store_url,
        stations={name: Station(name, timezone=TIMEZONE) for name in ids},
        connections=connections,
    )


def form_of(name: str) -> Form:
    """The form of that name."""
    return next(form for form in FORMS if form == name)


def fill(folder: Path, form: Form, stations: int, days: int) -> None:
    """Land `days` days of `stations` stations under `folder`: one answer for all, or a table for each."""
    zone = open_landing(str(folder / "landing"), PREFIX)
    if form == "answer":
        land(zone, "answer", [_answer(stations, days)], started=STARTED, format="jsonl")
        return
    for number in range(stations):
        records = _table(observe(number, days))
        land(zone, station_id(number, form).lower(), records, started=STARTED, format=form)


def landed_size(folder: Path) -> int:
    """Bytes of all objects under `folder`, without the manifests."""
    zone = open_landing(str(folder / "landing"), PREFIX)
    return sum(item.size for item in zone.objects())


def join_parts(folder: Path) -> None:
    """Make one object of the parts of each stream of JSON lines.

    Our sync cuts at 64 MB and Airbyte at 200, other tools never.
    """
    for stream in (folder / "landing" / PREFIX).iterdir():
        parts = sorted(stream.glob("*.jsonl"), key=lambda path: int(path.stem.rpartition("_")[2]))
        for part in parts[1:]:
            with parts[0].open("ab") as whole, part.open("rb") as rest:
                shutil.copyfileobj(rest, whole)
            part.unlink()


def _table(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Records of a Weather Underground table: local time, text cells with units, a blank row at each day's start."""
    local = pl.col("utc_time").dt.convert_time_zone(TIMEZONE)
    texts = [
        _fixed(name, digits, "\u00a0" + unit if unit else "").alias(title)
        for title, (name, digits, unit) in _TABLE.items()
    ]
    cells = frame.select(
        local.dt.strftime("%H:%M:%S").alias("Time"),
        *texts,
        local.dt.strftime("%Y-%m-%d").alias("Date"),
        local.dt.strftime("%d%m%y").alias("Sheet"),
    ).with_columns(pl.col("UV").cast(pl.Int16), (pl.int_range(pl.len()).over("Date") + 3).alias("Row"))
    for record in cells.iter_rows(named=True):
        if record["Row"] == 3:
            yield {"Date": record["Date"], "Sheet": record["Sheet"], "Row": 2}
        yield {key: value for key, value in record.items() if value is not None} if record["Wind"] is None else record


def _fixed(name: str, digits: int, unit: str) -> pl.Expr:
    column = pl.col(name)
    if name == "wind_direction":
        return column
    if digits == 0:
        return column.cast(pl.Int64).cast(pl.String) + unit
    scaled = (column * 10**digits).round().cast(pl.Int64)
    sign = pl.when(scaled < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    size = scaled.abs()
    fraction = (size % 10**digits).cast(pl.String).str.zfill(digits)
    return pl.concat_str(sign, (size // 10**digits).cast(pl.String), pl.lit("."), fraction, pl.lit(unit))


def _answer(stations: int, days: int) -> dict[str, Any]:
    """An Infoclimat answer; its arrays are JSON text already, since a year of dictionaries would take gigabytes."""
    names = [station_id(number, "answer") for number in range(stations)]
    described = [
        {
            "id": name,
            "name": f"Benchmark {name}",
            "latitude": 50.5,
            "longitude": 3.0,
            "elevation": 20,
            "type": "static",
            "license": {"license": "CC BY", "url": "https://example.org/", "source": "made up", "metadonnees": None},
        }
        for name in names
    ]
    arrays: dict[str, Any] = {
        name: orjson.Fragment(_array(name, observe(number, days))) for number, name in enumerate(names)
    }
    return {
        "status": "OK",
        "errors": [],
        "data": [],
        "stations": described,
        "metadata": {"temperature": "temperature,degC", "pression": "mean sea level pressure,hPa"},
        "hourly": {**arrays, "_params": ["temperature", "pression", "humidite", "point_de_rosee"]},
    }


def _array(name: str, frame: pl.DataFrame) -> bytes:
    """One station's rows: every value a string or null, in metric units."""
    celsius = {field: ((pl.col(field) - 32) / 1.8).round(1) for field in ("temperature", "dew_point")}
    hourly = pl.when(pl.col("utc_time").dt.minute() == 0).then(pl.col("precipitation_rate") * 25.4)
    fields: dict[str, pl.Expr] = {
        "temperature": celsius["temperature"],
        "pression": (pl.col("pressure") * 33.863886).round(1),
        "humidite": pl.col("humidity").cast(pl.Int16),
        "point_de_rosee": celsius["dew_point"],
        "vent_moyen": (pl.col("mean_wind_speed") * 1.609344).round(1),
        "vent_rafales": pl.lit(None, dtype=pl.Float64),
        "vent_direction": pl.int_range(pl.len()) * 7 % 360,
        "pluie_3h": pl.lit(None, dtype=pl.Float64),
        "pluie_1h": hourly.round(1),
    }
    texts = [pl.lit(f'{{"id_station":"{name}","dh_utc":"'), pl.col("utc_time").dt.strftime('%F %T"')]
    for field, number in fields.items():
        texts += [pl.lit(f',"{field}":'), ('"' + number.cast(pl.String) + '"').fill_null("null")]
    texts.append(pl.lit("}"))
    rows = frame.select(pl.concat_str(texts)).to_series()
    return f"[{rows.str.join(',').item()}]".encode()


if __name__ == "__main__":
    fill(Path(sys.argv[1]), form_of(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
