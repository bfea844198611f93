"""Weather Underground tables: units, times, blanks, refusals, drift."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from barograph.decode import DecodeContext, decode_object
from barograph.errors import FormatError
from barograph.formats import lines
from barograph.landing import open_landing, open_object
from barograph.variables import COMPASS
from tests.decode.helpers import FLAT, MILLIS, NAME, TABLE, csv_bytes, decode, dumps, envelope, jsonl, row

FULL = row(
    Dew_Point="53.1\u00a0°F", Speed="8.2\u00a0mph", Gust="10.4\u00a0mph", Pressure="29.48\u00a0in",
    **{"Precip._Rate.": "0.02\u00a0in", "Precip._Accum.": "0.19\u00a0in"}, UV=3, Solar="479.6\u00a0w/m²",
)  # fmt: skip
CANONICAL = {
    "station_id": "IICHTE19", "temperature": 13.78, "dew_point": 11.72, "humidity": 87, "wind_direction": "WSW",
    "wind_direction_deg": 247.5, "mean_wind_speed": 13.2, "wind_gust": 16.74, "pressure": 998.31,
    "precipitation_rate": 0.51, "precipitation_acc": 4.83, "uv": 3.0, "solar": 479.6,
}  # fmt: skip


def _variants() -> dict[str, tuple[bytes, str]]:
    """One record in every form that Airbyte gives a text object."""
    data, meta = dumps(FULL), '{"sync_id":10,"changes":[]}'
    backwards = dict(reversed(envelope(dict(reversed(FULL.items()))).items()))
    root = {k: v for k, v in envelope({}).items() if k != "_airbyte_data"} | FULL
    old = {"_airbyte_ab_id": "x", "_airbyte_emitted_at": MILLIS, "_airbyte_data": FULL}
    flat = [*FLAT, *FULL]
    values = ["id", MILLIS, meta, 1, *FULL.values()]
    whole = [*FLAT, "_airbyte_data"]
    return {
        "jsonl": (jsonl([FULL]), "jsonl"),
        "jsonl, no final newline": (jsonl([FULL])[:-1], "jsonl"),
        "jsonl, keys the other way round": (dumps(backwards).encode(), "jsonl"),
        "jsonl, nulls spelled out": (jsonl([FULL | {"Wind": "WSW", "Sheet": None}]), "jsonl"),
        "jsonl, flattened": (dumps(root).encode(), "jsonl"),
        "jsonl, before 1.0": (dumps(old).encode(), "jsonl"),
        "jsonl, gzip": (jsonl([FULL]), "jsonl.gz"),
        "csv": (csv_bytes(whole, [["id", MILLIS, meta, 1, data]]), "csv"),
        "csv, quoted as needed": (csv_bytes(whole, [["id", MILLIS, meta, 1, data]], csv.QUOTE_MINIMAL), "csv"),
        "csv, all quoted": (csv_bytes(whole, [["id", MILLIS, meta, 1, data]], csv.QUOTE_ALL), "csv"),
        "csv, gzip": (csv_bytes(whole, [["id", MILLIS, meta, 1, data]]), "csv.gz"),
        "csv, flattened": (csv_bytes(flat, [values]), "csv"),
        "csv, before 1.0": (
            csv_bytes(["_airbyte_ab_id", "_airbyte_emitted_at", "_airbyte_data"], [["x", MILLIS, data]], csv.QUOTE_ALL),
            "csv",
        ),
        "csv, columns in another order": (csv_bytes(whole[::-1], [[data, 1, meta, MILLIS, "id"]]), "csv"),
        "csv, no final newline": (csv_bytes(whole, [["id", MILLIS, meta, 1, data]])[:-2], "csv"),
        "csv, byte order mark": (b"\xef\xbb\xbf" + csv_bytes(whole, [["id", MILLIS, meta, 1, data]]), "csv"),
    }  # fmt: skip


@pytest.mark.parametrize("variant", list(_variants()))
def test_every_form_of_a_text_object_gives_the_same_report(variant: str) -> None:
    """CSV and JSONL, flattened or not, gzip or plain, old and new names, any key order, missing key = null."""
    found = decode(*_variants()[variant])
    (report,) = found.frame.to_dicts()
    assert {name: report[name] for name in CANONICAL} == CANONICAL
    assert found.times == ["2024-09-30T22:04"]
    assert int(report["extracted_at"].timestamp() * 1000) == MILLIS
    assert report["origin"].startswith(f"p/s/{NAME}.")
    assert report["line"] == (1 if "jsonl" in variant else 2)
    assert found.rejections == []


@pytest.mark.parametrize(
    ("word", "point"),
    [("North", 0), ("South", 8), ("East", 4), ("West", 12), *((name, place) for place, name in enumerate(COMPASS))],
)
def test_compass_words(word: str, point: int) -> None:
    """All 16 points, the four long names among them, are the centres of their sectors."""
    (report,) = decode(jsonl([row(Wind=word)])).frame.to_dicts()
    assert (report["wind_direction"], report["wind_direction_deg"]) == (COMPASS[point], point * 22.5)


@pytest.mark.parametrize(
    ("cell", "celsius"),
    [
        ("32\u00a0°F", 0.0), ("-40\u00a0°F", -40.0), ("56.8 °F", 13.78), ("56.8", 13.78), (56.8, 13.78),
        (" 56.8°F ", 13.78),
        ("13.8\u00a0°C", 13.8), ("--", None), ("--\u00a0°F", None), ("", None), ("N/A", None), ("31.9\u00a0°F", -0.06),
        ("31.999\u00a0°F", 0.0),
    ],
)  # fmt: skip
def test_temperatures(cell: Any, celsius: float | None) -> None:
    """°F to °C, rounded to 2 decimals; a bare number is in the table's unit; °C is what it says; silence is null."""
    (report,) = decode(jsonl([row(Temperature=cell)])).frame.to_dicts()
    assert report["temperature"] == celsius
    assert str(report["temperature"]) != "-0.0"


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("Temperature", "5x.8\u00a0°F", "not a number"),
        ("Temperature", "56,8\u00a0°F", "not a number|unit"),
        ("Temperature", "56.8\u00a0mph", "unit 'mph' is not one of temperature"),
        ("Temperature", "inf", "not a"),
        ("Temperature", "__import__('os')", "not a number"),
        ("Humidity", "1e9\u00a0%", "no such relative humidity"),
        ("Humidity", {"a": 1}, "not a number"),
        ("Wind", "Upwards", "16 points"),
        ("Time", "25:61", "not a time of day"),
        ("Time", None, "carries no time"),
        ("Date", "2024-13-01", "not a date"),
    ],
)
def test_a_bad_cell_costs_its_row_and_is_named(column: str, cell: Any, reason: str) -> None:
    """The row becomes a rejection with object, line, column, raw value and reason; the others are stored."""
    bad = {**row("00:09:00"), column: cell}
    found = decode(jsonl([row(), {k: v for k, v in bad.items() if v is not None}, row("00:14:00")]))
    assert found.times == ["2024-09-30T22:04", "2024-09-30T22:14"]
    (rejection,) = found.rejections
    assert (rejection.line, rejection.column, rejection.rows) == (2, column, 1)
    assert rejection.object == f"p/s/{NAME}.jsonl"
    assert rejection.value == (dumps(cell).replace(":", ": ") if isinstance(cell, dict) else cell)
    assert any(part in rejection.reason for part in reason.split("|"))


def test_values_beyond_what_is_possible_are_kept_as_they_are() -> None:
    """Decoding never drops or clamps: flags are quality's business."""
    (report,) = decode(jsonl([row(Temperature="999.9\u00a0°F", Humidity="140\u00a0%")])).frame.to_dicts()
    assert (report["temperature"], report["humidity"]) == (537.72, 140)


def test_blank_rows_are_no_reports() -> None:
    """`{}` and rows that only say their place are counted as blank, not refused."""
    found = decode(jsonl([{}, {"Date": "2024-10-01", "Sheet": "011024", "Row": 2}, row(), {"Wind": ""}]))
    assert (found.frame.height, found.blank, found.rejections) == (1, 3, [])


def test_a_bad_line_costs_only_itself() -> None:
    """A truncated line, a line that is no object, a line that is not UTF-8; blank lines do not shift the numbers."""
    good = jsonl([row()]), jsonl([row("00:09:00")]), jsonl([row("00:14:00")])
    data = good[0] + b"\n" + good[1][:70] + b"\n" + b"[1]\n" + good[1].replace(b"\xc2\xb0", b"\xb0") + good[2]
    found = decode(data)
    assert found.times == ["2024-09-30T22:04", "2024-09-30T22:14"]
    assert [bad.line for bad in found.rejections] == [3, 4, 5]
    assert "cut short" in found.rejections[0].reason
    assert "not UTF-8" in found.rejections[2].reason
    assert found.frame.get_column("line").to_list() == [1, 6]


def test_a_short_csv_record_costs_only_itself() -> None:
    """A record with too few fields is named by its line, in both kinds of CSV."""
    whole = [*FLAT, "_airbyte_data"]
    values = [["id", MILLIS, "{}", 1, dumps(row(f"00:{minute:02d}:00"))] for minute in (4, 9, 14)]
    data = csv_bytes(whole, [values[0], values[1][:4], values[2]])
    found = decode(data, "csv")
    assert found.times == ["2024-09-30T22:04", "2024-09-30T22:14"]
    assert [(bad.line, "4 fields instead of 5" in bad.reason) for bad in found.rejections] == [(3, True)]
    flat = csv_bytes([*FLAT, *row()], [["id", MILLIS, "{}", 1, *row(f"00:{m:02d}:00").values()] for m in (4, 9)])
    cut = flat[: flat.rindex(b'"WSW"')]
    found = decode(cut, "csv")
    assert found.times == ["2024-09-30T22:04"]
    assert [bad.line for bad in found.rejections] == [3]


def test_a_truncated_json_cell_costs_only_itself() -> None:
    """The line of the CSV is named."""
    cells = [dumps(row()), dumps(row("00:09:00"))[:40], dumps(row("00:14:00"))]
    data = csv_bytes([*FLAT, "_airbyte_data"], [["id", MILLIS, "{}", 1, cell] for cell in cells])
    found = decode(data, "csv")
    assert found.times == ["2024-09-30T22:04", "2024-09-30T22:14"]
    assert [(bad.line, bad.value) for bad in found.rejections] == [(3, cells[1])]
    assert found.frame.get_column("line").to_list() == [2, 4]


def test_a_renamed_column_is_reported() -> None:
    """Its values cannot be stored, so the object says so; the other columns are."""
    records = [{**row(f"00:{m:02d}:00", Temperature=None), "Temp": "56.8\u00a0°F"} for m in (4, 9)]
    found = decode(jsonl(records))
    assert found.frame.height == 2
    assert found.frame.get_column("humidity").to_list() == [87, 87]
    named = {bad.column: bad.reason for bad in found.rejections}
    assert "renamed from 'Temperature'" in named["Temp"]
    assert all(bad.rows == 0 for bad in found.rejections)


def test_a_column_renamed_in_mid_object_is_seen() -> None:
    """Keys are held against the known ones on every day, not on the first one only: one sheet may differ."""
    other = [{**row(f"00:{m:02d}:00", "2024-10-02", Temperature=None), "Temp": "1\u00a0°F"} for m in (9, 14)]
    records = [row(), *other]
    found = decode(jsonl(records))
    (bad,) = found.rejections
    assert (bad.column, bad.rows) == ("Temp", 0)
    assert "'Temperature'" in bad.reason


def test_a_column_of_the_operators_own_is_left_out_and_noted() -> None:
    """It stands beside every known column, so nothing of the record is lost."""
    full = dict.fromkeys(("Dew Point", "Speed", "Gust", "Pressure", "Precip. Rate.", "Precip. Accum.", "Solar"), "1")
    records = [{**row(f"00:{m:02d}:00"), **full, "UV": 0, "Comment": "mown"} for m in (4, 9)]
    found = decode(jsonl(records))
    assert found.rejections == []
    assert [(note.type, note.context["column"]) for note in found.notes] == [("info", "Comment")]


def test_headers_may_differ_in_blanks_case_and_final_dot() -> None:
    """As tables copied from the page do."""
    record = {"time": "00:04:00", "TEMPERATURE": "50\u00a0°F", "Dew\u00a0Point": "41\u00a0°F",
              "Precip. Rate": "0.10\u00a0in",
              "Date": "2024-10-01"}  # fmt: skip
    (report,) = decode(jsonl([record])).frame.to_dicts()
    assert (report["temperature"], report["dew_point"], report["precipitation_rate"]) == (10.0, 5.0, 2.54)


def test_a_datetime_column_serves_as_date_and_time() -> None:
    """`DateTime` (station-local) alone, and with a Time that agrees; a Time that differs is refused."""
    alone = {k: v for k, v in row().items() if k not in ("Time", "Date")} | {"DateTime": "2024-10-01 00:04:00"}
    agrees = row("00:09:00", day=None) | {"DateTime": "2024-10-01 00:09:00"}
    differs = row("00:15:00", day=None) | {"DateTime": "2024-10-01 00:14:00"}
    found = decode(jsonl([alone, agrees, differs]))
    assert found.times == ["2024-09-30T22:04", "2024-09-30T22:09"]
    assert [(bad.line, bad.column) for bad in found.rejections] == [(3, "DateTime")]


def test_a_sheet_without_a_date_costs_only_itself() -> None:
    """Rows of a sheet whose title could not be read name the sheet and their row."""
    lost = {**row("00:04:00", day=None), "Sheet": "Feuil2", "Row": 3}
    found = decode(jsonl([row(), lost, row("00:09:00")]))
    assert found.frame.height == 2
    (rejection,) = found.rejections
    assert (rejection.sheet, rejection.row, rejection.column, rejection.value) == ("Feuil2", 3, "Date", "Feuil2")


def test_days_are_inferred_from_a_first_day_and_that_is_said() -> None:
    """A row without values, and a time that runs backwards, each mark a new day (what the stock connector leaves)."""
    table = [{}, row("23:54:00", None), row("23:59:00", None), {}, row("23:58:00", None), row("00:04:00", None)]
    context = replace(TABLE, first_day=date(2024, 10, 1))
    found = decode(jsonl(table), context=context)
    assert found.times == ["2024-10-01T21:54", "2024-10-01T21:59", "2024-10-02T21:58", "2024-10-02T22:04"]
    assert [note.msg for note in found.notes if "inferred" in note.msg] != []


def test_days_are_inferred_over_the_autumn_night() -> None:
    """The hour that is repeated is no new day."""
    clock = ["01:58:00", "02:30:00", "02:58:00", "02:03:00", "02:40:00", "03:05:00", "00:04:00"]
    found = decode(jsonl([row(time, None) for time in clock]), context=replace(TABLE, first_day=date(2024, 10, 27)))
    assert found.times == [
        "2024-10-26T23:58", "2024-10-27T00:30", "2024-10-27T00:58", "2024-10-27T01:03", "2024-10-27T01:40",
        "2024-10-27T02:05", "2024-10-27T23:04",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "instant", "day"),
    [
        (row("10:04:00", Temperature="warm"), datetime(2024, 10, 1, 8, 4, tzinfo=UTC), None),
        (row("25:61:00"), None, date(2024, 10, 1)),
        (row("02:30:00", "2024-03-31"), None, date(2024, 3, 31)),
        (row("10:04:00", DateTime="2024-10-01 11:00:00"), None, date(2024, 10, 1)),
        (row("10:04:00", "first of May"), None, None),
    ],
)
def test_a_rejection_tells_when(bad: dict[str, Any], instant: datetime | None, day: date | None) -> None:
    """The instant of its report, else the local day that it stands in, else nothing: it is never guessed."""
    (found,) = decode(jsonl([row(), bad])).rejections
    assert (found.instant, found.day) == (instant, day)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["10:00:00", "10:05:00", "10:03:00"], "line 3 the time goes back from 10:05:00 to 10:03:00"),
        (["", "00:04:00", "10:00:00", "", "10:05:00"], "line 5 the time goes on from 10:00:00 to 10:05:00 behind an"),
        (["", "23:00:00", "", "", "00:04:00"], "line 5 2 empty rows, where there is 1 before the first"),
        (["00:04:00", "", "", "00:04:00"], "line 4 2 empty rows"),
    ],
)
def test_days_that_can_be_read_in_two_ways_are_refused(times: list[str], message: str) -> None:
    """Line and reason are told."""
    data = jsonl([row(time, None) if time else {} for time in times])
    context = replace(TABLE, first_day=date(2024, 10, 1))
    with pytest.raises(FormatError, match=message):
        decode(data, context=context)


def test_no_row_of_a_table_with_unclear_days_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those long before the doubtful one, in another block of the object."""
    defaults = {**(lines.line_blocks.__kwdefaults__ or {}), "size": 300}
    monkeypatch.setattr(lines.line_blocks, "__kwdefaults__", defaults)
    zone = open_landing("memory://unclear", "p")
    clock = [f"{hour:02d}:00:00" for hour in range(24)]
    zone.create(f"p/s/{NAME}.jsonl", jsonl([row(time, None) for time in [*clock, "22:30:00"]]))
    (item,) = zone.objects()
    context = replace(TABLE, first_day=date(2024, 10, 1))
    with pytest.raises(FormatError, match="line 25"):
        next(iter(decode_object(item, lambda: open_object(zone, item, limit_mib=1), context)))


def test_a_first_day_that_leads_into_the_future_is_refused() -> None:
    """A row cannot be read before its time: 24 October was the extraction's day."""
    data = jsonl([row("23:54:00", None), row("00:04:00", None), row("00:03:00", None)])
    with pytest.raises(FormatError, match="goes back"):
        decode(data, context=replace(TABLE, first_day=date(2025, 10, 23)))
    data = jsonl([row("22:54:00", None), row("00:04:00", None)])
    assert decode(data, context=replace(TABLE, first_day=date(2025, 10, 23))).frame.height == 2
    with pytest.raises(FormatError, match="reach 2025-10-26: it was read before"):
        decode(data, context=replace(TABLE, first_day=date(2025, 10, 25)))


def test_how_many_days_were_inferred_is_said() -> None:
    """Rows that come more than once a minute, or at noon only, change nothing about it."""
    table = [{}, {}, row("12:00:00", None), row("12:00:00", None), {}, {}, row("12:00:00", None)]
    with pytest.raises(FormatError, match="goes on from 12:00:00 to 12:00:00 behind an empty row"):
        decode(jsonl(table), context=replace(TABLE, first_day=date(2024, 10, 1)))
    table[-1] = row("11:55:00", None)
    found = decode(jsonl(table), context=replace(TABLE, first_day=date(2024, 10, 1)))
    assert [n.msg for n in found.notes if "inferred" in n.msg] == [
        "the table carries no date; its days were inferred from first_day = 2024-10-01: 2 days to 2024-10-02"
    ]


def test_a_table_without_days_is_refused_with_an_explanation() -> None:
    """Nothing is guessed: the object fails and says the three ways to give it a day."""
    with pytest.raises(FormatError, match=r"Date or DateTime column.*first_day"):
        decode(jsonl([row(day=None)]))


def test_a_stream_without_a_station_timezone_is_refused() -> None:
    """Local times without a zone are no instants."""
    with pytest.raises(FormatError, match="timezone"):
        decode(jsonl([row()]), context=DecodeContext("wunderground-table"))


def test_small_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting an object into blocks anywhere changes nothing, local days and folds included."""
    records = [row(f"{h:02d}:{m:02d}:00", f"2024-10-{d}") for d in (26, 27, 28) for h in range(24) for m in (4, 34)]
    records[54:54] = [row("02:10:00", "2024-10-27"), row("02:40:00", "2024-10-27")]
    data = jsonl(records)
    whole = decode(data)
    assert whole.rejections == []
    for size in (300, 1000, 5000):
        defaults = {**(lines.line_blocks.__kwdefaults__ or {}), "size": size}
        monkeypatch.setattr(lines.line_blocks, "__kwdefaults__", defaults)
        pieces = decode(data)
        assert pieces.frame.equals(whole.frame)
        assert pieces.rejections == whole.rejections


def test_a_csv_named_jsonl_is_refused() -> None:
    """And the other way round."""
    with pytest.raises(FormatError, match="no JSON lines"):
        decode(csv_bytes(["a", "b"], [["1", "2"]]), "jsonl")
    with pytest.raises(FormatError, match="no CSV header"):
        decode(jsonl([row()]), "csv")


def test_a_table_of_something_else_is_refused() -> None:
    """A header without any known column, rows or not."""
    with pytest.raises(FormatError, match="no known column"):
        decode(b"\x00\x01 this is no table\n", "csv")
    with pytest.raises(FormatError, match="no known column"):
        decode(b"a,b\r\n1,2\r\n", "csv")
