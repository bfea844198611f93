"""airbyte-source-file 0.5.39 on the three connections of the first network: the same record as our own sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barograph.config import Connection, Settings, load
from barograph.landing import open_landing
from barograph.model import RunReport
from barograph.pipeline import Job, run, verify
from barograph.simulate import simulate
from barograph.store import open_store
from barograph.store.base import LogQuery
from tests.sources.airbyte.real import version_of
from tests.support.real import real_file, requires_real

pytestmark = pytest.mark.timeout(900)

FORMATS = {".xlsx": "excel", ".csv": "csv", ".json": "json"}


def through_connector(connection: Connection, first_day: date, **more: Any) -> Connection:
    """The same connection, read by the stock file connector."""
    config = {
        "dataset_name": connection.stream,
        "format": FORMATS[Path(connection.url).suffix],
        "url": connection.url,
        "provider": {"storage": "local"},
        **more,
    }
    dated = {"first_day": first_day} if connection.station else {}
    options = {"connector": "source-file==0.5.39", "config": config, "decoder": connection.source, **dated}
    return replace(connection, source="airbyte", url="connector:", options=options)


@contextmanager
def opened(settings: Settings, folder: Path, data_dir: Path) -> Iterator[Job]:
    """A job with a landing zone and a store of its own; the connectors are those of `data_dir`."""
    mine = replace(
        settings, data_dir=data_dir, landing_url=str(folder / "landing"), store_url=f"sqlite:///{folder / 'm.db'}"
    )
    folder.mkdir()
    store = open_store(mine.store_url)
    yield Job(mine, open_landing(mine.landing_url, mine.landing_prefix), store)
    store.close()


def values(job: Job) -> Mapping[str, pl.DataFrame]:
    """Every report of every station, all its values and flags; which object they came from is another matter."""
    start, end = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    return {s.station.station_id: job.store.read(s.station.station_id, start, end) for s in job.store.stations()}


def assert_same(ours: Job, theirs: Job) -> None:
    one, other = values(ours), values(theirs)
    assert one.keys() == other.keys()
    for station, frame in one.items():
        columns = sorted(set(frame.columns) & set(other[station].columns))
        assert frame.height == other[station].height
        assert frame.select(columns).equals(other[station].select(columns)), station
    assert [s.station for s in ours.store.stations()] == [s.station for s in theirs.store.stations()]


def fates(report: RunReport) -> dict[str, int]:
    return {one.connection: one.records for one in report.connections}


def test_it_is_installed(source_file: Path) -> None:
    """By `barograph connector install` itself; the minutes that takes are this test's own."""
    assert version_of(source_file, "source-file") == "0.5.39"


@requires_real
def test_the_three_connections_give_the_same_record_as_our_own_sync(source_file: Path, tmp_path: Path) -> None:
    """4,950 reports; the days that the connector loses are inferred, which is said; a second sync finds no news."""
    settings = load(real_file("barograph.toml"), environ={})
    connections = {
        name: through_connector(connection, date(2024, 10, 1)) for name, connection in settings.connections.items()
    }
    assert {name: c.format for name, c in connections.items()} == {
        "meteo_ichtegem": "csv", "meteo_madeleine": "csv", "meteo_infoclimat": "jsonl"
    }  # fmt: skip
    with (
        opened(settings, tmp_path / "ours", tmp_path) as ours,
        opened(replace(settings, connections=connections), tmp_path / "theirs", source_file) as theirs,
    ):
        assert run(ours).reports.new == 4950
        report = run(theirs)
        assert (report.status, report.reports.new, report.reports.rejected) == ("done", 4950, 0)
        assert fates(report) == {"meteo_ichtegem": 1906, "meteo_madeleine": 1915, "meteo_infoclimat": 1}
        assert_same(ours, theirs)
        inferred = [entry for entry in theirs.store.logs(LogQuery(type="warning")) if "were inferred" in entry.msg]
        assert sorted(entry.context["station_id"] for entry in inferred) == ["IICHTE19", "ILAMAD25"]
        assert all("7 days to 2024-10-07" in entry.msg for entry in inferred)
        assert [one.status for one in run(theirs).connections] == ["unchanged"] * 3
        assert verify(theirs).proven


@requires_real
def test_a_wrong_or_missing_first_day_is_refused_with_an_explanation(source_file: Path, tmp_path: Path) -> None:
    """Landed it is; not one of its reports reaches the record."""
    settings = load(real_file("barograph.toml"), environ={})
    good = through_connector(settings.connections["meteo_ichtegem"], date(2024, 10, 1))
    without = {key: value for key, value in good.options.items() if key != "first_day"}
    for place, options, reason in (
        ("a", without, "its rows carry no date"),
        ("b", {**without, "first_day": date(2099, 1, 1)}, "it was read before"),
    ):
        connections = {"meteo_ichtegem": replace(good, options=options)}
        with opened(replace(settings, connections=connections), tmp_path / place, source_file) as job:
            report = run(job)
            assert report.reports.new == 0
            assert reason in report.errors[0]
            assert "first_day" in report.errors[0]


@pytest.mark.parametrize(("table_format", "start"), [("xlsx", date(2024, 10, 25)), ("csv", date(2024, 10, 25))])
def test_a_simulated_network_over_the_autumn_night(
    source_file: Path, tmp_path: Path, table_format: Any, start: date
) -> None:
    """Workbooks, whose days are inferred also on the night with 25 hours, CSV, which says them, and an answer."""
    network = simulate(tmp_path / "feeds", start=start, days=4, stations=3, step_minutes=15, table_format=table_format)
    settings = load(network.config, environ={})
    connections = {name: through_connector(connection, start) for name, connection in settings.connections.items()}
    with (
        opened(settings, tmp_path / "ours", tmp_path) as ours,
        opened(replace(settings, connections=connections), tmp_path / "theirs", source_file) as theirs,
    ):
        assert run(ours).reports.new == run(theirs).reports.new > 0
        assert_same(ours, theirs)


def test_what_is_wrong_with_a_file_is_the_connectors_own_message(source_file: Path, tmp_path: Path) -> None:
    """A file that is not there, and one that is no workbook: nothing is landed, and the reason is told."""
    (tmp_path / "no.xlsx").write_text("no workbook", encoding="utf-8")
    for name, path in (("gone", tmp_path / "gone.csv"), ("no", tmp_path / "no.xlsx")):
        connection = through_connector(Connection(name, "infoclimat", str(path), name), date(2024, 10, 1))
        settings = replace(load(environ={}), connections={name: connection})
        with opened(settings, tmp_path / name, source_file) as job:
            report = run(job)
            assert report.status == "failed"
            assert report.errors[0].startswith(f"{name}: connection {name}: the connector failed")
            assert job.zone.objects() == []
