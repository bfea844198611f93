"""Each fault does to the files and to the truth what it says, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from barograph.simulate import FAULTS, Fault, SimulatedNetwork, load_truth, simulate
from tests.simulate import reading
from tests.simulate.test_truth import differences

KEYS = ["station_id", "utc_time"]


class Case:
    """A small network with one fault, beside the same network without it."""

    def __init__(self, folder: Path, clean: Path, name: str) -> None:
        self.network: SimulatedNetwork = simulate(folder, days=3, stations=2, faults=[name])
        (self.fault,) = self.network.faults
        self.before = load_truth(clean).reports
        self.after = load_truth(folder).reports

    @property
    def gone(self) -> pl.DataFrame:
        """Reports of the clean truth whose instant the faulty one lacks."""
        return self.before.join(self.after, on=KEYS, how="anti")

    @property
    def changed(self) -> dict[str, int]:
        """How many values changed, by variable, among the reports of both."""
        joined = self.before.join(self.after, on=KEYS, suffix="_new")
        names = [name for name in self.before.columns if name not in KEYS]
        counts = {name: joined.filter(~pl.col(name).eq_missing(pl.col(f"{name}_new"))).height for name in names}
        return {name: count for name, count in counts.items() if count}

    def row(self) -> dict[str, Any]:
        """The cells of the row that the fault names."""
        assert self.fault.sheet is not None
        assert self.fault.row is not None
        page = next(
            page
            for page in reading.workbook(self.network.out_dir / self.fault.object)
            if page.title == self.fault.sheet
        )
        return dict(zip(page.header, dict(page.rows)[self.fault.row], strict=True))

    def page(self) -> reading.Page:
        """The sheet that the fault names."""
        pages = reading.workbook(self.network.out_dir / self.fault.object)
        return next(page for page in pages if page.title == self.fault.sheet)


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path, clean: Path) -> Case:
    """The case of the fault that the test is parametrised with."""
    result = Case(tmp_path, clean, request.param)
    # Whatever the fault, an independent reader finds the truth, and the counts add up.
    assert differences(result.network) == []
    assert result.network.rows == result.after.height + result.network.rejected + result.network.duplicates
    assert result.fault.done
    assert result.fault.record
    return result


def test_every_fault_is_tried_here() -> None:
    """The cases below cover all faults on offer, and each of them has a help text."""
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in FAULTS if f'@one("{name}")' not in source] == []
    assert all(FAULTS.values())


def one(name: str) -> pytest.MarkDecorator:
    """Parametrise `case` with one fault."""
    return pytest.mark.parametrize("case", [name], indirect=True)


@one("unparsable")
def test_unparsable(case: Case) -> None:
    """The named cell is no number, and exactly that report is not in the truth."""
    cell = case.row()["Temperature"]
    assert cell == case.fault.value
    with pytest.raises(ValueError, match="float"):
        float(cell.partition("\u00a0")[0])
    assert case.gone.select(KEYS).rows() == [(case.fault.station_id, case.fault.utc_time)]
    assert case.changed == {}
    assert case.network.rejected == 1


@one("time")
def test_time(case: Case) -> None:
    """The named Time cell is an impossible text, and exactly that report is not in the truth."""
    assert case.row()["Time"] == "25:61"
    assert case.gone.select(KEYS).rows() == [(case.fault.station_id, case.fault.utc_time)]
    assert case.changed == {}
    assert case.network.rejected == 1


@one("impossible")
def test_impossible(case: Case) -> None:
    """999.9 °F stays in the truth as 537.72 °C with flag 4."""
    assert case.row()["Temperature"] == "999.9\u00a0°F"
    flagged = case.after.filter(pl.col("flags").is_not_null())
    assert flagged.select(*KEYS, "temperature", "flags").rows() == [
        (case.fault.station_id, case.fault.utc_time, 537.72, '{"temperature": 4}')
    ]
    assert case.changed == {"temperature": 1, "flags": 1}
    assert case.fault.flags == {"temperature": 4}
    assert case.gone.is_empty()


@one("humidity")
def test_humidity(case: Case) -> None:
    """140 % stays in the truth with flag 4."""
    assert case.row()["Humidity"] == "140\u00a0%"
    assert case.after.filter(pl.col("flags").is_not_null()).select("humidity", "flags").rows() == [
        (140, '{"humidity": 4}')
    ]
    assert case.changed == {"humidity": 1, "flags": 1}
    assert case.gone.is_empty()


@one("blank-rows")
def test_blank_rows(case: Case) -> None:
    """Three empty rows stand below the named report; the truth does not change."""
    rows = dict(case.page().rows)
    assert case.fault.row is not None
    for number in range(case.fault.row, case.fault.row + 3):
        assert set(rows[number]) == {None}
    assert rows[case.fault.row - 1][0] is not None
    assert rows[case.fault.row + 3][0] is not None
    assert_frame_equal(case.before, case.after)


@one("duplicate")
def test_duplicate(case: Case) -> None:
    """The named row repeats the one above it; the truth does not change and counts one duplicate."""
    rows = dict(case.page().rows)
    assert case.fault.row is not None
    assert rows[case.fault.row] == rows[case.fault.row - 1]
    assert_frame_equal(case.before, case.after)
    assert (case.network.rejected, case.network.duplicates) == (0, 1)


@one("conflict")
def test_conflict(case: Case) -> None:
    """The named row has the time of the one above it and another temperature; the first stays in the truth."""
    rows = dict(case.page().rows)
    assert case.fault.row is not None
    first, second = rows[case.fault.row - 1], rows[case.fault.row]
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, False] + [True] * 10
    assert_frame_equal(case.before, case.after)
    assert (case.network.rejected, case.network.duplicates) == (1, 0)


@one("spike")
def test_spike(case: Case) -> None:
    """One temperature is 6 °C higher, nothing else."""
    assert case.changed == {"temperature": 1}
    assert case.gone.is_empty()
    here = pl.col("utc_time") == case.fault.utc_time, pl.col("station_id") == case.fault.station_id
    before, after = (frame.filter(*here)["temperature"].item() for frame in (case.before, case.after))
    assert after - before == pytest.approx(6, abs=0.011)
    assert case.fault.row is not None


@one("missing-column")
def test_missing_column(case: Case) -> None:
    """One sheet has no Dew Point; its reports stay, with that value null."""
    assert "Dew Point" not in case.page().header
    assert case.changed == {"dew_point": len(case.page().rows)}
    assert case.gone.is_empty()


@one("renamed-column")
def test_renamed_column(case: Case) -> None:
    """One sheet has another name for Gust; its reports stay, with that value null."""
    assert case.page().header.index("Windstoot") == 6
    assert case.changed == {"wind_gust": len(case.page().rows)}
    assert case.gone.is_empty()


@one("sheet-title")
def test_sheet_title(case: Case) -> None:
    """One sheet's title is no date; none of its reports is in the truth."""
    assert case.fault.sheet == "Feuil1"
    assert case.gone.height == len(case.page().rows) == case.network.rejected == case.fault.rejected
    assert case.gone["utc_time"].min() == case.fault.utc_time
    assert case.gone["utc_time"].max() == case.fault.until


@one("stuck")
def test_stuck(case: Case) -> None:
    """The temperature stands still for 6 hours, and the dew point stays at or below it."""
    during = case.after.filter(
        pl.col("station_id") == case.fault.station_id,
        pl.col("utc_time").is_between(case.fault.utc_time, case.fault.until),
    )
    assert during["temperature"].n_unique() == 1
    span = during["utc_time"].item(-1) - during["utc_time"].item(0)
    assert timedelta(hours=5, minutes=45) < span < timedelta(hours=6)
    assert during.filter(pl.col("dew_point") > pl.col("temperature")).is_empty()
    assert set(case.changed) <= {"temperature", "dew_point"}
    assert case.changed["temperature"] > during.height / 2
    assert case.gone.is_empty()


@one("clock")
def test_clock(case: Case) -> None:
    """On one day every report stands 2 hours late; the first two hours are empty."""
    own = pl.col("station_id") == case.fault.station_id
    day = own & pl.col("utc_time").is_between(case.fault.utc_time, case.fault.until)
    late = case.after.filter(day).with_columns(pl.col("utc_time") - pl.duration(hours=2))
    assert_frame_equal(late, case.before.join(late.select(KEYS), on=KEYS, how="semi"))
    assert late["utc_time"].is_in(case.before.filter(own)["utc_time"].implode()).all()
    first_two_hours = pl.col("utc_time").is_between(
        pl.lit(case.fault.utc_time) - pl.duration(hours=2), case.fault.utc_time, closed="left"
    )
    assert case.before.filter(own, first_two_hours).height > 0
    assert case.after.filter(own, first_two_hours).is_empty()


@one("gap")
def test_gap(case: Case) -> None:
    """One day of one station is not there, everything else is unchanged."""
    assert case.changed == {}
    assert set(case.gone["station_id"]) == {case.fault.station_id}
    assert case.gone["utc_time"].min() == case.fault.utc_time
    assert case.gone["utc_time"].max() == case.fault.until
    assert case.gone.height > 130


@one("pressure-offset")
def test_pressure_offset(case: Case) -> None:
    """One barometer reads 5 hPa too high throughout (0.15 inHg on a personal station)."""
    own = pl.col("station_id") == case.fault.station_id
    before, after = (frame.filter(own)["pressure"] for frame in (case.before, case.after))
    assert ((after - before) - 5).abs().max() < 0.1  # type: ignore[operator]
    assert case.changed == {"pressure": before.len()}


@one("unknown-station")
def test_unknown_station(case: Case) -> None:
    """The answer has an array of a station that it does not list; the truth does not know it."""
    assert case.fault.station_id == "UNLISTED1"
    assert_frame_equal(case.before, case.after)
    assert case.network.rejected == case.fault.rejected == 144


@pytest.mark.parametrize("table_format", ["xlsx", "csv"])
def test_all_faults_at_once_do_not_meet(tmp_path: Path, table_format: str) -> None:
    """Every fault twice in one week: an independent reader still finds the truth, and each row fault its own row."""
    names = [name for name in FAULTS if table_format == "xlsx" or name != "sheet-title"] * 2
    network = simulate(tmp_path, faults=names, table_format=table_format)  # type: ignore[arg-type]
    assert [fault.name for fault in network.faults] == names
    assert differences(network)[:3] == []
    assert network.rows == network.reports + network.rejected + network.duplicates
    places = [(fault.object, fault.sheet, fault.row, fault.station_id) for fault in network.faults if fault.row]
    assert len(set(places)) == len(places) >= 2 * 8
    assert network.rejected == sum(fault.rejected for fault in network.faults)


def test_row_numbers_hold_when_faults_share_a_sheet(tmp_path: Path) -> None:
    """Inserted rows push later ones down; every fault still names the row where it stands."""
    names = ["blank-rows", "duplicate", "unparsable", "conflict", "impossible", "time"]
    network = simulate(tmp_path, days=1, stations=1, faults=names)
    (page,) = reading.workbook(tmp_path / "IICHTE19.xlsx")
    rows = dict(page.rows)

    def at(fault: Fault) -> Any:
        assert fault.row is not None
        return rows[fault.row]

    blank, duplicate, unparsable, conflict, impossible, time = network.faults
    assert set(at(blank)) == {None}
    assert duplicate.row is not None
    assert at(duplicate) == rows[duplicate.row - 1]
    assert at(unparsable)[1] == unparsable.value
    assert at(conflict)[1] == conflict.value
    assert at(impossible)[1] == "999.9\u00a0°F"
    assert at(time)[0] == "25:61"
