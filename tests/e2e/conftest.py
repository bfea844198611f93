"""What the end-to-end tests share: one simulated network, stored once undisturbed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from barograph.simulate import simulate
from tests.e2e.scenario import Place, Scene, Undisturbed


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Two days of two personal stations, a static and a synop one, stored without anything going wrong."""
    folder = tmp_path_factory.mktemp("network")
    network = simulate(folder, days=2, stations=4, step_minutes=10)
    place = Place(network.config, tmp_path_factory.mktemp("undisturbed"))
    report = place.run()
    assert report.status == "done"
    assert report.reports.new == report.reports.rows == network.reports
    return Undisturbed(folder, place.data_dir, place.record(), report.reports)


@pytest.fixture
def scene(undisturbed: Undisturbed, tmp_path: Path) -> Scene:
    """A copy of the network's exports, and an empty place to run them in."""
    folder = tmp_path / "network"
    shutil.copytree(undisturbed.folder, folder)
    return Scene(undisturbed, Place(folder / "barograph.toml", tmp_path / "data"))
