"""The SQLite engine's own promises: durability, locks, and errors in words."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from barograph.errors import StoreError, StoreUnavailable
from barograph.model import LogEntry
from barograph.store import arrow_day, open_store
from barograph.store.base import DayKey, LogQuery
from barograph.store.sqlite import SqliteStore
from tests.support.days import DAY, EXTRACTED, SOURCES, at, day_of, frame_of

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one day."""
    path = tmp_path / "meteo.db"
    with closing(SqliteStore(path)) as store:
        store.save_days([day_of(temperature=[1.0, 2.0])])
    return path


def change(path: Path, *statements: str) -> None:
    """Run SQL on the file behind the engine's back."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_relative_path_means_the_folder_it_was_opened_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sqlite:///name is relative, sqlite:////name absolute; folders are made, and odd names are only names."""
    monkeypatch.chdir(tmp_path)
    with closing(open_store("sqlite:///a folder/météo #1?x=%20.db")) as store:
        monkeypatch.chdir("/")
        store.save_days([day_of(temperature=[1.0])])
        assert store.url == f"sqlite:///{tmp_path}/a folder/météo #1?x=%20.db"
    assert (tmp_path / "a folder" / "météo #1?x=%20.db").stat().st_size > 0
    with closing(open_store(store.url)) as store:
        assert len(list(store.days("IICHTE19", DAY, NEXT))) == 1


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """Neither text, nor a folder, nor another program's database is taken or overwritten."""
    text = tmp_path / "notes.db"
    text.write_text("not a database, but longer than the header of one: " * 30)
    with pytest.raises(StoreError, match=r"notes\.db.*not a SQLite database"):
        open_store(f"sqlite:///{text}")
    assert text.read_text().startswith("not a database")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path}")
    foreign = tmp_path / "browser.db"
    change(foreign, "CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(StoreError, match="another program"):
        open_store(f"sqlite:///{foreign}")
    with pytest.raises(StoreError, match="folder"):
        open_store(f"sqlite:///{text}/meteo.db")


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """What `touch` or mktemp made is as good as no file."""
    (tmp_path / "meteo.db").touch()
    with closing(open_store(f"sqlite:///{tmp_path / 'meteo.db'}")) as store:
        assert store.stations() == []


def test_a_newer_schema_is_left_alone(path: Path) -> None:
    """A file that a later barograph wrote asks for an upgrade."""
    change(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"version 99.*upgrade"):
        SqliteStore(path)


def test_a_damaged_file_says_how_to_go_on(path: Path) -> None:
    """Pages overwritten with noise are an error with advice, not wrong values and not a crash."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with pytest.raises(StoreError, match=r"damaged.*rebuild"), closing(SqliteStore(path)) as store:
        store.read("IICHTE19", at(DAY), at(NEXT))


@pytest.mark.parametrize("column", ["reports", "provenance"])
@pytest.mark.parametrize("blob", ["X''", "X'FFFFFFFF10000000'", "substr({column}, 1, length({column}) / 2)", "'text'"])
def test_a_damaged_day_is_named(path: Path, column: str, blob: str) -> None:
    """A blob that is not a whole Arrow stream is an error that names the day; other days are served."""
    with closing(SqliteStore(path)) as store:
        store.save_days([day_of(day=NEXT, temperature=[3.0])])
        change(path, f"UPDATE reports SET {column} = {blob.format(column=column)} WHERE day = '{DAY}'")
        key = DayKey("IICHTE19", DAY)
        with pytest.raises(StoreError, match=str(key)):
            store.load_days([key])
        with pytest.raises(StoreError, match=f"IICHTE19 {DAY} to {NEXT}"):
            store.read("IICHTE19", at(DAY), at(NEXT, 1), provenance=True)
        assert store.read("IICHTE19", at(NEXT), at(NEXT, 1))["temperature"].to_list() == [3.0]


def test_a_day_with_another_count_is_damaged(path: Path) -> None:
    """A blob that has fewer rows than its row says is not passed off as the day."""
    change(path, "UPDATE reports SET count = 3")
    with closing(SqliteStore(path)) as store, pytest.raises(StoreError, match="damaged"):
        store.read("IICHTE19", at(DAY), at(NEXT))


def test_a_column_of_a_later_version_is_not_thrown_away(path: Path) -> None:
    """A day with a variable that we do not know cannot be loaded for a merge, which would write it without."""
    later = frame_of({"utc_time": [at(DAY), at(DAY, 1)]}).with_columns(radon=pl.lit(1.0))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE reports SET reports = ?", (arrow_day.encode(later.get_columns()),))
        connection.commit()
    with closing(SqliteStore(path)) as store:
        with pytest.raises(StoreError, match=r"radon.*upgrade"):
            store.load_days([DayKey("IICHTE19", DAY)])
        assert store.read("IICHTE19", at(DAY), at(NEXT)).height == 2


def test_readers_pass_a_writer_and_writers_give_up_in_time(path: Path) -> None:
    """While another process holds the write lock, reading goes on and saving is StoreUnavailable after `patience`."""
    with (
        closing(SqliteStore(path, patience=0.2)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert store.read("IICHTE19", at(DAY), at(NEXT)).height == 2
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"locked for 0\.2 s") as caught:
            store.save_days([day_of(day=NEXT, temperature=[1.0])])
        assert 0.1 < time.monotonic() - begun < 5
        assert caught.value.retryable
        other.execute("ROLLBACK")
        assert store.save_days([day_of(day=NEXT, temperature=[1.0])]) == set()


def open_at_once(path: Path, gate: str) -> None:
    """Wait for the starting shot, then create or open the store."""
    while not Path(gate).exists():
        time.sleep(0.001)
    with closing(SqliteStore(path)) as store:
        store.put_logs([LogEntry(str(os.getpid()), EXTRACTED, "info", "here")])


def test_several_processes_may_create_one_file(tmp_path: Path) -> None:
    """Whoever comes first makes the schema; nobody fails."""
    spawn = multiprocessing.get_context("spawn")
    path, gate = tmp_path / "meteo.db", tmp_path / "gate"
    processes = [spawn.Process(target=open_at_once, args=(path, str(gate))) for _ in range(3)]
    for process in processes:
        process.start()
    gate.touch()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with closing(SqliteStore(path)) as store:
        assert len(store.logs(LogQuery())) == 3


WRITER = """
    import sys
    from datetime import timedelta
    from pathlib import Path
    from barograph.store.sqlite import SqliteStore
    from tests.support.days import DAY, day_of

    store = SqliteStore(Path(sys.argv[1]))
    for number in range(10_000):
        day = DAY + timedelta(days=number)
        pair = [day_of(station, day, temperature=[float(number)] * 24) for station in ("A", "B")]
        assert store.save_days(pair) == set()
        print(number, flush=True)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that saves day after day of two stations and prints the number of each saved day."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "meteo.db")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process
        process.kill()


def test_a_killed_writer_leaves_whole_days(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    """SIGKILL at any instant: every save that returned is there, and none is there in part."""
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == 30:
            break
    writer.kill()
    writer.wait()
    done = max([30, *(int(line) for line in writer.stdout.read().split())])
    with closing(SqliteStore(tmp_path / "meteo.db")) as store:
        span = (DAY, DAY + timedelta(days=10_000))
        kept = [[day.frame["temperature"].to_list() for day in store.days(station, *span)] for station in "AB"]
    assert kept[0] == kept[1]
    assert len(kept[0]) in (done + 1, done + 2)
    assert all(cells == [float(number)] * 24 for number, cells in enumerate(kept[0]))


def fill_up(path: Path, outcome: multiprocessing.Queue[str]) -> None:
    """Save days while no file may grow beyond 1 MiB, as on a full disk; tell the error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    with closing(SqliteStore(path)) as store:
        try:
            for number in range(2_000):
                store.save_days([day_of(day=DAY + timedelta(days=number), temperature=[1.5] * 24)])
        except StoreError as error:
            outcome.put(str(error))
        else:
            outcome.put("no error")


def test_a_full_disk_is_an_error_and_loses_nothing(path: Path) -> None:
    """The save that no longer fits fails in words; all before it are there."""
    spawn = multiprocessing.get_context("spawn")
    outcome: multiprocessing.Queue[str] = spawn.Queue()
    process = spawn.Process(target=fill_up, args=(path, outcome))
    process.start()
    message = outcome.get(timeout=60)
    process.join(60)
    assert "full" in message
    assert str(path) in message
    with closing(SqliteStore(path)) as store:
        kept = [day.key.day for day in store.days("IICHTE19", DAY, DAY + timedelta(days=2_000))]
    assert kept == [DAY + timedelta(days=number) for number in range(len(kept))]
    assert len(kept) > 1


def read_as_nobody(path: Path, outcome: multiprocessing.Queue[str]) -> None:
    """Read and try to save as a user who may not write the file (root gives its rights up for that)."""
    if os.geteuid() == 0:
        os.setuid(65534)
    with closing(SqliteStore(path)) as store:
        outcome.put(str(store.read("IICHTE19", at(DAY), at(NEXT)).height))
        try:
            store.save_days([day_of(day=NEXT, temperature=[1.0])])
        except StoreError as error:
            outcome.put(str(error))
        else:
            outcome.put("saved")


def test_a_read_only_file_can_be_read() -> None:
    """Reading works where the file may not be written; saving says why it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "meteo.db"
        with closing(SqliteStore(path)) as store:
            store.save_days([day_of(temperature=[1.0, 2.0])])
        path.chmod(0o444)
        path.parent.chmod(0o777)
        spawn = multiprocessing.get_context("spawn")
        outcome: multiprocessing.Queue[str] = spawn.Queue()
        process = spawn.Process(target=read_as_nobody, args=(path, outcome))
        process.start()
        assert outcome.get(timeout=60) == "2"
        assert "read-only" in outcome.get(timeout=60)
        process.join(60)
        assert process.exitcode == 0


def test_the_file_explains_itself(path: Path) -> None:
    """A plain sqlite3 client sees the stations' days, their instants and sources; only the cells are in blobs."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT station_id, day, revision, count, datetime(first / 1000, 'unixepoch'), sources FROM reports"
        row = connection.execute(query).fetchone()
        assert row == ("IICHTE19", "2024-10-01", 1, 2, "2024-10-01 00:00:00", json.dumps(SOURCES))
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_queries_use_an_index(path: Path) -> None:
    """No query of days, logs or runs scans or sorts a whole table."""
    queries = [
        "SELECT reports FROM reports WHERE station_id = ? AND day BETWEEN ? AND ? ORDER BY day",
        "SELECT log_id FROM logs WHERE type = ? ORDER BY timestamp DESC, log_id DESC LIMIT ?",
        "SELECT log_id FROM logs WHERE run_id = ? ORDER BY timestamp DESC, log_id DESC LIMIT ?",
        "SELECT log_id FROM logs WHERE TRUE ORDER BY timestamp DESC, log_id DESC LIMIT ?",
        "SELECT report FROM runs ORDER BY started DESC, run_id DESC LIMIT ?",
    ]
    with closing(sqlite3.connect(path)) as connection:
        for query in queries:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", [None] * query.count("?")).fetchall()
            assert all("USING" in step[3] and "TEMP B-TREE" not in step[3] for step in plan), plan
