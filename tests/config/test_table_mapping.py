"""The columns of a table in barograph.toml: what they become, and at which line an error points."""

from __future__ import annotations

from pathlib import Path

import pytest

from barograph.config import Connection, load
from barograph.errors import ConfigError
from barograph.mapping import MappedColumn, TableMapping
from tests.docs.pages import DOCS, blocks

HEAD = """\
[stations.CAPE]
timezone = "Europe/Paris"
[stations.BARE]
name = "no clock"

[connections.first]
source = "table"
url = "first.csv"
station = "CAPE"
columns = { time = "t", temperature = "T" }

[connections.second]
source = "table"
url = "second.csv"
"""
"""Fourteen lines; the table of a test comes below."""


def connection(folder: Path, text: str) -> Connection:
    path = folder / "barograph.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load(path, environ={}).connections["second"]


def test_the_whole_of_it(tmp_path: Path) -> None:
    """Every setting, as the mapping that the decoder is given."""
    text = """\
station_column = "Station"
station_prefix = "FR-"
license_info = "CC BY 4.0"
[connections.second.columns]
time = { column = ["Date", "Time"], format = "%d/%m/%Y %H:%M", timezone = "station" }
temperature = { column = "T air", unit = "°F" }
"pressure" = { column = "obs.p", unit = "inHg" }
humidity = "RH"
missing = ["-", -999]
decimal = ","
[connections.second.station_columns]
name = "Name"
latitude = "Lat"
"""
    assert connection(tmp_path, text).mapping == TableMapping(
        {
            "temperature": MappedColumn("T air", "°F"),
            "pressure": MappedColumn("obs.p", "inHg"),
            "humidity": MappedColumn("RH"),
        },
        ("Date", "Time"),
        "%d/%m/%Y %H:%M",
        "station",
        "Station",
        "FR-",
        ("-", "-999"),
        ",",
        {"name": "Name", "latitude": "Lat"},
        "CC BY 4.0",
    )


COLUMNS = 'station = "CAPE"\n[connections.second.columns]\n'
"""Lines 15 and 16."""


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ('station = "CAPE"\n', 12, "the table [columns] is missing", "where the table says the time"),
        ('[connections.second.columns]\ntime = "t"\nuv = "u"\n', 12, "no station", "station_column"),
        ('station = "CAPE"\nstation_column = "s"\ncolumns = {}\n', 16, "exclude each other", "keep one"),
        ('station = "GONE"\ncolumns = { time = "t", uv = "u" }\n', 15,
         "'GONE' is not described", "add [stations.GONE]"),
        (
            'station = "BARE"\ncolumns = { time = { column = "t", timezone = "station" }, uv = "u" }\n',
            15, "has no timezone", "set timezone in [stations.BARE]",
        ),
        (COLUMNS + 'uv = "u"\n', 16, "time is missing", "timezone = "),
        (COLUMNS + 'time = "t"\n', 16, "maps no variable", "temperature"),
        (COLUMNS + 'time = "t"\n\ntemprature = "T"\n', 19, "unknown variable", "did you mean temperature?"),
        (COLUMNS + 'time = "t"\ntemperature = 3\n', 18, "must be a column's name", 'unit = "°F"'),
        (COLUMNS + 'time = "t"\ntemperature = ""\n', 18, "must name a column", ""),
        (COLUMNS + 'time = "t"\ntemperature = { unit = "°F" }\n', 18, "names no column", ""),
        (COLUMNS + 'time = "t"\nuv = "u"\npressure = { column = "p", unit = "psi" }\n', 19,
         "'psi' is no unit of pressure", "known are hPa, mb, mbar, in, inhg, pa, kpa, mmhg"),
        (COLUMNS + 'time = "t"\nuv = { column = "u", unit = "W" }\n', 18, "no unit of uv", "leave unit out"),
        (COLUMNS + 'time = "t"\nuv = "u"\n[connections.second.columns.pressure]\ncolumn = "p"\nunit = "psi"\n', 21,
         "'psi' is no unit", ""),
        (COLUMNS + 'time = "t"\nuv.column = "u"\nuv.units = "W"\n', 19, "unknown key", "known are column, unit"),
        (COLUMNS + 'uv = "u"\ntime = { column = "t", timezone = "Paris" }\n', 18, "'Paris' is not a timezone", "IANA"),
        (COLUMNS + 'uv = "u"\ntime = { column = "t", format = "%d.%m.%Y" }\n', 18, "says no offset", "Europe/Paris"),
        (COLUMNS + 'uv = "u"\ntime = { column = "t", format = "%H:%M" }\n', 18, "names no day", "epoch_s"),
        (COLUMNS + 'uv = "u"\ntime = { column = [] }\n', 18, "names no column", ""),
        (COLUMNS + 'uv = "u"\ntime = { column = [\n"d",\n7] }\n', 18, "must name a column", ""),
        (COLUMNS + 'uv = "u"\ntime = "t"\nmissing = ["-",\n  true]\n', 20, "neither text nor number", ""),
        (COLUMNS + 'uv = "u"\ntime = "t"\ndecimal = ";"\n', 19, "is not known", 'one of ".", ","'),
        (COLUMNS + 'uv = "u"\ntime = "t"\n[connections.second.station_columns]\ncountry = "C"\n', 20,
         "unknown key", "city"),
        ('content = "xml"\n' + COLUMNS + 'uv = "u"\ntime = "t"\n', 15, "'xml' is not known", "jsonl"),
        ('delimiter = "||"\n' + COLUMNS + 'uv = "u"\ntime = "t"\n', 15, "no delimiter", ""),
        ('encoding = "utf-9"\n' + COLUMNS + 'uv = "u"\ntime = "t"\n', 15, "no encoding", "cp1252"),
        ("header_row = 0\n" + COLUMNS + 'uv = "u"\ntime = "t"\n', 15, "counted from 1", ""),
        ('headers = { Accept = "a/b", X-Token = "abc" }\n' + COLUMNS + 'uv = "u"\ntime = "t"\n', 15,
         "must name a variable of the environment", "${VARIABLE}"),
        ('columns = 3\nstation = "CAPE"\n', 15, "must be a table", ""),
    ],
)  # fmt: skip
def test_errors_point_at_the_line(tmp_path: Path, text: str, line: int, what: str, hint: str) -> None:
    """The file, the line of the key (of its table where it is missing), what is wrong, and what may stand there."""
    with pytest.raises(ConfigError) as caught:
        connection(tmp_path, text)
    error = caught.value
    assert error.where.startswith(f"{tmp_path / 'barograph.toml'}:{line}"), error.where
    assert error.where.removeprefix(f"{tmp_path / 'barograph.toml'}:{line}")[:1] in ("", ":")
    assert what in error.what
    assert hint in error.hint


def test_a_secret_of_a_header_comes_from_the_environment(tmp_path: Path) -> None:
    """The connection keeps the reference, and reveals the value only when asked."""
    path = tmp_path / "barograph.toml"
    table = 'headers = { Authorization = "Bearer ${TOKEN}" }\n' + COLUMNS + 'uv = "u"\ntime = "t"\n'
    path.write_text(HEAD + table, encoding="utf-8")
    second = load(path, environ={"TOKEN": "s3cret"}).connections["second"]
    assert "s3cret" not in repr(second)
    assert second.secrets == ("s3cret",)
    assert second.reveal(second.options["headers"]) == {"Authorization": "Bearer s3cret"}


def test_the_page_shows_what_an_error_looks_like(tmp_path: Path) -> None:
    """The message on docs/sources/table.md is that of its own example with one unit misspelt."""
    page = blocks(DOCS / "sources" / "table.md")
    text = next(block.text for block in page if block.file == "harbour.toml")
    shown = next(block.text for block in page if block.text.startswith("error: harbour.toml"))
    path = tmp_path / "harbour.toml"
    path.write_text(text.replace('"inHg"', '"psi"'), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    error = caught.value
    assert shown == f"error: {error.where.replace(str(path), path.name)}: {error.what}\n  {error.hint}\n"
