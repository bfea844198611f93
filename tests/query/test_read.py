"""Reports of a station and pieces of the record, over a real store."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from barograph.errors import NotFound, UsageError
from barograph.query import REPORTS_SCHEMA, Query, Span
from barograph.variables import NAMES
from tests.query.conftest import ichtegem, lesquin
from tests.query.stores import EXTRACTED


def test_a_local_day_of_25_hours(query: Query) -> None:
    """On the autumn night the station's day has 50 half-hourly reports, from 22:00 UTC of the day before."""
    day = query.reports("IICHTE19", query.span("IICHTE19", "2024-10-27"))
    assert day.height == 50
    assert day["utc_time"][0] == datetime(2024, 10, 26, 22, tzinfo=UTC)
    assert query.reports("IICHTE19", query.span("IICHTE19", "2024-10-27", utc=True)).height == 48


def test_columns_are_those_observed_then_flags(query: Query) -> None:
    """Without a choice: every variable that is observed in the span, in the table's order, then its flags."""
    frame = query.reports("IICHTE19", query.span("IICHTE19", "2024-10"))
    observed = ["temperature", "humidity", "wind_direction", "precipitation_acc"]
    assert frame.columns == ["station_id", "utc_time", *observed, "temperature_flag"]
    assert frame["station_id"].unique().to_list() == ["IICHTE19"]
    assert frame["temperature_flag"].sum() == 4 * frame["temperature_flag"].count() > 0


def test_chosen_variables_are_always_there(query: Query) -> None:
    """A variable that was asked for is a column even where it is not observed; order and repetition do not matter."""
    span = query.span("07015", "2024-10-05")
    frame = query.reports("07015", span, variables=["solar", "temperature", "solar"])
    assert frame.columns == ["station_id", "utc_time", "temperature", "solar"]
    assert frame["solar"].null_count() == frame.height == 24


def test_provenance_on_request(query: Query) -> None:
    """Each report tells its extraction, object and line."""
    frame = query.reports("07015", query.span("07015", "2024-10-05"), variables=["pressure"], provenance=True)
    assert frame.columns == ["station_id", "utc_time", "pressure", "extracted_at", "origin", "line"]
    assert frame.row(2, named=True)["origin"] == "stream/object.jsonl"
    assert (frame["extracted_at"].unique().to_list(), frame["line"][2]) == ([EXTRACTED], 3)


def test_a_span_without_reports_is_empty_not_an_error(query: Query) -> None:
    """Nothing known is an answer."""
    frame = query.reports("07015", query.span("07015", "1999"), variables=["temperature"])
    assert frame.schema == {name: REPORTS_SCHEMA[name] for name in ("station_id", "utc_time", "temperature")}
    assert frame.is_empty()


def test_the_whole_record_holds_its_first_and_last_report(query: Query) -> None:
    """Without dates the span is the record's own; of a station without reports it is empty."""
    spans = query.spans()
    assert list(spans) == ["00052", "07015", "IICHTE19"]
    assert query.reports("IICHTE19", spans["IICHTE19"]).height == ichtegem().height
    assert spans["00052"].start == spans["00052"].end
    assert query.span("07015", utc=True).timezone == query.span("07015").timezone == "UTC"


def test_each_station_has_its_own_days(query: Query) -> None:
    """The same words are other instants where the clock is another; without a timezone they are UTC."""
    spans = query.spans(["IICHTE19", "07015"], "2024-10-05")
    assert (spans["IICHTE19"].start.hour, spans["07015"].start.hour) == (22, 0)


def test_an_unknown_station_names_its_neighbours(query: Query) -> None:
    """A slip of the finger is answered with what was probably meant, and where to look."""
    with pytest.raises(NotFound, match=r"'iichte91'.*did you mean IICHTE19\?.*`barograph stations`"):
        query.span("iichte91", "2024-10-01")
    with pytest.raises(NotFound, match="no station 'X'"):
        query.station("X")


def test_an_unknown_variable_names_its_neighbours(query: Query) -> None:
    """As for stations; a name like no other is answered with all of them."""
    span = query.span("07015", "2024-10-05")
    with pytest.raises(UsageError, match="did you mean temperature"):
        query.reports("07015", span, variables=["Temprature"])
    with pytest.raises(UsageError, match="known are temperature, dew_point"):
        query.reports("07015", span, variables=["#"])


def test_to_without_from(query: Query) -> None:
    """A TO alone says nothing about where to begin."""
    with pytest.raises(UsageError, match="without FROM"):
        query.span("07015", None, "2024-10-05")


def test_pieces_are_months_and_add_up_to_the_record(query: Query) -> None:
    """Pieces come by station, then time, never longer than a UTC month, all with the full set of columns."""
    pieces = list(query.scan(query.spans()))
    assert [(piece["station_id"][0], piece["utc_time"][0].month, piece.height) for piece in pieces] == [
        ("07015", 10, 48),
        ("IICHTE19", 9, 5 * 48),
        ("IICHTE19", 10, 31 * 48),
        ("IICHTE19", 11, 2 * 48),
    ]
    assert all(piece.schema == REPORTS_SCHEMA for piece in pieces)
    whole = pl.concat(pieces)
    assert whole.filter(station_id="IICHTE19").select(ichtegem().columns).equals(ichtegem())
    assert whole.filter(station_id="07015").select(lesquin().columns).equals(lesquin())


@pytest.mark.parametrize("columns", [["station_id"], ["solar_flag"], ["utc_time", "temperature_flag"], [*NAMES]])
def test_pieces_of_chosen_columns(query: Query, columns: list[str]) -> None:
    """Any choice of columns keeps every row."""
    pieces = list(query.scan(query.spans(["07015"]), columns=columns))
    assert [(piece.columns, piece.height) for piece in pieces] == [(columns, 48)]


def test_pieces_keep_to_the_span(query: Query) -> None:
    """Start included, end excluded, also inside a day."""
    span = Span(datetime(2024, 9, 30, 23, 30, tzinfo=UTC), datetime(2024, 10, 1, 0, 30, tzinfo=UTC))
    times = [piece["utc_time"].to_list() for piece in query.scan({"IICHTE19": span})]
    assert times == [[datetime(2024, 9, 30, 23, 30, tzinfo=UTC)], [datetime(2024, 10, 1, tzinfo=UTC)]]


def test_the_stations_as_a_frame(query: Query) -> None:
    """The description, then what the record holds; a station without reports has none."""
    frame = query.stations_frame()
    assert frame["station_id"].to_list() == ["00052", "07015", "IICHTE19"]
    assert frame.row(2, named=True) | {"first": None, "last": None} == {
        "station_id": "IICHTE19",
        "name": "WeerstationBS",
        "city": "Ichtegem",
        "latitude": 51.092,
        "longitude": 2.999,
        "elevation": 15,
        "type": "personal",
        "hardware": None,
        "software": None,
        "license_info": None,
        "timezone": "Europe/Brussels",
        "reports": 38 * 48,
        "first": None,
        "last": None,
    }
    assert (frame["reports"][0], frame["first"][0]) == (0, None)
    assert frame["last"][1] == datetime(2024, 10, 6, 23, tzinfo=UTC)
