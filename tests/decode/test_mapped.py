"""Tables decoded by a mapping: units, forms of time, clocks, stations, refusals, drift."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.decode import DecodeContext
from barograph.errors import FormatError
from barograph.formats import lines
from barograph.mapping import MappedColumn, TableMapping, time_format_problem
from barograph.model import Rejection, Station
from barograph.units import UNITS
from barograph.variables import BY_NAME, COMPASS, VARIABLES
from tests.decode.helpers import Outcome, csv_bytes, decode, jsonl
from tests.formats.workbooks import workbook

HERE: Final = Station("HERE", timezone="Europe/Paris")
MAPPING: Final = TableMapping({"temperature": MappedColumn("T air", "°F"), "humidity": MappedColumn("RH")}, ("When",))
PARIS: Final = replace(MAPPING, timezone="Europe/Paris")


def read(rows: Sequence[dict[str, Any]], mapping: TableMapping = MAPPING, **context: Any) -> Outcome:
    """Rows, landed as JSON lines, decoded by a mapping."""
    return decode(jsonl(rows), "jsonl", DecodeContext("table", **{"station": HERE, **context}, mapping=mapping))


def of(*times: str, **cells: Any) -> list[dict[str, Any]]:
    """A row for each time."""
    return [{"When": time, "T air": 50, "RH": 3, **cells} for time in times]


def said(rejections: Sequence[Rejection]) -> list[tuple[int | None, str | None, str | None]]:
    return [(each.line, each.column, each.value) for each in rejections]


def test_a_row_becomes_a_report() -> None:
    """Units are converted, what is not said is null, and the report tells where it comes from."""
    out = read([{"When": "2024-10-01T00:04:00Z", "T air": 56.8, "RH": 87}])
    (report,) = out.frame.to_dicts()
    assert (report["station_id"], report["utc_time"]) == ("HERE", datetime(2024, 10, 1, 0, 4, tzinfo=UTC))
    assert (report["temperature"], report["humidity"], report["line"]) == (13.78, 87, 1)
    assert (out.rejections, out.notes, out.blank) == ([], [], 0)


@pytest.mark.parametrize("extension", ["csv", "csv.gz", "jsonl", "jsonl.gz", "xlsx"])
def test_every_form_of_a_landed_table(extension: str) -> None:
    """CSV, JSON lines and a workbook dropped by hand give the same reports."""
    header, row = ["When", "T air", "RH"], ["2024-10-01 00:04:00", 56.8, 87]
    if extension == "xlsx":
        data = workbook({"any title": [header, row]})
    elif "csv" in extension:
        data = csv_bytes(header, [row])
    else:
        data = jsonl([dict(zip(header, row, strict=True))])
    out = decode(data, extension, DecodeContext("table", HERE, mapping=PARIS))
    (report,) = out.frame.select("utc_time", "temperature", "humidity").rows()
    assert report == (datetime(2024, 9, 30, 22, 4, tzinfo=UTC), 13.78, 87)
    assert out.rejections == []


UNITS_OF: Final = [
    (variable.name, unit)
    for variable in VARIABLES
    for unit in [variable.unit, *UNITS.get(variable.dimension or "", {})]
    if variable.kind != "text"
]


@given(data=st.data(), pair=st.sampled_from(UNITS_OF))
def test_units_round_trip(data: st.DataObject, pair: tuple[str, str]) -> None:
    """What a variable's value is in any of its units comes back as the value, to the digits that are kept."""
    name, unit = pair
    variable = BY_NAME[name]
    value = data.draw(st.floats(variable.minimum or 0, variable.maximum or 100).map(lambda x: round(x, 2)))
    factor = UNITS.get(variable.dimension or "", {}).get(unit)
    raw = value if factor is None else value / factor.factor * factor.divisor + factor.shift
    mapping = TableMapping({name: MappedColumn("x", unit)}, ("t",))
    out = read([{"t": "2024-10-01T00:00:00Z", "x": raw}], mapping)
    assert out.frame.item(0, name) == pytest.approx(value, abs=0.51 if variable.kind == "int" else 0.011)


PATTERNS: Final = (
    "iso", "epoch_s", "epoch_ms", "%d/%m/%Y %H:%M:%S", "%m-%d-%y %I:%M:%S %p", "%Y%m%d%H%M%S", "%d %b %Y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S%z", "%Y-%j %T",
)  # fmt: skip
INSTANTS: Final = st.datetimes(datetime(1970, 1, 2), datetime(2068, 1, 1)).map(lambda t: t.replace(microsecond=0))


@given(
    instants=st.lists(INSTANTS, min_size=1, max_size=5),
    pattern=st.sampled_from(PATTERNS),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_times_round_trip(instants: list[datetime], pattern: str, zone: str) -> None:
    """An instant, written by Python in any form and clock, is read as itself; the repeated hour is another test."""
    aware = [instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)) for instant in instants]
    clear = [each for each in aware if each.replace(fold=0).utcoffset() == each.replace(fold=1).utcoffset()]
    rows = [{"When": written(each, pattern), "T air": 50} for each in clear]
    out = read(rows, replace(MAPPING, time_format=pattern, timezone=zone))
    assert sorted(out.frame.get_column("utc_time").to_list()) == sorted(each.astimezone(UTC) for each in clear)
    assert out.rejections == []


def written(instant: datetime, pattern: str) -> Any:
    match pattern:
        case "iso":
            return instant.replace(tzinfo=None).isoformat()
        case "epoch_s":
            return int(instant.timestamp())
        case "epoch_ms":
            return int(instant.timestamp()) * 1000
        case _:
            return instant.strftime(pattern)


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("2024-10-01T02:04:00+02:00", 4), ("2024-10-01 02:04:00 +0200", 4), ("2024-10-01 00:04:00Z", 4),
        ("2024-10-01 00:04 UTC", 4), ("20241001T000400Z", 4), ("2024-10-01T00:04:00.000+00", 4),
        ("2024-10-01T00:04", 4), ("2024-10-01", 0), ("20241001T0004", 4), (" 2024-10-01\u00a000:04:00 ", 4),
    ],
)  # fmt: skip
def test_iso_as_people_write_it(text: str, minute: int) -> None:
    """With T or blank, with seconds or not, with an offset or none; the clock is the mapping's where none is said."""
    out = read(of(text))
    assert out.frame.get_column("utc_time").to_list() == [datetime(2024, 10, 1, 0, minute, tzinfo=UTC)]


def test_a_time_in_two_columns() -> None:
    """Date and time of day stand beside each other; a row that lacks one names it."""
    mapping = replace(PARIS, time=("Date", "Time"), time_format="%d.%m.%Y %H:%M")
    rows = [{"Date": "01.10.2024", "Time": "00:04", "T air": 50}, {"Date": "01.10.2024", "T air": 50}]
    out = read(rows, mapping)
    assert out.times == ["2024-09-30T22:04"]
    assert said(out.rejections) == [(2, "Time", None)]


def test_an_instant_beyond_reason_is_none() -> None:
    """Milliseconds that are read as seconds would be the year 50000."""
    out = read(of("1727740800000", "1727740800"), replace(MAPPING, time_format="epoch_s"))
    assert out.times == ["2024-10-01T00:00"]
    assert said(out.rejections) == [(1, "When", "1727740800000")]


@pytest.mark.parametrize("pattern", ["", "soon", "%H:%M", "%Y-%m-%d %Q", "%d/%m %H:%M"])
def test_forms_that_cannot_be_read_with(pattern: str) -> None:
    """No directive, an unknown one, no day."""
    assert time_format_problem(pattern) is not None


# ------------------------------------------------------------------------------------------------------------- clocks


def autumn(zone: str = "Europe/Paris", minutes: int = 10) -> list[datetime]:
    """Every ten minutes of the night on which the clock of Paris went back in 2024."""
    start = datetime(2024, 10, 26, 20, tzinfo=UTC)
    return [start + timedelta(minutes=minutes * step) for step in range(60)]


@pytest.mark.parametrize("order", ["by time", "by station"])
def test_the_repeated_hour_of_many_stations(order: str) -> None:
    """Both passes of the hour are told apart for each station, though the rows of stations stand between each other."""
    stations = {name: Station(name, timezone="Europe/Paris") for name in ("A", "B", "C")}
    pairs = [(name, each) for each in autumn() for name in stations]
    if order == "by station":
        pairs.sort(key=lambda pair: pair[0])
    rows = [
        {"id": name, "When": each.astimezone(ZoneInfo("Europe/Paris")).strftime("%F %T"), "T air": 50, "RH": 3}
        for name, each in pairs
    ]
    out = read(rows, replace(MAPPING, timezone="station", station="id"), station=None, stations=stations)
    found = sorted(out.frame.select("station_id", "utc_time").rows())
    assert found == sorted(pairs)
    assert (out.rejections, out.notes) == ([], [])


def test_an_hour_that_does_not_happen() -> None:
    """In spring a time between two and three names no instant: the row is refused, and says why."""
    out = read(of("2024-03-31 01:59:00", "2024-03-31 02:30:00", "2024-03-31 03:00:00"), PARIS)
    assert out.times == ["2024-03-31T00:59", "2024-03-31T01:00"]
    (refused,) = out.rejections
    assert "the clock went forward" in refused.reason
    assert (refused.line, refused.column) == (2, "When")


def test_a_gap_hides_the_repeated_hour() -> None:
    """Where nothing tells which pass a row belongs to, it is kept under an assumption that is noted."""
    out = read(of("2024-10-26 12:00:00", "2024-10-26 12:05:00", "2024-10-27 02:30:00", "2024-10-27 12:00:00"), PARIS)
    assert out.frame.height == 4
    assert ["a gap hides" in note.msg for note in out.notes] == [True]


def test_stations_of_several_clocks() -> None:
    """Each row is read by the clock of its own station."""
    stations = {"P": Station("P", timezone="Europe/Paris"), "N": Station("N", timezone="America/New_York")}
    rows = [{"id": name, "When": "2024-07-01 12:00:00", "T air": 50} for name in "PN"]
    out = read(rows, replace(MAPPING, timezone="station", station="id"), station=None, stations=stations)
    assert dict(out.frame.select("station_id", "utc_time").rows()) == {
        "P": datetime(2024, 7, 1, 10, tzinfo=UTC),
        "N": datetime(2024, 7, 1, 16, tzinfo=UTC),
    }


# ------------------------------------------------------------------------------------------------------------ stations


def test_stations_that_nothing_describes() -> None:
    """All rows of such a station are refused in one line, with their number; rows that name none likewise."""
    rows = [{"id": name, "When": f"2024-10-01T00:0{n}:00Z", "T air": 50} for n, name in enumerate(["A", "B", "B", ""])]
    out = read(rows, replace(MAPPING, station="id", station_prefix="X-"), station=None, stations={"X-A": HERE})
    assert out.frame.get_column("station_id").to_list() == ["X-A"]
    assert [(each.line, each.station_id, each.value, each.rows) for each in out.rejections] == [
        (2, "X-B", "B", 2),
        (4, None, None, 1),
    ]


def test_a_table_describes_its_stations() -> None:
    """What a row says of its station is told once, with the licence; a later row that says otherwise is told again."""
    columns = {"name": "Name", "latitude": "Lat", "longitude": "Lon", "elevation": "Alt"}
    mapping = replace(MAPPING, station="id", station_columns=columns, license_info="CC BY 4.0")
    row = {"id": "A", "When": "2024-10-01T00:00:00Z", "T air": 50, "Name": "Calais", "Lat": "50.9", "Lon": 1.9}
    out = read([{**row, "Alt": "11.6"}, {**row, "Alt": "11.6"}], mapping, station=None)
    (station, _) = out.stations["A"]
    assert station == Station("A", "Calais", latitude=50.9, longitude=1.9, elevation=12, license_info="CC BY 4.0")
    assert out.frame.height == 2


# --------------------------------------------------------------------------------------------------------------- cells


def test_marks_that_mean_no_value() -> None:
    """A mark is a text; one that is a number is every spelling of it."""
    mapping = replace(MAPPING, missing=("-999", "n.b."))
    out = read(
        [r for cell in ("-999", "-999.0", -999, "n.b.", " n.b. ") for r in of("2024-10-01T00:00Z", RH=cell)], mapping
    )
    assert out.frame.get_column("humidity").to_list() == [None] * 5
    assert out.rejections == []


def test_decimal_commas() -> None:
    """A comma is the point of a decimal number; with two of them a text is none, and is shown as it stands."""
    out = read(of("2024-10-01T00:00Z", RH="87,4") + of("2024-10-01T00:01Z", RH="1,0,3"), replace(MAPPING, decimal=","))
    assert out.frame.get_column("humidity").to_list() == [87]
    assert said(out.rejections) == [(2, "RH", "1,0,3")]


@given(bad=st.lists(st.sampled_from(["T air", "RH", "When", None]), min_size=1, max_size=30))
def test_bad_cells_cost_their_row_alone(bad: list[str | None]) -> None:
    """Each row with a bad cell is refused with line, column and raw value; every other one is there."""
    rows = [
        {"When": f"2024-10-01T00:{n:02}:00Z", "T air": n, "RH": 50, **({} if name is None else {name: "?!"})}
        for n, name in enumerate(bad)
    ]
    if all(name == "When" for name in bad):
        rows[0]["When"] = "2024-10-01T00:00:00Z"
        bad[0] = None
    out = read(rows)
    assert sorted(said(out.rejections)) == [(n, name, "?!") for n, name in enumerate(bad, 1) if name]
    assert out.frame.get_column("line").to_list() == [n for n, name in enumerate(bad, 1) if name is None]


def test_rows_without_a_value_are_counted() -> None:
    """A row that says neither a time nor a value is blank, whatever its other columns say."""
    out = read([*of("2024-10-01T00:00Z"), {"remark": "---"}, {"When": "", "T air": None}])
    assert (out.frame.height, out.blank, out.rejections) == (1, 2, [])


@given(degrees=st.floats(0, 360))
def test_degrees_give_words(degrees: float) -> None:
    """The sector that a direction lies in."""
    mapping = TableMapping({"wind_direction_deg": MappedColumn("dd", "deg")}, ("t",))
    out = read([{"t": "2024-10-01T00:00Z", "dd": degrees}], mapping)
    rounded = round(degrees, 2)
    assert out.frame.item(0, "wind_direction") == COMPASS[int((rounded + 11.25) // 22.5) % 16]


def test_words_give_degrees_and_both_fill_gaps() -> None:
    """A word is the centre of its sector; with both columns each stands, and fills the gaps of the other."""
    words = {"wind_direction": MappedColumn("word")}
    row = {"t": "2024-10-01T00:00Z"}
    alone = read([{**row, "word": "WSW"}, {**row, "word": "up"}], TableMapping(words, ("t",)))
    assert alone.frame.select("wind_direction", "wind_direction_deg").rows() == [("WSW", 247.5)]
    assert said(alone.rejections) == [(2, "word", "up")]
    both = TableMapping({**words, "wind_direction_deg": MappedColumn("dd")}, ("t",))
    out = read([{**row, "word": "WSW", "dd": 250}, {**row, "dd": 90}, {**row, "word": "N"}], both)
    assert out.frame.select("wind_direction", "wind_direction_deg").rows() == [("WSW", 250), ("E", 90), ("N", 0)]


# ---------------------------------------------------------------------------------------------------------- JSON paths


NESTED: Final = TableMapping(
    {
        "temperature": MappedColumn("metric.temp.avg"),
        "pressure": MappedColumn("metric.pressure"),
        "uv": MappedColumn("others.1.uv"),
        "solar": MappedColumn("sol.ar"),
    },
    ("obs.time",),
    "epoch_s",
)
INSIDE: Final = {
    "obs": {"time": 1727740800, "n": None},
    "metric": {"temp": {"avg": 11.5, "max": 12}, "pressure": "1013.2", "note": 'a "quoted": text'},
    "others": [{"uv": 1}, {"uv": 2.5}],
    "sol.ar": 300,
}


@pytest.mark.parametrize("form", ["jsonl", "csv", "csv, flattened"])
def test_values_inside_of_json(form: str) -> None:
    """A dotted path leads into objects and lists; a column of that very name goes before it."""
    if form == "csv, flattened":
        cells = [json.dumps(value) if isinstance(value, dict | list) else value for value in INSIDE.values()]
        data = csv_bytes(list(INSIDE), [cells, cells])
    elif form == "csv":
        data = csv_bytes(["_airbyte_data"], [[json.dumps(INSIDE)]] * 2)
    else:
        data = jsonl([INSIDE, INSIDE])
    out = decode(data, form.partition(",")[0], DecodeContext("table", HERE, mapping=NESTED))
    row = (datetime(2024, 10, 1, tzinfo=UTC), 11.5, 1013.2, 2.5, 300.0)
    assert out.frame.select("utc_time", "temperature", "pressure", "uv", "solar").rows() == [row, row]
    assert (out.rejections, out.notes) == ([], [])


def test_a_value_where_an_object_is_due() -> None:
    """The row is refused for it, and the rows beside it are read."""
    out = read(
        [INSIDE, {**INSIDE, "metric": "soon"}, {**INSIDE, "metric": {"temp": 3}}, {**INSIDE, "metric": None}], NESTED
    )
    assert out.frame.get_column("temperature").to_list() == [11.5, None, None]
    assert [(each.line, each.column, each.value) for each in out.rejections] == [(2, "metric.temp.avg", "soon")]


def test_a_new_key_beside_nested_ones_is_seen() -> None:
    """Keys inside of objects do not hide a column that comes later in the block."""
    out = read([INSIDE] * 20 + [{**INSIDE, "extra": 1}], NESTED)
    assert [note.context["columns"] for note in out.notes] == [["extra"]]


# --------------------------------------------------------------------------------------------------------------- drift


def test_names_that_differ_a_little() -> None:
    """Blanks, case and a final dot are not what makes a column another one."""
    out = read([{"when": "2024-10-01T00:00Z", "T\u00a0Air.": 50, "rh": 3}])
    assert out.frame.select("temperature", "humidity").rows() == [(10.0, 3)]
    assert out.notes == []


def test_a_silent_column_is_not_read_from_its_namesake() -> None:
    """`T` without a value is a sensor that is silent, not the epoch that stands in `t`."""
    mapping = TableMapping({"temperature": MappedColumn("T"), "humidity": MappedColumn("RH")}, ("t",), "epoch_s")
    out = read([{"t": 1727740800, "RH": 3}, {"t": 1727740860, "RH": 4, "T": None}], mapping)
    assert out.frame.select("temperature", "humidity").rows() == [(None, 3), (None, 4)]
    assert [note.msg for note in out.notes] == ["column 'T' holds no value"]


@pytest.mark.parametrize("size", [64, 700, 5000])
def test_small_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """However the object falls into blocks: columns that come and go, stations that mix, the repeated hour."""
    stations = {name: Station(name, timezone="Europe/Paris") for name in ("A", "B")}
    rows = [
        {
            "id": name,
            "When": each.astimezone(ZoneInfo("Europe/Paris")).strftime("%F %T"),
            **({"T air": 50 + n} if n % 3 else {}),
            **({"RH": n} if n > 30 else {"spare": {"RH": 1}}),
        }
        for n, each in enumerate(autumn())
        for name in stations
    ]
    mapping = replace(MAPPING, timezone="station", station="id")

    def reports() -> list[tuple[Any, ...]]:
        out = read(rows, mapping, station=None, stations=stations)
        assert out.rejections == []
        columns = ("station_id", "utc_time", "temperature", "humidity", "line")
        return sorted(out.frame.select(columns).rows(), key=lambda row: (row[0], row[1]))

    whole = reports()
    assert len(whole) == 120
    defaults = {**(lines.line_blocks.__kwdefaults__ or {}), "size": size}
    monkeypatch.setattr(lines.line_blocks, "__kwdefaults__", defaults)
    assert reports() == whole


def test_a_renamed_column_is_told() -> None:
    """A mapped column without a value beside one of nearly its name was renamed; no row is lost."""
    out = read([{"When": "2024-10-01T00:00Z", "T air 2m": 50, "RH": 3}])
    (told,) = out.rejections
    assert (told.column, told.rows) == ("T air", 0)
    assert "'T air 2m' is not mapped; was it renamed?" in told.reason


def test_a_column_that_is_gone_and_one_that_is_silent() -> None:
    """A CSV without a mapped column says so; one whose cells are all empty is a sensor that is silent."""
    gone = decode(
        csv_bytes(["When", "RH"], [["2024-10-01T00:00Z", 3]]), "csv", DecodeContext("table", HERE, mapping=MAPPING)
    )
    assert [(each.column, each.rows) for each in gone.rejections] == [("T air", 0)]
    silent = decode(
        csv_bytes(["When", "RH", "T air"], [["2024-10-01T00:00Z", 3, ""]]),
        "csv",
        DecodeContext("table", HERE, mapping=MAPPING),
    )
    assert [note.msg for note in silent.notes] == ["column 'T air' holds no value"]
    assert silent.rejections == []


def test_columns_that_are_not_mapped_are_noted() -> None:
    """Once, all of them."""
    out = read(of("2024-10-01T00:00Z", RH=1, battery=3.1, remark="x"))
    assert [(note.type, note.context["columns"]) for note in out.notes] == [("info", ["battery", "remark"])]


@pytest.mark.parametrize("rows", [[{"Moment": "2024-10-01T00:00Z", "T air": 50}], [{"a": 1, "T air": 3}]])
def test_another_table_is_refused_as_a_whole(rows: list[dict[str, Any]]) -> None:
    """Without the time's column no row can be a report: one error that lists the columns there are."""
    with pytest.raises(FormatError, match="has nothing in column 'When'"):
        read(rows)


def test_a_form_of_time_that_no_row_has() -> None:
    """The mapping is wrong, not the rows: the object fails as a whole, and is taken again once it is corrected."""
    rows = of(*(f"{day}/10/2024 00:00" for day in range(1, 20)))
    with pytest.raises(FormatError, match="no row's time is as %m-%d-%Y, the first is '1/10/2024 00:00'"):
        read(rows, replace(MAPPING, time_format="%m-%d-%Y"))
    few = read(rows[:3], replace(MAPPING, time_format="%m-%d-%Y"))
    assert len(few.rejections) == 3


def test_lines_that_the_sync_could_not_split() -> None:
    """They were landed as they stood, and are refused with the line of the source."""
    out = read([*of("2024-10-01T00:00Z"), {"_unread": "has 2 cells instead of 3: 2024 | 5", "Row": 17}])
    (refused,) = out.rejections
    assert (refused.row, refused.value, refused.rows) == (17, "2024 | 5", 1)
    assert refused.reason == "the source's line has 2 cells instead of 3"


def test_columns_in_any_order() -> None:
    """The order of columns and keys does not matter, from row to row."""
    rng = random.Random(1)
    rows = [{"When": f"2024-10-01T00:{n:02}Z", "T air": 50 + n, "RH": n, "x": "y"} for n in range(50)]
    shuffled = [dict(rng.sample(sorted(row.items()), len(row))) for row in rows]
    assert read(shuffled).frame.rows() == read(rows).frame.rows()
