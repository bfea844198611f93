"""Infoclimat's answers: traps, units, stations and their licences, refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from barograph.decode import DecodeContext
from barograph.errors import FormatError
from barograph.formats import answer as scanner
from barograph.model import Station
from tests.decode.helpers import ANSWER, FLAT, MILLIS, csv_bytes, decode, dumps, envelope, jsonl

LICENCE = {"license": "CC BY", "url": "https://example.org/by", "source": "infoclimat.fr", "metadonnees": "https://m"}


def station(name: str = "00052", **more: Any) -> dict[str, Any]:
    """A station as an answer describes it."""
    return {
        "id": name, "name": "Armentières", "latitude": 50.689, "longitude": 2.877, "elevation": 16, "type": "static",
        "license": LICENCE, **more,
    }  # fmt: skip


def hourly(time: str = "00:00", name: str = "00052", **fields: Any) -> dict[str, Any]:
    """A row: every value a string, null or ""."""
    return {
        "id_station": name, "dh_utc": f"2024-10-05 {time}:00", "temperature": "6.4", "pression": "1019.1",
        "humidite": "95", "point_de_rosee": "5.6", "vent_moyen": "0", "vent_rafales": None,
        "vent_direction": "134", "pluie_3h": None,
        "pluie_1h": "0", **fields,
    }  # fmt: skip


def answer(**more: Any) -> dict[str, Any]:
    """A whole answer of one station."""
    body: dict[str, Any] = {
        "status": "OK", "errors": [], "data": [], "stations": [station()],
        "metadata": {"temperature": "temperature,degC", "vent_moyen": "mean wind speed,km/h"},
        "hourly": {"00052": [hourly()], "_params": ["temperature"]},
    }  # fmt: skip
    return body | more


def test_an_answer_becomes_reports_and_stations() -> None:
    """Values, nulls, compass points, provenance, and the station with its licence, source and address."""
    found = decode(jsonl([answer()]), context=ANSWER)
    (report,) = found.frame.to_dicts()
    expected = {
        "station_id": "00052", "temperature": 6.4, "dew_point": 5.6, "humidity": 95, "pressure": 1019.1,
        "mean_wind_speed": 0.0, "wind_gust": None, "wind_direction_deg": 134.0, "wind_direction": "SE",
        "precipitation_1h": 0.0, "precipitation_3h": None, "line": 1,
    }  # fmt: skip
    assert {name: report[name] for name in expected} == expected
    assert report["origin"].endswith(".jsonl#hourly.00052")
    described, at = found.stations["00052"]
    assert described == Station(
        "00052", name="Armentières", latitude=50.689, longitude=2.877, elevation=16, type="static",
        license_info="CC BY; infoclimat.fr; https://example.org/by", timezone="Europe/Paris",
    )  # fmt: skip
    assert int(at.timestamp() * 1000) == MILLIS


def test_empty_strings_and_nulls_are_not_zero() -> None:
    """Missing is null."""
    row = hourly(temperature="", humidite=None, nebulosite="", vent_direction="")
    (report,) = decode(jsonl([answer(hourly={"00052": [row]})]), context=ANSWER).frame.to_dicts()
    assert [report[n] for n in ("temperature", "humidity", "ncloud_cover", "wind_direction_deg", "wind_direction")] == [
        None
    ] * 5


def test_every_form_of_an_answer_gives_the_same_reports() -> None:
    """JSONL or CSV, flattened or not, `hourly` before `stations`, several answers in one object."""
    body = answer()
    other_order = {"hourly": body["hourly"], **{k: v for k, v in body.items() if k != "hourly"}}
    flat = {k: v for k, v in envelope({}).items() if k != "_airbyte_data"} | body
    cells = [v if isinstance(v, str) else dumps(v) for v in body.values()]
    whole = decode(jsonl([body]), context=ANSWER)
    forms = [
        decode(jsonl([other_order]), context=ANSWER),
        decode(dumps(flat).encode(), context=ANSWER),
        decode(csv_bytes([*FLAT, "_airbyte_data"], [["x", MILLIS, "{}", 1, dumps(body)]]), "csv", ANSWER),
        decode(csv_bytes([*FLAT, *body], [["x", MILLIS, "{}", 1, *cells]]), "csv", ANSWER),
        decode(jsonl([body]), "jsonl.gz", ANSWER),
    ]
    for form in forms:
        assert form.frame.drop("origin").equals(whole.frame.drop("origin"))
        assert form.stations == whole.stations
        assert form.rejections == []
    later = answer(hourly={"00052": [hourly("00:10")]})
    two = decode(jsonl([body, later]), context=ANSWER)
    assert two.times == ["2024-10-05T00:00", "2024-10-05T00:10"]
    assert two.frame.get_column("origin").to_list()[1].endswith("#line-2/hourly.00052")


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (hourly("00:10", temperature="6,4"), "temperature", "not a number|unit"),
        (hourly("00:10", dh_utc="2024-13-05 00:10:00"), "dh_utc", "not a UTC time"),
        (hourly("00:10", dh_utc=None), "dh_utc", "not a UTC time"),
        (hourly("00:10", name="07015"), "id_station", "stands in the array of 00052"),
    ],
)
def test_a_bad_row_costs_only_itself(row: dict[str, Any], column: str, reason: str) -> None:
    """Named by line, array, place, column and raw value."""
    body = answer(hourly={"00052": [hourly(), row, hourly("00:20")]})
    found = decode(jsonl([body]), context=ANSWER)
    assert found.times == ["2024-10-05T00:00", "2024-10-05T00:20"]
    (bad,) = found.rejections
    assert (bad.line, bad.sheet, bad.row, bad.column, bad.value) == (1, "hourly.00052", 2, column, row[column])
    assert any(part in bad.reason for part in reason.split("|"))
    assert bad.instant == (None if column == "dh_utc" else datetime(2024, 10, 5, 0, 10, tzinfo=UTC))
    assert found.frame.get_column("line").to_list() == [1, 3]


def test_an_unknown_station_is_refused_with_its_rows_counted() -> None:
    """An array that the answer's stations do not describe; unless the configuration does."""
    body = answer(hourly={"00052": [hourly()], "99999": [hourly(name="99999"), hourly("00:10", "99999")]})
    found = decode(jsonl([body]), context=ANSWER)
    assert found.frame.get_column("station_id").to_list() == ["00052"]
    (bad,) = found.rejections
    assert (bad.station_id, bad.rows, bad.value) == ("99999", 2, "99999")
    known = DecodeContext("infoclimat", stations={"99999": Station("99999")})
    assert decode(jsonl([body]), context=known).frame.height == 3


def test_units_are_taken_from_the_answer_itself() -> None:
    """An answer in m/s is converted, one in an unknown unit is refused."""
    body = answer(metadata={"vent_moyen": "mean wind speed,m/s"}, hourly={"00052": [hourly(vent_moyen="10")]})
    assert decode(jsonl([body]), context=ANSWER).frame.item(0, "mean_wind_speed") == 36.0
    with pytest.raises(FormatError, match="declares vent_moyen in 'furlong'"):
        decode(jsonl([answer(metadata={"vent_moyen": "speed,furlong"})]), context=ANSWER)


def test_a_renamed_field_is_reported() -> None:
    """Its values are lost to the record, so the object says so."""
    row = {("temp" if key == "temperature" else key): value for key, value in hourly().items()}
    found = decode(jsonl([answer(hourly={"00052": [row]})]), context=ANSWER)
    assert found.frame.height == 1
    assert [(bad.column, bad.rows) for bad in found.rejections] == [("temp", 0)]


def test_a_truncated_answer_keeps_its_whole_rows_and_fails() -> None:
    """What was readable is given, then the object fails; a good answer beside it counts."""
    body = jsonl([answer(hourly={"00052": [hourly(), hourly("00:10"), hourly("00:20")]})])
    cut = body[: body.index(b"00:20")]
    with pytest.raises(FormatError, match="cut short"):
        decode(cut, context=ANSWER)
    both = decode(cut + b"\n" + jsonl([answer(hourly={"00052": [hourly("01:00")]})]), context=ANSWER)
    assert both.times == ["2024-10-05T00:00", "2024-10-05T00:10", "2024-10-05T01:00"]
    (bad,) = both.rejections
    assert (bad.line, "2 rows before that place were kept" in bad.reason) == (1, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'"Wrong ip address"\n', "cut short or not JSON"),
        (b"Wrong ip address\n", "not JSON"),
        (b'{"a":1}\n', "no Infoclimat answer"),
        (dumps(answer(status="ERROR", errors=["quota"])).encode(), "errors .'quota'"),
        (b"\n\n", "no answer"),
    ],
)
def test_what_is_no_answer_is_refused(text: bytes, message: str) -> None:
    """With what it says instead."""
    with pytest.raises(FormatError, match=message):
        decode(text, context=ANSWER)


def test_pieces_of_an_array_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and their places are the same however small the pieces are."""
    rows = [hourly(f"{n // 60:02d}:{n % 60:02d}") for n in range(200)]
    data = jsonl([answer(hourly={"00052": rows})])
    whole = decode(data, context=ANSWER)
    monkeypatch.setattr(scanner, "PIECE_BYTES", 500)
    assert decode(data, context=ANSWER).frame.equals(whole.frame)
    assert json.loads(data)["_airbyte_data"]["hourly"]["00052"][7]["dh_utc"].startswith("2024-10-05 00:07")
