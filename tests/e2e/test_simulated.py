"""Every fault that can be simulated, all at once, against the truth that the simulation wrote beside its exports."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import pytest

from barograph.simulate import FAULTS, SimulatedNetwork, load_truth, simulate
from tests.e2e.oracle import Instant, Stored
from tests.e2e.scenario import Place, assert_settled


def truth_of(network: SimulatedNetwork) -> tuple[Stored, dict[Instant, dict[str, float]]]:
    """The reports and the flags that the record must hold."""
    reports: Stored = {}
    flags: dict[Instant, dict[str, float]] = {}
    for row in load_truth(network.out_dir).reports.iter_rows(named=True):
        key = (row.pop("station_id"), row.pop("utc_time").astimezone(UTC))
        told: dict[str, Any] = json.loads(row.pop("flags") or "{}")
        if told:
            flags[key] = {f"{name}_flag": float(flag) for name, flag in told.items()}
        reports[key] = {
            name: value if isinstance(value, str) else float(value) for name, value in row.items() if value is not None
        }
    return reports, flags


@pytest.mark.parametrize("table_format", ["xlsx", "csv"])
def test_all_faults_at_once(tmp_path: Path, table_format: Literal["xlsx", "csv"]) -> None:
    """Faults do not add up to more than themselves: each report, value and flag is the true one."""
    faults = [name for name in FAULTS if (name, table_format) != ("sheet-title", "csv")]
    network = simulate(tmp_path / "network", days=7, faults=faults, table_format=table_format)
    place = Place(network.config, tmp_path / "data")
    report = place.run()
    assert report.status == "incomplete"
    reports, flags = truth_of(network)
    assert place.record() == reports
    assert place.flags() == flags
    counts = report.reports
    assert (counts.rows, counts.new) == (network.rows, network.reports)
    assert (counts.rejected, counts.duplicates) == (network.rejected, network.duplicates)
    told = [entry.context for entry in place.logs("error") if "reason" in entry.context]
    for fault in network.faults:
        if fault.rejected == 1 and fault.row is not None:
            assert [context for context in told if fault.row in (context.get("row"), context.get("line"))], fault
    assert_settled(place)
