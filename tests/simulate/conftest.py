"""Simulations that several tests look at, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from barograph.simulate import SimulatedNetwork, Truth, load_truth, simulate


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> SimulatedNetwork:
    """The first network, a week, without faults."""
    return simulate(tmp_path_factory.mktemp("week"))


@pytest.fixture(scope="session")
def week_truth(week: SimulatedNetwork) -> Truth:
    """What the record of that week must hold."""
    return load_truth(week.out_dir)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of a personal and a static station, without faults."""
    return simulate(tmp_path_factory.mktemp("clean"), days=3, stations=2).out_dir
