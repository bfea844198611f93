"""Several extractions of the same days: field by field the latest one counts, whatever the order of arrival."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from barograph.pipeline import ingest, verify
from barograph.wiring import opened_job
from tests.e2e.oracle import Instant, Stored
from tests.e2e.scenario import Place, Scene, assert_settled

STATION: Final = "LOCAL1"
CONFIG: Final = """
[stations.LOCAL1]
timezone = "Europe/Paris"
[connections.local]
source = "wunderground-table"
url = "nowhere.xlsx"
station = "LOCAL1"
[connections.other]
source = "wunderground-table"
url = "nowhere.xlsx"
station = "LOCAL1"
"""
Row = tuple[int, float | None, float | None] | tuple[int, float | None, float | None, int]
"""Minute of 1 October 2024 (local), °F, inHg (None is not observed), and how many ms after the sync's start."""


def lay(folder: Path) -> Place:
    """An empty landing zone of one station with two streams."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "barograph.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return Place(config, folder / "data")


def land(place: Place, second: int, rows: Sequence[Row], *, stream: str = "local", part: int = 0) -> str:
    """Land an extraction of the `second`-th second of 8 October, as Airbyte would; its key."""
    millis = int((datetime(2024, 10, 8, tzinfo=UTC) + timedelta(seconds=second)).timestamp() * 1000)
    path = place.landing_folder / stream / f"2024_10_08_{millis}_{part}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in rows:
        minute, fahrenheit, inches, after = (*row, 0)[:4]
        cells = {
            "Date": "2024-10-01",
            "Time": f"{minute // 60:02}:{minute % 60:02}:00",
            "Humidity": "80\u00a0%",
            "Temperature": None if fahrenheit is None else f"{fahrenheit}\u00a0°F",
            "Pressure": None if inches is None else f"{inches}\u00a0in",
        }
        data = {name: cell for name, cell in cells.items() if cell is not None}
        lines.append(json.dumps({"_airbyte_extracted_at": millis + after, "_airbyte_data": data}) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return f"meteo_sync/{stream}/{path.name}"


def at(minute: int) -> Instant:
    return (STATION, datetime(2024, 9, 30, 22, tzinfo=UTC) + timedelta(minutes=minute))


def values(record: Stored) -> dict[int, tuple[float | str | None, float | str | None]]:
    """minute -> (°C, hPa)."""
    return {
        round((key[1] - at(0)[1]) / timedelta(minutes=1)): (row.get("temperature"), row.get("pressure"))
        for key, row in record.items()
    }


def test_a_correction_changes_exactly_its_report(scene: Scene) -> None:
    """A value that the source has corrected since changes that value of that report, and nothing else."""
    assert scene.place.run().status == "done"
    with scene.workbook("IICHTE19.xlsx") as book:
        book["011024"]["B40"].value = "68.0\u00a0°F"
    report = scene.place.run()
    assert (report.reports.new, report.reports.changed) == (0, 1)
    assert report.reports.unchanged == len(scene.of("IICHTE19")) - 1
    scene.assert_record(changed={scene.of("IICHTE19")[37]: {"temperature": 20.0}})


def test_a_correction_that_is_taken_back(scene: Scene) -> None:
    """The latest extraction counts, also when it says again what an earlier one said."""
    original = (scene.folder / "IICHTE19.xlsx").read_bytes()
    assert scene.place.run().status == "done"
    with scene.workbook("IICHTE19.xlsx") as book:
        book["011024"]["B40"].value = "68.0\u00a0°F"
    assert scene.place.run().reports.changed == 1
    (scene.folder / "IICHTE19.xlsx").write_bytes(original)
    assert scene.place.run().reports.changed == 1
    scene.assert_record()


def test_a_value_that_vanishes_stays(scene: Scene) -> None:
    """An extraction in which a value, or a whole report, is missing takes nothing away; the missing report is told."""
    assert scene.place.run().status == "done"
    with scene.workbook("IICHTE19.xlsx") as book:
        book["011024"]["B40"].value = None
        book["011024"].delete_rows(60)
    report = scene.place.run()
    assert report.status == "done"
    assert (report.reports.new, report.reports.changed) == (0, 0)
    (told,) = scene.place.logs("warning")
    assert told.context["station_id"] == "IICHTE19"
    assert told.context["reports"] == 1
    assert told.context["first"] == f"{scene.of('IICHTE19')[57][1]:%Y-%m-%dT%H:%M:%SZ}"
    scene.assert_record()


def test_a_growing_export(scene: Scene) -> None:
    """Each night's export holds yesterday's rows and some more: only those are new."""
    with scene.workbook("IICHTE19.xlsx") as book:
        later = list(book["021024"].iter_rows(values_only=True))
        del book["021024"]
    first = scene.place.run()
    report_rows = len(later) - 2
    assert first.reports.rows == scene.undisturbed.counts.rows - report_rows
    (scene.folder / "IICHTE19.xlsx").write_bytes((scene.undisturbed.folder / "IICHTE19.xlsx").read_bytes())
    second = scene.place.run()
    assert (second.reports.new, second.reports.changed) == (report_rows, 0)
    scene.assert_record()


def test_an_older_extraction_that_arrives_late(tmp_path: Path) -> None:
    """It fills what is not known, and overwrites nothing."""
    place = lay(tmp_path)
    land(place, 20, [(0, 50.0, 30.0), (5, 51.0, None)])
    assert place.ingest().reports.new == 2
    land(place, 10, [(0, 60.0, 29.0), (5, 61.0, 29.5), (10, 62.0, 29.5)])
    report = place.ingest()
    assert (report.reports.new, report.reports.changed, report.reports.unchanged) == (1, 1, 1)
    assert values(place.record()) == {0: (10.0, 1015.92), 5: (10.56, 998.98), 10: (16.67, 998.98)}
    assert_settled(place)


def test_a_late_extraction_against_a_confirmation(tmp_path: Path) -> None:
    """A value that a newer extraction confirmed without changing it counts as that extraction's."""
    place = lay(tmp_path)
    land(place, 10, [(0, 50.0, 30.0)])
    assert place.ingest().reports.new == 1
    land(place, 30, [(0, 50.0, 30.0)])
    assert place.ingest().reports.unchanged == 1
    before = place.export()
    land(place, 20, [(0, 60.0, 29.0)])
    report = place.ingest()
    assert (report.reports.new, report.reports.changed, report.reports.unchanged) == (0, 0, 1)
    assert place.export() == before
    assert_settled(place)
    assert place.rebuild().reports.new == 1
    assert place.export() == before


def test_a_confirmation_of_one_field_only(tmp_path: Path) -> None:
    """What the newest extraction did not say may come from the one in the middle."""
    place = lay(tmp_path)
    land(place, 10, [(0, 50.0, 30.0)])
    place.ingest()
    land(place, 30, [(0, 50.0, None)])
    place.ingest()
    land(place, 20, [(0, 60.0, 29.0)])
    report = place.ingest()
    assert report.reports.changed == 1
    assert values(place.record()) == {0: (10.0, 982.05)}
    assert_settled(place)


def test_two_files_of_one_station(tmp_path: Path) -> None:
    """Overlapping exports of one station under two streams make one record, the later extraction first."""
    place = lay(tmp_path)
    land(place, 10, [(0, 50.0, 30.0), (5, 51.0, 30.0), (10, 52.0, None)])
    land(place, 20, [(5, 60.0, None), (10, None, 29.0), (15, 61.0, 29.0)], stream="other")
    report = place.ingest()
    assert report.status == "done"
    assert (report.reports.new, report.reports.changed) == (4, 2)
    assert values(place.record()) == {
        0: (10.0, 1015.92),
        5: (15.56, 1015.92),
        10: (11.11, 982.05),
        15: (16.11, 982.05),
    }
    assert_settled(place)


def test_parts_of_one_extraction(tmp_path: Path) -> None:
    """A generation in several parts is one extraction: their rows stand together, and a twin is no contradiction."""
    place = lay(tmp_path)
    land(place, 10, [(0, 50.0, 30.0), (5, 51.0, 30.0)])
    land(place, 10, [(5, 51.0, 30.0), (10, 52.0, 30.0)], part=1)
    report = place.ingest()
    assert (report.reports.new, report.reports.unchanged, report.reports.rejected) == (3, 1, 0)
    assert set(values(place.record())) == {0, 5, 10}
    assert_settled(place)


_CELL = st.sampled_from([None, 50.0, 59.0, 68.0])
_AFTER = st.sampled_from([0, 0, 500, 1000, 2500])
_ROWS = st.lists(
    st.tuples(st.sampled_from([0, 5, 1439]), _CELL, _CELL.map(lambda value: value and value / 2), _AFTER),
    min_size=1,
    max_size=4,
)
_EXTRACTION = st.tuples(st.integers(1, 4), st.sampled_from(["local", "other"]), st.integers(0, 1), _ROWS)


@settings(max_examples=8, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@example([(1, "local", 0, [(0, 50.0, None)]), (3, "local", 0, [(0, 50.0, None)]), (2, "local", 0, [(0, 59.0, None)])])
@example([(2, "local", 0, [(5, 59.0, None)]), (1, "local", 0, [(5, 59.0, None), (5, 50.0, 29.5)])])
@example([(1, "local", 0, [(0, 50.0, 29.5)]), (3, "other", 0, [(0, 50.0, 29.5)]), (3, "local", 0, [(0, 59.0, 25.0)])])
@example(
    [
        (2, "local", 1, [(0, 50.0, 29.5, 500), (0, None, 25.0, 2500)]),
        (1, "local", 0, [(0, None, None, 2500), (0, 68.0, 25.0, 1000)]),
    ]
)
@given(st.lists(_EXTRACTION, min_size=2, max_size=5, unique_by=lambda one: one[:3]))
def test_the_record_is_a_function_of_the_landing_zone(
    tmp_path_factory: pytest.TempPathFactory, extractions: list[tuple[int, str, int, list[Row]]]
) -> None:
    """In whatever order extractions arrive, one by one, the record is the one that a rebuild makes of all together.

    And every row that was read has one fate.
    """
    place = lay(tmp_path_factory.mktemp("arrivals"))
    with opened_job(place.settings) as job:
        for second, stream, part, rows in extractions:
            land(place, second, rows, stream=stream, part=part)
            assert ingest(job).reports.rows == len(rows)
        proof = verify(job)
    assert proof.proven, proof.differences
    before = place.export()
    place.rebuild()
    assert place.export() == before


def test_a_broken_newer_object_does_not_stop_a_late_one(scene: Scene) -> None:
    """An older extraction that arrives late is stored, although the newer one ends in the middle and stays failed."""
    scene.land_undisturbed()
    newer = scene.landed("infoclimat")
    data = newer.read_bytes()
    newer.write_bytes(data[: data.index(b'"id_station":"00052"') + 20_000])
    assert scene.place.ingest().status == "incomplete"
    millis = int(newer.name.split("_")[3])
    older = newer.with_name(newer.name.replace(str(millis), str(millis - 1000)))
    older.write_bytes(data.replace(str(millis).encode(), str(millis - 1000).encode()))
    report = scene.place.ingest()
    fates = {item.object.rpartition("/")[2]: item.status for item in report.objects}
    assert fates == {older.name: "done", newer.name: "failed"}
    scene.assert_record()


def test_a_stream_that_left_the_configuration(tmp_path: Path) -> None:
    """Objects of a connection that was removed stay what they are, and stop no late object of the same station."""
    place = lay(tmp_path)
    land(place, 20, [(0, 50.0, 30.0)], stream="other")
    place.ingest()
    land(place, 10, [(0, 60.0, 29.0), (5, 61.0, 29.0)])
    place.config.write_text(CONFIG.partition("[connections.other]")[0], encoding="utf-8")
    report = place.ingest()
    assert (report.status, report.reports.new) == ("done", 1)
    assert values(place.record()) == {0: (10.0, 1015.92), 5: (16.11, 982.05)}
