"""Backups of both engines: what comes back is what was there; what is damaged is found before anything is touched."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient

from barograph.config import Retention
from barograph.errors import BackupError, SchemaError, StoreError, UsageError
from barograph.model import utc_now
from barograph.ops import backup as ops
from barograph.ops.backup.catalogue import instant_of, new_id
from barograph.ops.backup.drill import content_of
from barograph.ops.backup.prune import kept
from barograph.pipeline import Job, NoProgress, ingest, rebuild
from barograph.store import open_store
from barograph.store.base import DayKey, LogQuery, StationDay, Store
from tests.backup.conftest import NewJob
from tests.support.old_schema import make_version_1

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = {"objects", "runs", "logs", "stations", "reports"}


@pytest.fixture
def backups(tmp_path: Path) -> ops.Backups:
    return ops.open_backups(str(tmp_path / "backups"))


def drop(url: str) -> None:
    """The database is gone, with everything in it."""
    if url.startswith("sqlite"):
        for path in Path(url.removeprefix("sqlite:///")).parent.glob("meteo.db*"):
            path.unlink()
        return
    with MongoClient[dict[str, Any]](url) as client:
        client.drop_database(client.get_default_database().name)


def filled(job: Job) -> Job:
    """The job, after a run."""
    assert ingest(job).reports.new > 1000
    return job


def held(store: Store, place: ops.Backups) -> tuple[Any, ...]:
    """Everything that a store holds, as the digests of a new backup; and its validators, indexes or tables."""
    made = ops.create(store, place)
    digests = {name: (item.documents, item.sha256) for name, item in made.collections.items()}
    return digests, made.content, made.definitions


def test_a_dropped_store_comes_back_whole(store_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """Every document of every collection, validators and indexes are what they were, and a run finds nothing to do."""
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)
    assert (made.consistency, made.unfinished, made.engine) == ("unchanged", (), store_url.split(":", maxsplit=1)[0])
    assert made.run is not None
    assert made.run["run_id"] == job.store.runs(1)[0]["run_id"]
    assert {*made.collections} == COLLECTIONS
    before = held(job.store, backups)
    job.store.close()
    drop(store_url)
    with closing(open_store(store_url)) as empty:
        done = ops.restore(empty, backups, made.backup_id)
        assert done.written == made.content.days > 10
        assert held(empty, backups) == before
    again = new_job(store_url)
    report = ingest(again)
    assert (report.reports.rows, report.skipped) == (0, len(again.zone.objects()))
    assert content_of(again.store) == made.content


def test_an_empty_store_makes_no_backup(mongo_url: str, backups: ops.Backups) -> None:
    """A database that nothing was ever written to is refused: its backup would be the newest, before the good ones."""
    with closing(open_store(mongo_url)) as empty:
        with pytest.raises(BackupError, match="nothing to back up"):
            ops.create(empty, backups)
        assert backups.listed() == []


def test_one_engine_s_backup_is_the_other_s(
    store_url: str, other_url: Callable[[str], str], new_job: NewJob, backups: ops.Backups
) -> None:
    """A backup of SQLite is restored into MongoDB, and of MongoDB into SQLite: the same digests of every collection."""
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)
    with closing(open_store(other_url(store_url))) as other:
        ops.restore(other, backups, made.backup_id)
        digests, content, _ = held(other, backups)
        assert digests == {name: (item.documents, item.sha256) for name, item in made.collections.items()}
        assert content == made.content


def test_documentdb_s_backup_is_sqlite_s(
    documentdb_url: str, new_job: NewJob, backups: ops.Backups, tmp_path: Path
) -> None:
    """On a stand-in for DocumentDB: taken, drilled, restored into SQLite and back, without what it does not have."""
    job = filled(new_job(documentdb_url))
    made = ops.create(job.store, backups)
    assert made.consistency == "unchanged"
    assert ops.drill(job.store, backups, made.backup_id).current
    with closing(open_store(f"sqlite:///{tmp_path / 'other.db'}")) as other:
        ops.restore(other, backups, made.backup_id)
        again = ops.create(other, backups)
    job.store.delete_days()
    ops.restore(job.store, backups, again.backup_id, force=True)
    assert content_of(job.store) == made.content


def test_rebuilt_restored_and_live_are_one(store_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """The landing zone is the other way back: a record built anew from it has the content of the backup."""
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)
    rebuild(job)
    rebuilt = ops.create(job.store, backups)
    assert rebuilt.content == made.content == content_of(job.store)
    assert rebuilt.collections["runs"] != made.collections["runs"]


def test_any_value_changes_the_content(store_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """The digest of the content is not that of another record: one value a hundredth off, one flag, one station."""
    job = filled(new_job(store_url))
    before = content_of(job.store)
    key = DayKey("IICHTE19", date(2024, 10, 2))
    day = job.store.load_days([key])[key]
    name = next(c for c in day.frame.columns if day.frame[c].dtype.is_float())
    moved = day.frame.with_columns(pl.col(name) + 0.01)
    job.store.save_days([StationDay(key, day.revision, moved, day.sources)])
    changed = content_of(job.store)
    assert (changed.sha256 != before.sha256, changed.reports) == (True, before.reports)
    job.store.save_days([StationDay(key, day.revision + 1, day.frame, day.sources)])
    assert content_of(job.store) == before


def test_what_is_there_is_not_overwritten_unasked(store_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """A store that holds something is refused and left as it is; `force` makes it what the backup says."""
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)
    job.store.delete_days()
    with pytest.raises(BackupError, match="not empty"):
        ops.restore(job.store, backups, made.backup_id)
    assert content_of(job.store).days == 0
    ops.restore(job.store, backups, made.backup_id, force=True)
    assert content_of(job.store) == made.content


def test_what_was_added_by_hand_comes_back(mongo_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """An operator's own index and the expiry of logs are part of a backup."""
    job = filled(new_job(mongo_url))
    job.store.expire_logs(30)
    with MongoClient[dict[str, Any]](mongo_url) as client:
        reports = client.get_default_database()["reports"]
        reports.create_index([("last", -1), ("station_id", 1)], name="by_hand", sparse=True)
        made = ops.create(job.store, backups)
        ops.restore(job.store, backups, made.backup_id, force=True)
        indexes = reports.index_information()
        assert indexes["by_hand"]["key"] == [("last", -1), ("station_id", 1)]
        assert indexes["by_hand"]["sparse"]
        assert client.get_default_database()["logs"].index_information()["expiry"]["expireAfterSeconds"] == 2_592_000


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << (place % 8)
    path.write_bytes(bytes(data))


DAMAGES: dict[str, Callable[[Path, int], object]] = {
    "a flipped byte": flip,
    "missing": lambda path, _: path.unlink(),
    "truncated": os.truncate,
    "empty": lambda path, _: os.truncate(path, 0),
    "longer": lambda path, place: path.write_bytes(path.read_bytes() + bytes([place % 256])),
}
"""What can happen to a file; the number is a place in it."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_nothing_is_touched(store_url: str, new_job: NewJob, tmp_path: Path, damage: str) -> None:
    """Whichever object it strikes: `verify` names it, and even a forced restore leaves the target as it is."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)
    before = content_of(job.store)
    folder = tmp_path / "backups" / made.backup_id
    choose = random.Random(7)
    for path in sorted(folder.iterdir()):
        good = path.read_bytes()
        for _ in range(20 if damage == "a flipped byte" else 2):
            DAMAGES[damage](path, choose.randrange(len(good)))
            with pytest.raises(BackupError, match=path.name.replace(".", r"\.")) as caught:
                ops.verify(backups, made.backup_id)
            assert made.backup_id in str(caught.value)
            path.write_bytes(good)
        DAMAGES[damage](path, choose.randrange(len(good)))
        with pytest.raises(BackupError):
            ops.restore(job.store, backups, made.backup_id, force=True)
        path.write_bytes(good)
    assert content_of(job.store) == before
    assert job.store.schema().restoring is None
    assert ops.verify(backups, made.backup_id) == made


def test_a_backup_of_other_documents_is_no_backup(new_job: NewJob, tmp_path: Path) -> None:
    """Parts exchanged for well-formed ones of another backup are found, though each is sound in itself."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    job = filled(new_job(f"sqlite:///{tmp_path / 'meteo.db'}"))
    one = ops.create(job.store, backups)
    ingest(job)
    two = ops.create(job.store, backups)
    part = two.collections["runs"].parts[0].name
    data = (tmp_path / "backups" / two.backup_id / part).read_bytes()
    (tmp_path / "backups" / one.backup_id / part).write_bytes(data)
    with pytest.raises(BackupError, match=part):
        ops.verify(backups, one.backup_id)


KILLED = """
import os, signal, sys
from barograph.faces.cli.main import main
from barograph.store import mongo_archive, sqlite_archive
number = int(sys.argv.pop(1))
calls = 0
for owner in (mongo_archive.MongoRestoring, sqlite_archive.SqliteRestoring):
    for name in ("insert", "documents"):
        def deadly(self, *args, original=getattr(owner, name)):
            global calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, *args)
        setattr(owner, name, deadly)
main()
"""


@pytest.mark.parametrize("number", [1, 5, 8])
def test_a_killed_restore_is_cleared_by_the_next(store_url: str, new_job: NewJob, tmp_path: Path, number: int) -> None:
    """SIGKILL in the middle: SQLite is as before, MongoDB is marked and refused, and the next restore ends well."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)
    job.store.close()
    drop(store_url)
    words = ["--store", store_url, "--data-dir", str(tmp_path / "data"), "backup", "restore"]
    place = ["--backups", str(tmp_path / "backups")]
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(number), *words, *place], cwd=tmp_path, capture_output=True, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    with closing(open_store(store_url)) as store:
        if store_url.startswith("sqlite"):
            assert content_of(store).days == 0
        else:
            assert store.schema().restoring == made.backup_id
            uses: list[Callable[[], object]] = [
                store.stations,
                lambda: store.logs(LogQuery()),
                lambda: store.refresh_summaries(["IICHTE19"]),
                lambda: ops.create(store, backups),
                store.migrate,
            ]
            for use in uses:
                with pytest.raises(SchemaError, match=r"has not finished.*backup restore"):
                    use()
        ops.restore(store, backups, made.backup_id)
    with closing(open_store(store_url)) as store:
        assert content_of(store) == made.content
        assert store.schema().restoring is None
        assert len(store.stations()) == made.content.stations


def test_a_station_s_week_comes_back_among_the_others(store_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """Only the days that were chosen, over what is there only when forced; everything else stays as it is."""
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)
    first, last = date(2024, 10, 2), date(2024, 10, 3)
    keys = [DayKey("IICHTE19", first), DayKey("IICHTE19", last)]
    good = job.store.load_days(keys)
    job.store.save_days([replace(day, frame=day.frame.head(3)) for day in good.values()])
    chosen: dict[str, Any] = {"stations": ["IICHTE19"], "first": first, "last": last}
    with pytest.raises(BackupError, match=r"IICHTE19:2024-10-02 .*says something else"):
        ops.restore_part(job.store, backups, made.backup_id, **chosen)
    assert job.store.load_days(keys)[keys[0]].frame.height == 3
    done = ops.restore_part(job.store, backups, made.backup_id, **chosen, force=True)
    assert (done.written, done.unchanged) == (2, 0)
    assert {key: day.frame.equals(good[key].frame) for key, day in job.store.load_days(keys).items()} == dict.fromkeys(
        keys, True
    )
    again = ops.restore_part(job.store, backups, made.backup_id, **chosen)
    assert (again.written, again.unchanged) == (0, 2)
    assert content_of(job.store) == made.content
    with pytest.raises(UsageError, match="no such station-day"):
        ops.restore_part(job.store, backups, made.backup_id, stations=["nowhere"])


def test_a_station_comes_back_into_an_empty_store(store_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """With its description and its summary."""
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)
    before = [found for found in job.store.stations() if found.station.station_id == "07015"]
    job.store.close()
    drop(store_url)
    with closing(open_store(store_url)) as store:
        ops.restore_part(store, backups, made.backup_id, stations=["07015"])
        assert store.stations() == before


class Meanwhile(NoProgress):
    """Does something when a backup comes to a collection."""

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        self.name, self.act = name, act

    def item(self, name: str) -> None:
        if name == self.name:
            self.act()


def test_a_backup_during_a_run_is_completed_by_the_next(mongo_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """What is read while a run writes is told to be so, and is nothing worse than what a killed run leaves."""
    job, writer = new_job(mongo_url), new_job(mongo_url)
    job.store.migrate()
    rows: list[int] = []
    made = ops.create(job.store, backups, Meanwhile("stations", lambda: rows.append(ingest(writer).reports.new)))
    assert rows[0] > 1000
    assert made.consistency == "changing"
    live = content_of(job.store)
    ops.restore(job.store, backups, made.backup_id, force=True)
    ingest(new_job(mongo_url))
    assert content_of(job.store) == live


def test_a_backup_during_a_run_of_sqlite_is_the_state_before(
    tmp_path: Path, new_job: NewJob, backups: ops.Backups
) -> None:
    """One transaction reads everything."""
    url = f"sqlite:///{tmp_path / 'meteo.db'}"
    job, writer = new_job(url), new_job(url)
    made = ops.create(job.store, backups, Meanwhile("stations", lambda: ingest(writer)))
    assert (made.consistency, made.content.reports) == ("unchanged", 0)
    assert content_of(job.store).reports > 1000


def test_a_drill_restores_for_real_and_leaves_nothing(
    store_url: str, new_job: NewJob, backups: ops.Backups, tmp_path: Path
) -> None:
    """The newest backup is restored beside the live store and compared; the scratch is gone; the outcome stays."""
    job = filled(new_job(store_url))
    made = ops.create(job.store, backups)

    def places() -> set[str]:
        if store_url.startswith("sqlite"):
            return {path.name for path in tmp_path.iterdir()}
        with MongoClient[dict[str, Any]](store_url) as client:
            return set(client.list_database_names())

    before = places()
    found = ops.drill(job.store, backups, backups.choose(None))
    assert (found.restored, found.current) == (made.content, True)
    assert found.into != job.store.url
    assert places() == before
    (listed,) = backups.listed()
    assert listed.drilled is not None
    assert listed.drilled["ok"]
    job.store.delete_days()
    assert not ops.drill(job.store, backups, made.backup_id).current


def test_a_drill_into_a_store_of_one_s_choice(mongo_url: str, new_job: NewJob, tmp_path: Path) -> None:
    """A user who may not make databases drills elsewhere; that store is empty again afterwards."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    job = filled(new_job(mongo_url))
    made = ops.create(job.store, backups)
    scratch = f"sqlite:///{tmp_path / 'scratch.db'}"
    assert ops.drill(job.store, backups, made.backup_id, scratch=scratch).restored == made.content
    with closing(open_store(scratch)) as store:
        assert store.archive.held() == {}
        filled(new_job(scratch))
    with pytest.raises(BackupError, match="not empty"):
        ops.drill(job.store, backups, made.backup_id, scratch=scratch)


def test_a_drill_of_a_damaged_backup_is_remembered(new_job: NewJob, tmp_path: Path) -> None:
    """Its failure stands beside the backup."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    job = filled(new_job(f"sqlite:///{tmp_path / 'meteo.db'}"))
    made = ops.create(job.store, backups)
    flip(tmp_path / "backups" / made.backup_id / "reports-00000.bson.zst", 5000)
    with pytest.raises(BackupError, match="damaged"):
        ops.drill(job.store, backups, made.backup_id)
    told = backups.drilled(made.backup_id)
    assert told is not None
    assert not told["ok"]


def test_an_older_schema_can_be_backed_up(store_url: str, new_job: NewJob, backups: ops.Backups) -> None:
    """Before a migration one takes a backup, and it can be restored into a database of today."""
    job = filled(new_job(store_url))
    content = content_of(job.store)
    job.store.close()
    make_version_1(store_url)
    with closing(open_store(store_url)) as store:
        made = ops.create(store, backups)
        assert made.content == content
        assert made.schema_version == 1
        store.migrate()
        ops.restore(store, backups, made.backup_id, force=True)
        assert content_of(store) == content


def test_in_s3_as_in_a_folder(s3_bucket: str, tmp_path: Path, new_job: NewJob) -> None:
    """A backup in a bucket: taken, listed, verified, restored, pruned."""
    backups = ops.open_backups(f"s3://{s3_bucket}/nightly/meteo")
    job = filled(new_job(f"sqlite:///{tmp_path / 'meteo.db'}"))
    made = ops.create(job.store, backups)
    assert [item.manifest for item in backups.listed()] == [made]
    assert ops.verify(backups, made.backup_id) == made
    ops.restore(job.store, backups, made.backup_id, force=True)
    assert content_of(job.store) == made.content
    second = ops.create(job.store, backups)
    removed, stayed = ops.prune(backups, Retention(1, 0, 0))
    assert (removed, stayed) == ([made.backup_id], [second.backup_id])
    assert [item.backup_id for item in backups.listed()] == [second.backup_id]


def test_a_part_is_plain_bson(new_job: NewJob, tmp_path: Path) -> None:
    """What a part unpacks to is BSON as MongoDB's own tools read it, whole documents in each part."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    job = filled(new_job(f"sqlite:///{tmp_path / 'meteo.db'}"))
    made = ops.create(job.store, backups, part_bytes=50_000)
    parts = made.collections["reports"].parts
    assert len(parts) > 3
    found = []
    for part in parts:
        packed = (tmp_path / "backups" / made.backup_id / part.name).read_bytes()
        found += bson.decode_all(zstandard.ZstdDecompressor().decompressobj().decompress(packed))
    assert len(found) == made.content.days
    assert sum(document["count"] for document in found) == made.content.reports
    assert [document["_id"] for document in found] == sorted(document["_id"] for document in found)
    assert all("writer" not in document for document in found)


IDS = st.lists(
    st.datetimes(datetime(2020, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)).map(new_id), unique=True
)


@given(IDS, st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_pruning_keeps_what_it_promises(ids: list[str], daily: int, weekly: int, monthly: int) -> None:
    """The newest of all and of each of the last days stays, no more than promised; a second time removes none."""
    retention = Retention(daily, weekly, monthly)
    stay = kept(ids, retention)
    assert stay <= set(ids)
    assert not ids or max(ids) in stay
    assert len(stay) <= max(1, daily + weekly + monthly)
    assert kept(sorted(stay), retention) == stay
    days: dict[date, str] = {}
    for name in sorted(ids):
        days[instant_of(name).date()] = name
    assert set(sorted(days.values(), reverse=True)[:daily]) <= stay


def test_pruning_removes_what_was_broken_off(tmp_path: Path, new_job: NewJob) -> None:
    """A backup without a manifest goes when it is a day old, not while it may be being made; all else is let alone."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    job = filled(new_job(f"sqlite:///{tmp_path / 'meteo.db'}"))
    made = ops.create(job.store, backups)
    old, young = (new_id(utc_now() - timedelta(hours=hours)) for hours in (25, 1))
    for name in (old, young, "mine"):
        (tmp_path / "backups" / name).mkdir()
        (tmp_path / "backups" / name / "reports-00000.bson.zst").write_bytes(b"x")
    assert ops.prune(backups, Retention(), dry_run=True)[0] == [old]
    assert old in backups.contents()
    assert ops.prune(backups, Retention())[0] == [old]
    assert {*backups.contents()} == {young, made.backup_id}
    assert (tmp_path / "backups" / "mine" / "reports-00000.bson.zst").exists()
    assert backups.choose(None) == made.backup_id


def test_a_place_without_backups_says_so(tmp_path: Path, s3_bucket: str) -> None:
    """Nothing to restore, an unknown id, a bucket that is not there: each in words."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    with pytest.raises(BackupError, match="there is no backup"):
        backups.choose(None)
    with pytest.raises(BackupError, match="no backup '20240101T000000000Z'"):
        backups.choose("20240101T000000000Z")
    with pytest.raises(BackupError, match="no-such-bucket"):
        ops.open_backups("s3://no-such-bucket-here").contents()


def test_a_failing_store_leaves_no_whole_backup(tmp_path: Path, new_job: NewJob) -> None:
    """When the store fails in the middle there is no manifest, so nothing takes the rest for a backup."""
    backups = ops.open_backups(str(tmp_path / "backups"))
    job = filled(new_job(f"sqlite:///{tmp_path / 'meteo.db'}"))

    def fail() -> None:
        raise StoreError("gone")

    with pytest.raises(StoreError, match="gone"):
        ops.create(job.store, backups, Meanwhile("reports", fail))
    (listed,) = backups.listed()
    assert listed.manifest is None
    assert "not whole" in (listed.problem or "")
