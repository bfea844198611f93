"""The cause of each gap, produced by the job itself: late, failed, rejected, not in the source; and gone again."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barograph.config import Settings, load
from barograph.landing import land, open_landing
from barograph.messages import Record
from barograph.pipeline import Job, ingest, rebuild, run
from barograph.query import completeness
from barograph.simulate import SimulatedNetwork, load_truth, simulate
from barograph.sources import Access, ReadRequest, open_source
from barograph.store import open_store

STATION = "IICHTE19"
ZONE = "Europe/Brussels"
READ = datetime(2024, 10, 3, 8, tzinfo=UTC)
NOW = datetime(2024, 10, 5, 12, tzinfo=UTC)


class Feed:
    """One simulated station of five days, whose export can be cut short, taken away and put back."""

    def __init__(self, folder: Path, faults: tuple[str, ...] = (), store: str | None = None) -> None:
        self.network = simulate(
            folder / "feeds", start=date(2024, 10, 1), days=5, stations=1, faults=faults, table_format="csv"
        )
        self.settings: Settings = load(self.network.config, data_dir=folder / "data", store=store, environ={})
        (self.connection,) = self.settings.connections.values()
        self.path = Path(self.connection.url)
        shutil.copy(self.path, folder / "whole.csv")
        self.whole = folder / "whole.csv"
        self.settings.data_dir.mkdir()
        self.store = open_store(self.settings.store_url)
        self.job = Job(self.settings, open_landing(self.settings.landing_url, "meteo_sync"), self.store)

    def records(self) -> list[dict[str, Any]]:
        source = open_source(self.connection, Access(self.settings.limits, self.settings.data_dir))
        return [message.data for message in source.read(ReadRequest(now=READ)) if isinstance(message, Record)]

    def land_until(self, day: str, *, started: datetime = READ) -> None:
        """What the source said at an earlier time: its rows before a local day."""
        known = [record for record in self.records() if record["Date"][:10] < day]
        land(self.job.zone, self.connection.stream, known, started=started)

    def frame(self, first: str = "2024-10-01", last: str = "2024-10-05", now: datetime = NOW) -> pl.DataFrame:
        return completeness(self.store, [STATION], first, last, now=now)

    def causes(self, first: str = "2024-10-01", last: str = "2024-10-05", now: datetime = NOW) -> dict[str, int]:
        """How many reports are missing, by cause."""
        found: Counter[str] = Counter()
        for gap in gaps(self.frame(first, last, now)):
            found[gap["cause"]] += gap["expected"]
        return dict(found)


def gaps(frame: pl.DataFrame) -> list[dict[str, Any]]:
    found = frame.select("day", "gaps").explode("gaps").drop_nulls().unnest("gaps")
    assert_sums(frame)
    return found.rows(named=True)


def assert_sums(frame: pl.DataFrame) -> None:
    """What holds of every frame: the gaps are what is missing, and lie in their day."""
    for row in frame.iter_rows(named=True):
        assert 0 <= row["received"] <= row["expected"]
        assert sum(gap["expected"] for gap in row["gaps"]) == row["expected"] - row["received"]
        assert row["received_late"] <= row["received"]
        for gap in row["gaps"]:
            assert gap["start"] < gap["end"]
            assert gap["start"].date() <= row["day"] + timedelta(days=1)


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    made = Feed(tmp_path)
    with closing(made.store):
        yield made


def test_late_then_failed_then_complete(feed: Feed) -> None:
    """What nothing has asked for is late; a sync that cannot read the source says so; the next good one fills it."""
    feed.land_until("2024-10-03")
    ingest(feed.job)
    before = feed.frame("2024-10-01", "2024-10-02")
    later = feed.causes("2024-10-04", "2024-10-04")
    assert later == {"late": 288}
    assert feed.causes("2024-10-03", "2024-10-03")["late"] > 0
    feed.path.unlink()
    assert run(feed.job).status == "failed"
    assert feed.causes("2024-10-04", "2024-10-04") == {"sync failed": 288}
    shutil.copy(feed.whole, feed.path)
    assert run(feed.job).status == "done"
    whole = feed.frame("2024-10-04", "2024-10-04").row(0, named=True)
    known = load_truth(feed.network.out_dir).reports.get_column("utc_time").dt.convert_time_zone(ZONE).dt.date()
    assert (whole["expected"], whole["reports"]) == (288, int((known == date(2024, 10, 4)).sum()))
    assert set(feed.causes()) <= {"source had none"}
    assert whole["received_late"] == whole["received"], "they came two years after their instant"
    assert feed.frame("2024-10-01", "2024-10-02").drop("received_late").equals(before.drop("received_late"))


def test_the_day_that_the_source_was_read_on_has_two_gaps(feed: Feed) -> None:
    """Up to the extraction the source had none; since then nothing has asked."""
    feed.land_until("2024-10-03")
    ingest(feed.job)
    (none, late) = gaps(feed.frame("2024-10-03", "2024-10-03"))
    assert (none["cause"], late["cause"]) == ("source had none", "late")
    assert none["start"] < READ < late["start"] == none["end"]
    assert late["end"] == datetime(2024, 10, 3, 22, tzinfo=UTC)
    assert none["expected"] + late["expected"] == 288


def test_the_running_day_is_due_up_to_now(feed: Feed) -> None:
    """Of today only what was due by now; nothing of tomorrow."""
    feed.land_until("2024-10-03")
    ingest(feed.job)
    frame = feed.frame("2024-10-02", "2024-10-04", now=READ)
    assert frame.get_column("expected").to_list()[0] == 288
    # 00:00 to 10:00 local time.
    assert frame.get_column("expected").to_list()[1] == 120
    assert frame.get_column("expected").to_list()[2] == 0
    assert frame.get_column("share").to_list()[2] is None
    assert feed.causes("2024-10-03", "2024-10-04", READ) == {"source had none": 120}


def test_nothing_is_expected_before_the_first_report(feed: Feed) -> None:
    """A station that began in the middle of a day lacks nothing of its morning."""
    records = [record for record in feed.records() if record["Date"][:10] == "2024-10-02" and record["Time"] >= "12:00"]
    land(feed.job.zone, feed.connection.stream, records, started=READ)
    ingest(feed.job)
    first, second = feed.frame("2024-10-01", "2024-10-02").iter_rows(named=True)
    assert (first["expected"], first["gaps"], first["share"]) == (0, [], None)
    assert second["expected"] == 144


def test_an_unchanged_sync_says_that_there_was_nothing(feed: Feed) -> None:
    """A source that says again what it has said was asked: its silence since is its own."""
    run(feed.job)
    now = datetime.now(UTC) + timedelta(days=1)
    yesterday = (now - timedelta(days=2)).date().isoformat()
    assert run(feed.job).connections[0].status == "unchanged"
    assert set(feed.causes(yesterday, yesterday, now)) == {"source had none"}
    tomorrow = now.astimezone(UTC).date().isoformat()
    assert set(feed.causes(tomorrow, tomorrow, now)) == {"late"}


def test_an_answer_that_does_not_reach_back_leaves_the_failure(feed: Feed) -> None:
    """A source that tells only its last day: what a failed sync missed stays missed when it answers again."""
    feed.land_until("2024-10-02", started=datetime(2024, 10, 1, 22, tzinfo=UTC))
    ingest(feed.job)
    feed.path.unlink()
    run(feed.job)
    shutil.copy(feed.whole, feed.path)
    last = [record for record in feed.records() if record["Date"][:10] == "2024-10-05"]
    land(feed.job.zone, feed.connection.stream, last, started=datetime.now(UTC))
    ingest(feed.job)
    assert feed.causes("2024-10-03", "2024-10-03") == {"sync failed": 288}


def test_a_backfill_says_nothing_of_what_came_after_it(feed: Feed) -> None:
    """An older day that is fetched again later fills its gap; nothing was asked of the days since the last sync."""
    days = {day: [r for r in feed.records() if r["Date"][:10] == f"2024-10-0{day}"] for day in (1, 2, 3)}
    land(feed.job.zone, feed.connection.stream, days[1] + days[3], started=READ + timedelta(days=1))
    ingest(feed.job)
    assert feed.causes("2024-10-02", "2024-10-02") == {"source had none": 288}
    assert feed.causes("2024-10-05", "2024-10-05") == {"late": 168}
    before = feed.causes("2024-10-03", "2024-10-05")
    land(feed.job.zone, feed.connection.stream, days[1], started=NOW)
    land(feed.job.zone, feed.connection.stream, days[2][:144], started=NOW + timedelta(minutes=1))
    ingest(feed.job)
    assert feed.causes("2024-10-02", "2024-10-02") == {"source had none": 144}
    assert feed.causes("2024-10-03", "2024-10-05") == before


def test_what_an_ingest_refuses_as_a_whole_was_rejected(feed: Feed) -> None:
    """An object that cannot be read at all is no answer: until it can, its days were rejected."""
    feed.land_until("2024-10-03")
    ingest(feed.job)
    undated = [{key: value for key, value in record.items() if key != "Date"} for record in feed.records()]
    land(feed.job.zone, feed.connection.stream, undated, started=NOW)
    assert ingest(feed.job).objects[0].status == "failed"
    assert feed.causes("2024-10-04", "2024-10-04") == {"rejected": 288}


def faulty(tmp_path: Path) -> tuple[Feed, SimulatedNetwork]:
    made = Feed(tmp_path, ("unparsable", "time", "gap", "unparsable", "humidity", "duplicate", "blank-rows"))
    return made, made.network


def test_every_injected_fault_has_its_cause(tmp_path: Path) -> None:
    """A rejected row is one report rejected, at its instant or on its day; a day without rows is the source's.

    The record's other reports are received, and a rebuild tells the same.
    """
    feed, network = faulty(tmp_path)
    with closing(feed.store):
        assert run(feed.job).status == "incomplete"
        found = gaps(feed.frame())
        rejected = [gap for gap in found if gap["cause"] == "rejected"]
        assert sum(gap["expected"] for gap in rejected) == network.rejected > 0
        for fault in network.faults:
            if fault.name == "unparsable":
                assert [gap for gap in rejected if gap["start"] <= fault.utc_time <= gap["end"]], fault
            elif fault.name == "time":
                day = next(row["Date"][:10] for row in feed.records() if row.get("Time", "").startswith("25:61"))
                assert [gap for gap in rejected if gap["day"].isoformat() == day], fault
            elif fault.name == "gap":
                assert fault.utc_time is not None
                day = (fault.utc_time + timedelta(hours=2)).date()
                whole = [gap for gap in found if gap["day"] == day]
                assert [(gap["cause"], gap["expected"]) for gap in whole] == [("source had none", 288)]
        assert not [gap for gap in found if gap["cause"] in ("sync failed", "late")]
        assert int(feed.frame().get_column("reports").sum()) == network.reports
        frame = feed.frame()
        rebuild(feed.job)
        assert feed.frame().equals(frame)


def test_both_engines_tell_the_same(tmp_path: Path, mongo_url: str) -> None:
    """The same feeds, with rejected rows and a failed sync, in SQLite and in MongoDB."""
    frames = []
    for name, url in (("sqlite", None), ("mongodb", mongo_url)):
        (folder := tmp_path / name).mkdir()
        feed = Feed(folder, ("unparsable", "time", "gap"), store=url)
        with closing(feed.store):
            feed.land_until("2024-10-05")
            ingest(feed.job)
            feed.path.unlink()
            run(feed.job)
            frames.append(feed.frame())
    assert {gap["cause"] for gap in gaps(frames[0])} == {"source had none", "rejected", "sync failed"}
    assert frames[0].equals(frames[1])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_missing_rows_fill_their_gap_in_any_order(feed: Feed, order: tuple[int, ...]) -> None:
    """Three objects with every third row of a day: each leaves its part, and with the last one nothing is missing."""
    rows = [record for record in feed.records() if record["Date"][:10] == "2024-10-02"]
    missing = []
    for number, part in enumerate(order):
        started = READ + timedelta(hours=number)
        land(feed.job.zone, feed.connection.stream, rows[part::3], started=started)
        ingest(feed.job)
        frame = completeness(feed.store, [STATION], "2024-10-02", intervals={STATION: 5}, now=NOW)
        assert_sums(frame)
        missing.append(frame.item(0, "expected") - frame.item(0, "received"))
        assert frame.item(0, "reports") == sum(len(rows[done::3]) for done in order[: number + 1])
    assert missing[0] > missing[1] > missing[2]
    assert missing[2] <= 288 - len(rows) + 2
