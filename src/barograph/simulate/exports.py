"""Writing the exports: the Weather Underground table as workbook or CSV, the Infoclimat answer as JSON.

Each form is that of the network's real files, to the no-break space before a unit, the empty row under a header and
the escaped slash of PHP's JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final, Self

import polars as pl

from barograph.simulate.network import LICENSE, LICENSE_URL, Site

NBSP: Final = "\u00a0"
WORDS: Final = (
    "North", "NNE", "NE", "ENE", "East", "ESE", "SE", "SSE", "South", "SSW", "SW", "WSW", "West", "WNW", "NW", "NNW",
)  # fmt: skip
CREATED: Final = datetime(2024, 10, 8, tzinfo=UTC)
"""Creation date in every workbook, so that equal contents are equal bytes."""

# fmt: off
TABLE: Final[dict[str, tuple[str, int, str]]] = {
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
"""Columns of the table after Time: variable, digits after the point, unit."""

ANSWER_FIELDS: Final[dict[str, tuple[str, int]]] = {
    "temperature": ("temperature", 1),
    "pression": ("pressure", 1),
    "humidite": ("humidity", 0),
    "point_de_rosee": ("dew_point", 1),
    "visibilite": ("visibility", 0),
    "vent_moyen": ("mean_wind_speed", 1),
    "vent_rafales": ("wind_gust", 1),
    "vent_direction": ("wind_direction_deg", 0),
    "pluie_3h": ("precipitation_3h", 1),
    "pluie_1h": ("precipitation_1h", 1),
    "neige_au_sol": ("snow_depth", 0),
    "nebulosite": ("ncloud_cover", 0),
    "temps_omm": ("temps_omm", 0),
}
"""Fields of an Infoclimat row after its time: variable, digits after the point."""

ANSWER_METADATA: Final = {
    "temperature": "temperature,degC",
    "pression": "mean sea level pressure,hPa",
    "humidite": "relative humidity,%",
    "point_de_rosee": "dewpoint,degC",
    "visibilite": "horizontal visibility,m",
    "vent_moyen": "mean wind speed,km/h",
    "vent_rafales": "wind gust,km/h",
    "vent_direction": "wind direction,deg",
    "pluie_3h": "precipitation over 3h,mm",
    "pluie_1h": "precipitation over 1h,mm",
    "neige_au_sol": "snow depth,cm",
    "nebulosite": "Ncloud cover,octats",
    "temps_omm": "present weather,http://www.infoclimat.fr/stations-meteo/ww.php",
}
# fmt: on
_PARAMS: Final = (
    "temperature",
    "pression",
    "humidite",
    "point_de_rosee",
    "vent_moyen",
    "vent_rafales",
    "vent_direction",
    "pluie_3h",
    "pluie_1h",
)  # fmt: skip

Cell = str | int | time | None


@dataclass(slots=True)
class Sheet:
    """One local day of a table; `utc` says of each row to which instant it belongs (None: to none)."""

    day: date
    title: str
    header: list[str]
    rows: list[Sequence[Cell]]
    utc: list[datetime | None]

    def insert(self, at: int, row: Sequence[Cell], instant: datetime | None) -> None:
        """Put a row in at index `at`."""
        self.rows.insert(at, row)
        self.utc.insert(at, instant)


def sheets(frame: pl.DataFrame) -> list[Sheet]:
    """A personal station's raw frame as the sheets of its table."""
    cells = frame.select("day", "utc_time", pl.col("clock").dt.time().alias("Time"), *_texts(frame.columns))
    header = cells.columns[2:]
    result = []
    for (day,), part in cells.partition_by("day", as_dict=True, maintain_order=True).items():
        utc = part["utc_time"].to_list()
        result.append(Sheet(day, day.strftime("%d%m%y"), list(header), list(part.select(header).iter_rows()), utc))
    return result


def _texts(columns: Iterable[str]) -> Iterator[pl.Expr]:
    known = set(columns)
    for title, (name, decimals, unit) in TABLE.items():
        if name not in known:
            continue
        if name == "wind_direction":
            text = pl.col(name).replace_strict(dict(enumerate(WORDS)), return_dtype=pl.String)
        elif name == "uv":
            text = pl.col(name)
        else:
            digits = trimmed(pl.col(name)) if name == "solar" else fixed(pl.col(name), decimals)
            text = digits + NBSP + unit
        yield text.alias(title)


def fixed(number: pl.Expr, decimals: int) -> pl.Expr:
    """A whole number of 10^-decimals as text with that many digits after the point."""
    if decimals == 0:
        return number.cast(pl.String)
    size, scale = number.abs(), 10**decimals
    sign = pl.when(number < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    fraction = (size % scale).cast(pl.String).str.zfill(decimals)
    return pl.concat_str(sign, (size // scale).cast(pl.String), pl.lit("."), fraction)


def trimmed(tenths: pl.Expr) -> pl.Expr:
    """Tenths as text, without a zero after the point."""
    return pl.when(tenths % 10 == 0).then((tenths // 10).cast(pl.String)).otherwise(fixed(tenths, 1))


def write_workbook(path: Path, content: Sequence[Sheet]) -> None:
    """One sheet a day: header, an empty row, then the reports; Time is a time of day, UV a number, the rest text."""
    import xlsxwriter  # type: ignore[import-untyped]

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.set_properties({"created": CREATED, "comments": LICENSE})
        clock = book.add_format({"num_format": 18})
        for sheet in content:
            page = book.add_worksheet(sheet.title)
            for row, cells in enumerate([sheet.header, (), *sheet.rows]):
                for column, cell in enumerate(cells):
                    if cell is None:
                        continue
                    if isinstance(cell, str):
                        page.write_string(row, column, cell)
                    elif isinstance(cell, time):
                        page.write_number(row, column, (cell.hour * 60 + cell.minute) / 1440, clock)
                    else:
                        page.write_number(row, column, cell)
    path.write_bytes(buffer.getvalue())


def write_csv(path: Path, content: Sequence[Sheet]) -> None:
    """The same table as one CSV with a Date column (2024-10-01) before Time; a row without a value is all commas."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Date", *content[0].header] if content else ["Date", "Time", *TABLE])
        for sheet in content:
            day = sheet.day.isoformat()
            writer.writerows([day if any(cell is not None for cell in row) else None, *row] for row in sheet.rows)


class AnswerWriter:
    """Writes an Infoclimat answer station by station, so that only one station is in memory."""

    def __init__(self, path: Path, listed: Sequence[Site]) -> None:
        head = {
            "status": "OK",
            "errors": [],
            "data": [],
            "stations": [_described(site) for site in sorted(listed, key=lambda site: site.station_id)],
            "metadata": ANSWER_METADATA,
        }
        self._file = path.open("w", encoding="ascii", newline="")
        self._file.write(_php(head).removesuffix("\n}") + ',\n    "hourly": {\n')

    def array(self, site: Site, frame: pl.DataFrame) -> None:
        """One station's rows."""
        texts = [pl.lit(f'"{site.station_id}"'), pl.col("clock").dt.strftime('"%Y-%m-%d %H:%M:%S"')]
        names = ["id_station", "dh_utc"]
        for field, (name, decimals) in ANSWER_FIELDS.items():
            if name in frame.columns:
                text = trimmed(pl.col(name)) if decimals else pl.col(name).cast(pl.String)
                # The real answers leave unobserved cloud cover empty and everything else null.
                texts.append(('"' + text + '"').fill_null('""' if name == "ncloud_cover" else "null"))
                names.append(field)
        parts: list[pl.Expr] = []
        for number, (field, text) in enumerate(zip(names, texts, strict=True)):
            lead = "            {\n" if number == 0 else ",\n"
            parts += [pl.lit(f'{lead}                "{field}": '), text]
        rows = frame.select(pl.concat_str(*parts, pl.lit("\n            }"))).to_series()
        self._file.write(f'        "{site.station_id}": [\n')
        self._file.write(",\n".join(rows.to_list()))
        self._file.write("\n        ],\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._end()
        self._file.close()

    def _end(self) -> None:
        params = _php({"_params": list(_PARAMS)}).removeprefix("{\n").removesuffix("\n}")
        self._file.write("".join(f"    {line}\n" for line in params.splitlines()) + "    }\n}")


def _described(site: Site) -> dict[str, Any]:
    station = site.station
    return {
        "id": station.station_id,
        "name": station.name,
        "latitude": station.latitude,
        "longitude": station.longitude,
        "elevation": station.elevation,
        "type": station.type,
        "license": {
            "license": LICENSE,
            "url": LICENSE_URL,
            "source": "simulated by barograph",
            "metadonnees": f"https://example.org/simulated/{station.station_id}",
        },
    }


def _php(value: Any) -> str:
    """As PHP prints it with JSON_PRETTY_PRINT: four spaces, escaped slashes, ASCII."""
    return json.dumps(value, indent=4).replace("/", "\\/")
