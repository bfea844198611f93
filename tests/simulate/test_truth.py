"""The truth is what a correct reader makes of the written files; the same request gives the same bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from barograph.errors import FormatError, UsageError
from barograph.simulate import SimulatedNetwork, Truth, load_truth, simulate
from barograph.variables import NAMES
from tests.simulate import reading


def differences(network: SimulatedNetwork) -> list[Any]:
    """Where the truth and an independent reading of the files disagree."""
    truth = load_truth(network.out_dir).reports
    expected: reading.Record = {}
    for row in truth.drop("flags").iter_rows(named=True):
        key = (row.pop("station_id"), row.pop("utc_time"))
        expected[key] = {name: value for name, value in row.items() if value is not None}
    found = reading.read(network.out_dir)
    assert len(expected) == truth.height
    return [
        (key, expected.get(key), found.get(key))
        for key in expected.keys() | found.keys()
        if expected.get(key) != found.get(key)
    ]


@pytest.mark.parametrize(
    ("start", "days", "options"),
    [
        (date(2024, 10, 1), 7, {}),
        (date(2024, 10, 26), 3, {}),
        (date(2025, 3, 29), 3, {"table_format": "csv"}),
        (date(2025, 1, 10), 3, {"seed": 2, "stations": 7}),
        (date(2024, 12, 31), 2, {"step_minutes": 1, "stations": 1, "table_format": "csv"}),
    ],
    ids=["week", "autumn", "spring", "winter", "minutes"],
)
def test_truth_is_what_an_independent_reader_finds(
    tmp_path: Path, start: date, days: int, options: dict[str, Any]
) -> None:
    """Report by report and value by value, across both DST nights, frost and the turn of the year."""
    network = simulate(tmp_path, start=start, days=days, **options)
    assert differences(network)[:3] == []
    assert network.rows == network.reports == sum(network.station_reports.values())


@pytest.mark.parametrize(
    ("night", "rows", "twos"), [(date(2024, 10, 27), 300, 24), (date(2025, 3, 30), 276, 0)], ids=["autumn", "spring"]
)
def test_dst_nights_have_the_rows_of_the_clock(tmp_path: Path, night: date, rows: int, twos: int) -> None:
    """300 rows of 5 minutes when 02:xx comes twice, 276 when it does not come."""
    simulate(tmp_path, start=night, days=1, stations=3)
    for station in ("IICHTE19", "ILAMAD25"):
        (page,) = reading.workbook(tmp_path / f"{station}.xlsx")
        assert len(page.rows) == rows
        assert sum(row[0].hour == 2 for _, row in page.rows) == twos


@pytest.mark.parametrize(("night", "rows"), [(date(2024, 10, 27), 300), (date(2025, 3, 30), 276)])
def test_outages_spare_dst_nights(tmp_path: Path, night: date, rows: int) -> None:
    """Whatever the seed, a day of 25 or 23 hours is whole; other days of the same station are not always."""
    whole = [simulate(tmp_path, start=night, days=1, stations=1, seed=seed, table_format="csv") for seed in range(6)]
    assert {network.reports for network in whole} == {rows}
    usual = [
        simulate(tmp_path, start=date(2024, 6, 1), days=1, stations=1, seed=s, table_format="csv") for s in range(6)
    ]
    assert min(network.reports for network in usual) < 288


def test_truth_has_every_variable_and_unique_instants(week: SimulatedNetwork, week_truth: Truth) -> None:
    """truth.parquet has one row per (station, instant), all variables, and no flags where nothing is wrong."""
    reports = week_truth.reports
    assert reports.columns == ["station_id", "utc_time", *NAMES, "flags"]
    assert reports.select("station_id", "utc_time").is_unique().all()
    assert reports["flags"].null_count() == reports.height == week.reports
    assert week_truth.counts["stations"] == week.station_reports
    assert week_truth.faults == ()


def test_same_request_same_bytes(week: SimulatedNetwork, tmp_path: Path) -> None:
    """All files, workbooks included, are identical in a second run; another seed gives other weather."""
    digest = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in week.out_dir.iterdir()}
    again = simulate(tmp_path / "again")
    assert {path.name: hashlib.sha256(path.read_bytes()).digest() for path in again.out_dir.iterdir()} == digest
    other = simulate(tmp_path / "other", days=1, seed=2)
    changed = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in other.out_dir.iterdir()}
    assert all(changed[name] != digest[name] for name in ("IICHTE19.xlsx", "infoclimat.json", "truth.parquet"))


def test_longer_span_and_larger_network_contain_the_smaller(week_truth: Truth, tmp_path: Path) -> None:
    """The weather of an instant depends neither on the length of the span nor on the number of stations."""
    small = load_truth(simulate(tmp_path / "small", days=2, stations=3).out_dir).reports
    large = load_truth(simulate(tmp_path / "large", days=2, stations=9).out_dir).reports
    for outer in (week_truth.reports, large):
        common = outer.join(small.select("station_id", "utc_time"), on=["station_id", "utc_time"], how="semi")
        assert_frame_equal(common, small, check_row_order=False)


def test_week_of_six_stations_takes_under_three_seconds(tmp_path: Path) -> None:
    """The default simulation is quick enough for a demonstration (a busy machine gets a second try)."""

    def seconds(name: str) -> float:
        began = time.perf_counter()
        simulate(tmp_path / name)
        return time.perf_counter() - began

    assert seconds("first") < 3 or seconds("second") < 3


def test_importing_the_simulator_loads_nothing_heavy() -> None:
    """`import barograph.simulate` leaves polars and xlsxwriter for when they are used."""
    code = (
        "import sys, barograph; before = set(sys.modules); import barograph.simulate; "
        "print(sorted({'polars', 'xlsxwriter', 'numpy'} & (set(sys.modules) - before)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"days": 0}, "days"),
        ({"stations": 0}, "stations"),
        ({"step_minutes": 7}, "step_minutes"),
        ({"step_minutes": 0}, "step_minutes"),
        ({"table_format": "ods"}, "table_format"),
        ({"faults": ["gremlin"]}, "gremlin"),
        ({"faults": ["sheet-title"], "table_format": "csv"}, "sheet-title"),
        ({"faults": ["unknown-station"], "stations": 1}, "unknown-station"),
        ({"faults": ["gap"], "days": 1}, "gap"),
        ({"faults": ["sheet-title"] * 3, "days": 2}, "sheet-title"),
    ],
)
def test_request_that_cannot_be_met_is_refused(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    """A wrong argument is a UsageError that names it, and nothing is written."""
    with pytest.raises(UsageError, match=named):
        simulate(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_foreign_configuration_is_not_overwritten(tmp_path: Path) -> None:
    """A folder whose barograph.toml is no simulation's is left alone; an earlier simulation is replaced."""
    (tmp_path / "barograph.toml").write_text("# mine\n")
    with pytest.raises(UsageError, match="folder of its own"):
        simulate(tmp_path, days=1, stations=1)
    assert (tmp_path / "barograph.toml").read_text() == "# mine\n"
    simulate(tmp_path / "new", days=1, stations=1)
    assert simulate(tmp_path / "new", days=1, stations=1, seed=5).reports == 288


def test_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    """Where a file stands in the way of the folder, the error says so."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        simulate(tmp_path / "file" / "folder", days=1, stations=1)


def test_truth_that_is_missing_or_broken_is_said_so(tmp_path: Path) -> None:
    """load_truth tells a folder without a simulation from a damaged one."""
    with pytest.raises(UsageError, match=r"truth\.parquet"):
        load_truth(tmp_path)
    simulate(tmp_path, days=1, stations=1)
    (tmp_path / "truth.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(FormatError):
        load_truth(tmp_path)
    (tmp_path / "truth.json").write_text("{}")
    with pytest.raises(FormatError):
        load_truth(tmp_path)


def test_truth_reads_back_as_written(tmp_path: Path) -> None:
    """Faults survive the round trip through truth.json, instants included."""
    network = simulate(tmp_path, days=3, stations=2, faults=["impossible", "gap", "unknown-station"])
    truth = load_truth(tmp_path)
    assert truth.faults == network.faults
    assert truth.counts["rejected"] == network.rejected > 0
    assert truth.reports.filter(pl.col("flags").is_not_null()).height == 1
