"""The job over an embedded store: late extractions, concurrent runs, summaries after a kill, stream hygiene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from barograph.config import Connection, Settings
from barograph.errors import UsageError
from barograph.landing import LandingZone, StreamWriter, land, open_landing
from barograph.model import RunReport, Station
from barograph.pipeline import Job, ingest, rebuild, sync, verify
from barograph.store import open_store
from barograph.store.base import LogQuery, Store
from tests.decode.helpers import row

NOW = datetime(2026, 11, 1, tzinfo=UTC)
START, END = datetime(2024, 9, 1, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One station, two streams that may both hold it."""
    connections = {
        name: Connection(name, "wunderground-table", "unused", name, station="IICHTE19") for name in ("one", "two")
    }
    stations = {"IICHTE19": Station("IICHTE19", timezone="Europe/Brussels")}
    url = f"sqlite:///{tmp_path / 'm.db'}"
    return Settings(tmp_path, str(tmp_path / "landing"), "p", url, stations=stations, connections=connections)


@pytest.fixture
def job(settings: Settings) -> Iterator[Job]:
    """A job over a fresh landing zone and store."""
    store = open_store(settings.store_url)
    yield Job(settings, open_landing(settings.landing_url, "p"), store)
    store.close()


def put(zone: LandingZone, day: int, *records: dict[str, Any], stream: str = "one") -> str:
    """Land an extraction of November `day`."""
    landed = land(zone, stream, list(records), started=NOW + timedelta(days=day))
    return landed.objects[0]


def temperatures(store: Store) -> dict[str, float]:
    """UTC time -> temperature."""
    frame = store.read("IICHTE19", START, END)
    times = frame.get_column("utc_time").dt.strftime("%d %H:%M").to_list()
    return dict(zip(times, frame.get_column("temperature").to_list(), strict=True))


def cell(value: float) -> str:
    """As the table writes it."""
    return f"{value}\u00a0°F"


def fate(report: RunReport) -> tuple[int, int, int, int]:
    """new, changed, unchanged, rejected."""
    counts = report.reports
    return counts.new, counts.changed, counts.unchanged, counts.rejected


def test_a_late_extraction_does_not_undo_a_confirmed_value(job: Job) -> None:
    """1 says 50, 3 confirms it (nothing is written), 2 arrives last and says 41: the record stays at 50 °F = 10 °C."""
    late = open_landing("memory://late", "p")
    put(job.zone, 1, row(Temperature=cell(50)))
    put(late, 2, row(Temperature=cell(41)), stream="two")
    put(job.zone, 3, row(Temperature=cell(50)), row("00:09:00"))
    assert fate(ingest(job)) == (2, 0, 1, 0)
    (item,) = late.objects()
    job.zone.create(item.key, late.read(item.key))
    assert fate(ingest(job)) == (0, 0, 1, 0)
    assert temperatures(job.store)["30 22:04"] == 10.0
    assert verify(job).proven


def test_a_correction_changes_exactly_its_report(job: Job) -> None:
    """And the day's other reports keep their provenance."""
    first = put(job.zone, 1, row(), row("00:09:00"))
    ingest(job)
    second = put(job.zone, 2, row(), row("00:09:00", Temperature=cell(50)))
    assert fate(ingest(job)) == (0, 1, 1, 0)
    frame = job.store.read("IICHTE19", START, END, provenance=True)
    assert frame.get_column("temperature").to_list() == [13.78, 10.0]
    assert frame.get_column("origin").to_list() == [first, second]


def test_overlapping_streams_of_a_station_merge(job: Job) -> None:
    """Values from both, the later extraction over the earlier one."""
    put(job.zone, 1, row(), row("00:09:00"), stream="one")
    put(job.zone, 2, row("00:09:00", Temperature=cell(50)), row("00:14:00"), stream="two")
    assert fate(ingest(job)) == (3, 1, 0, 0)
    assert temperatures(job.store) == {"30 22:04": 13.78, "30 22:09": 10.0, "30 22:14": 13.78}


def test_a_run_that_overlaps_another_sees_its_extractions(job: Job, settings: Settings) -> None:
    """A newer extraction that another run confirms while a late one is being stored wins in the end."""
    put(job.zone, 1, row(Temperature=cell(50)))
    ingest(job)
    other_store = open_store(settings.store_url)
    other = Job(settings, job.zone, other_store)

    class Meanwhile:
        """A progress that lets the other run happen in the middle of this one."""

        def start(self, stage: str, total: int) -> None:  # noqa: ARG002 - the protocol's signature
            if stage == "ingest":
                put(job.zone, 3, row(Temperature=cell(50)), row("00:09:00"), stream="two")
                ingest(other)

        def item(self, name: str) -> None:
            pass

        def advance(self, amount: int) -> None:
            pass

        def finish(self) -> None:
            pass

    late = open_landing("memory://meanwhile", "p")
    put(late, 2, row(Temperature=cell(41)))
    (item,) = late.objects()
    job.zone.create(item.key, late.read(item.key))
    ingest(replace(job, progress=Meanwhile()))
    other_store.close()
    assert temperatures(job.store) == {"30 22:04": 10.0, "30 22:09": 13.78}


def test_summaries_are_mended_after_a_run_that_died(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the last ledger entry and before the sums, the next run sums up, although it ingests nothing."""
    put(job.zone, 1, row())

    def die(self: Store, station_ids: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(job.store), "refresh_summaries", die)
        with pytest.raises(KeyboardInterrupt):
            ingest(job)
    bare = replace(job, settings=replace(job.settings, stations={}))
    assert job.store.stations()[0].summary.count == 0
    connections = {"one": replace(job.settings.connections["one"], station=None, source="infoclimat")}
    ingest(replace(bare, settings=replace(bare.settings, connections=connections)))
    assert job.store.stations()[0].summary.count == 1


def test_rebuild_gives_the_same_record(job: Job) -> None:
    """Emptied and built anew, in any number of generations."""
    for day, value in ((1, 50), (2, 41), (3, 41)):
        put(job.zone, day, row(Temperature=cell(value)), row(f"00:{day + 10}:00"))
        ingest(job)
    before = job.store.read("IICHTE19", START, END)
    assert rebuild(job).reports.new > 0
    assert job.store.read("IICHTE19", START, END).equals(before)


def test_a_vanished_report_is_kept_and_logged(job: Job) -> None:
    """The record does not forget what a source said once."""
    put(job.zone, 1, row(), row("00:09:00"), row("00:14:00"))
    put(job.zone, 2, row(), row("00:14:00"))
    ingest(job)
    assert len(temperatures(job.store)) == 3
    assert any("no longer in the source" in entry.msg for entry in job.store.logs(LogQuery(type="warning")))


def missed(store: Store) -> list[str]:
    return [entry.msg for entry in store.logs(LogQuery(type="warning")) if "no longer in the source" in entry.msg]


def test_an_incremental_batch_says_what_is_new_and_no_more(job: Job) -> None:
    """A report that a batch does not repeat has not vanished from its source."""
    for day, records in ((1, [row(), row("00:09:00"), row("00:14:00")]), (2, [row(), row("00:19:00")])):
        with closing(StreamWriter(job.zone, "one", started=NOW + timedelta(days=day))) as writer:
            for record in records:
                writer.add(record)
            writer.checkpoint({"day": day})
            writer.finish()
        ingest(job)
    assert len(temperatures(job.store)) == 4
    assert missed(job.store) == []


def test_a_part_of_an_export_is_not_all_of_it(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generation that was cut into parts holds the reports all the same."""
    monkeypatch.setattr("barograph.landing.spool.PART_BYTES", 10)
    put(job.zone, 1, row(), row("00:09:00"), row("00:14:00"))
    put(job.zone, 2, row(), row("00:09:00"), row("00:14:00", Temperature=cell(41)))
    ingest(job)
    assert len(job.zone.objects()) == 6
    assert missed(job.store) == []


def test_a_stream_that_no_connection_names_is_not_ingested_in_silence(job: Job) -> None:
    """It is left alone, and said."""
    put(job.zone, 1, row(), stream="stranger")
    assert fate(ingest(job)) == (0, 0, 0, 0)
    assert any("'stranger'" in entry.msg for entry in job.store.logs(LogQuery(type="warning")))


def test_an_unknown_connection_is_named(job: Job) -> None:
    """With those that exist."""
    with pytest.raises(UsageError, match=r"no connection 'three'.*known are one, two"):
        sync(job, ["three"])
