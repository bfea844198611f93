"""One bad thing in an Infoclimat answer costs only itself, and is told with its array, row, field and value."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.e2e.scenario import Scene

FILE: Final = "infoclimat.json"
STATION: Final = "00052"
AT: Final = 50
"""Index of the row that is disturbed; rejections count from 1."""
PLACE: Final = {"sheet": f"hourly.{STATION}", "row": AT + 1, "line": 1, "station_id": STATION}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "douze"),
        ("humidite", "__import__('os').mkdir('evaluated')"),
        ("vent_direction", "NNE"),
        ("pression", "1019 atm"),
        ("dh_utc", "2024-10-01 25:00:00"),
        ("dh_utc", "01/10/2024"),
        ("id_station", "07015"),
    ],
)
def test_a_field_that_cannot_be_read_costs_its_row(scene: Scene, field: str, value: str) -> None:
    """The row is rejected with array, row, field and raw value; every other report is stored and right."""
    with scene.answer(FILE) as answer:
        answer["hourly"][STATION][AT][field] = value
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report, rejected=1)
    rejection = scene.assert_reported(report, **PLACE, column=field, value=value)
    assert rejection.object.startswith("meteo_sync/infoclimat/")
    scene.assert_record(lost=[scene.of(STATION)[AT]])


@pytest.mark.parametrize("row", [None, 7, "__import__('os').mkdir('evaluated')", ["2024-10-01 00:00:00", "12.5"]])
def test_a_row_that_is_no_object_is_rejected(scene: Scene, row: Any) -> None:
    """What stands in an array in the place of a report is named and left out."""
    with scene.answer(FILE) as answer:
        answer["hourly"][STATION].insert(AT, row)
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report, rows=1, rejected=1)
    scene.assert_reported(report, **PLACE)
    scene.assert_record()


@pytest.mark.parametrize(
    ("field", "value", "variable", "stored"),
    [("temperature", "999.9", "temperature", 999.9), ("humidite", "140", "humidity", 140.0)],
)
def test_an_impossible_value_is_stored_and_flagged(
    scene: Scene, field: str, value: str, variable: str, stored: float
) -> None:
    """What is physically impossible stays as it was said, with QARTOD flag 4."""
    with scene.answer(FILE) as answer:
        answer["hourly"][STATION][AT][field] = value
    report = scene.place.run()
    assert report.status == "done"
    scene.assert_fate(report)
    instant = scene.of(STATION)[AT]
    scene.assert_record(changed={instant: {variable: stored}})
    assert scene.place.flags() == {instant: {f"{variable}_flag": 4.0}}


@pytest.mark.parametrize("how", ["absent", "null", "empty"])
def test_a_missing_value_is_null(scene: Scene, how: str) -> None:
    """A field that is absent, null or empty is not observed: null, not zero, and not a rejection."""
    with scene.answer(FILE) as answer:
        if how == "absent":
            del answer["hourly"][STATION][AT]["pression"]
        else:
            answer["hourly"][STATION][AT]["pression"] = None if how == "null" else ""
    report = scene.place.run()
    assert report.status == "done"
    scene.assert_fate(report)
    scene.assert_record(changed={scene.of(STATION)[AT]: {"pressure": None}})


def test_a_renamed_field_is_told(scene: Scene) -> None:
    """A field under a new name is not lost in silence."""
    with scene.answer(FILE) as answer:
        for row in answer["hourly"][STATION]:
            row["temp"] = row.pop("temperature")
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report)
    rejection = scene.assert_reported(report, column="temp", sheet=f"hourly.{STATION}", rows=0)
    assert "'temperature'" in rejection.reason
    scene.assert_record(changed={key: {"temperature": None} for key in scene.of(STATION)})


def test_a_duplicated_row_is_stored_once(scene: Scene) -> None:
    """A row that stands there twice is one report, and the second is counted as a duplicate."""
    with scene.answer(FILE) as answer:
        rows = answer["hourly"][STATION]
        rows.insert(AT + 1, dict(rows[AT]))
    report = scene.place.run()
    assert report.status == "done"
    scene.assert_fate(report, rows=1, duplicates=1)
    scene.assert_record()


def test_a_contradiction_is_told_and_the_first_row_kept(scene: Scene) -> None:
    """Of two rows for one instant with other values, the first stands and the second is rejected by name."""
    with scene.answer(FILE) as answer:
        rows = answer["hourly"][STATION]
        rows.insert(AT + 1, {**rows[AT], "temperature": "33.3"})
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report, rows=1, rejected=1)
    (rejection,) = report.rejections
    assert (rejection.sheet, rejection.column, rejection.value) == (f"hourly.{STATION}", "temperature", "33.3")
    assert AT + 2 in (rejection.line, rejection.row)
    scene.assert_record()


def test_an_unknown_station_is_rejected_whole(scene: Scene) -> None:
    """Rows of a station that nobody describes are counted and named; no station appears out of nothing."""
    with scene.answer(FILE) as answer:
        strangers = [{**row, "id_station": "STRANGE"} for row in answer["hourly"][STATION][:7]]
        answer["hourly"] = {"STRANGE": strangers, **answer["hourly"]}
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report, rows=7, rejected=7)
    scene.assert_reported(report, sheet="hourly.STRANGE", column="id_station", value="STRANGE", rows=7)
    assert "STRANGE" not in {station.station_id for station, _ in scene.place.state()["stations"]}
    scene.assert_record()


def test_an_unknown_unit_fails_the_answer(scene: Scene) -> None:
    """An answer that declares another unit than ours is not stored under the wrong one."""
    with scene.answer(FILE) as answer:
        answer["metadata"]["pression"] = "mean sea level pressure,furlong"
    report = scene.place.run()
    assert report.status == "incomplete"
    assert [error for error in report.errors if "furlong" in error and "pression" in error]
    answered = {"00052", "07015"}
    scene.assert_record(lost=[key for key in scene.undisturbed.record if key[0] in answered])
