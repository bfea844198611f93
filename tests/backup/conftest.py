"""A small network, synced once, and jobs over it with a store of either engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from barograph.config import load
from barograph.pipeline import Job, run
from barograph.simulate import simulate
from barograph.wiring import opened_job

NewJob = Callable[[str], Job]


@pytest.fixture(scope="session")
def _landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The configuration of three days of four stations with a few faults; a data folder in which they are landed."""
    made = simulate(tmp_path_factory.mktemp("feeds"), days=3, stations=4, faults=("unparsable", "impossible"))
    data = tmp_path_factory.mktemp("landed")
    with opened_job(load(made.config, data_dir=data, environ={})) as job:
        assert run(job).reports.new > 1000
    return made.config, data


@pytest.fixture
def new_job(_landed: tuple[Path, Path], tmp_path: Path) -> Iterator[NewJob]:
    """Opens a job over the landed network and the store at a URL; its own landing zone, which may be changed."""
    config, data = _landed
    own = tmp_path / "data"
    shutil.copytree(data / "landing", own / "landing")
    with ExitStack() as stack:

        def opened(url: str) -> Job:
            settings = replace(load(config, data_dir=own, environ={}), store_url=url)
            return stack.enter_context(opened_job(settings))

        yield opened


@pytest.fixture(params=["sqlite", "mongodb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, once for each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'meteo.db'}"
    url: str = request.getfixturevalue("mongo_url")
    return url


@pytest.fixture
def other_url(mongo_url: str, tmp_path: Path) -> Callable[[str], str]:
    """The URL of an empty store of the other engine than that of a URL."""
    return lambda url: mongo_url if url.startswith("sqlite") else f"sqlite:///{tmp_path / 'other.db'}"
