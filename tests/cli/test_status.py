"""`barograph status` on a night that went wrong, on places that do not answer, and on a long record."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from barograph.config import load
from barograph.model import Station
from barograph.ops.mongod import Mongod
from barograph.ops.status import collect
from barograph.query import completeness
from barograph.query.recent import recent
from barograph.store import open_store
from barograph.store.sqlite import SqliteStore
from tests.cli.conftest import Cli
from tests.query.stores import every, reports, save
from tests.support.busy_year import configuration, fill
from tests.support.replica_set import ReplicaSet

NOW: Final = datetime.now(UTC).replace(second=0, microsecond=0)


def whats(found: dict[str, Any]) -> list[str]:
    return [problem["what"] for problem in found["problems"]]


def test_a_night_that_went_wrong(own_cli: Cli) -> None:
    """A failed connection and a corrupt object are named with what mends them; the next good run clears both."""
    own_cli("run")
    assert own_cli.json("status")["result"] == "ok"
    feeds = own_cli.config.parent
    broken = next(path for path in sorted(feeds.rglob("*.xlsx")))
    kept = broken.read_bytes()
    broken.unlink()
    bad = own_cli.data_dir / "landing" / "meteo_sync" / "ichtegem" / "2031_01_01_1925000000000_0.parquet"
    bad.write_bytes(b"PAR1 not a table")
    own_cli("run", code=3)
    found = own_cli.json("status", code=3)
    assert any(" failed: " in what and what.startswith("connection ") for what in whats(found))
    assert "1 landed object cannot be read" in whats(found)
    assert list(found["failed_objects"]) == [str(bad.relative_to(own_cli.data_dir / "landing"))]
    assert "cannot be read" in own_cli("status", code=3).stdout
    broken.write_bytes(kept)
    bad.unlink()
    own_cli("rebuild", code=3)
    own_cli("run")
    assert own_cli.json("status")["problems"] == []


def test_backups(own_cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last backup and drill are told; a place that has gone is named, and the rest stands."""
    place = tmp_path / "disk" / "backups"
    monkeypatch.setenv("BAROGRAPH_BACKUPS", str(place))
    own_cli("run")
    own_cli("backup", "create")
    assert own_cli.json("status")["backups"]["drilled"] is None
    own_cli("backup", "drill")
    kept = own_cli.json("status")["backups"]
    assert kept["count"] == 1
    assert kept["drilled"] > kept["last"]
    assert "; a drill succeeded just now" in own_cli("status").stdout
    shutil.move(place.parent, tmp_path / "away")
    found = own_cli.json("status", code=3)
    (problem,) = found["problems"]
    assert (problem["what"], problem["command"][-11:]) == (f"backups {place}: there is no such folder", "backup list")
    assert not place.exists()
    assert found["last_run"]["status"] == "done"
    assert "backups   cannot be reached" in own_cli("status", code=3).stdout
    shutil.move(tmp_path / "away", place.parent)
    assert own_cli.json("status")["result"] == "ok"


def test_a_bucket_that_is_gone(own_cli: Cli, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An S3 place that does not exist, or whose server is down, costs no more than its patience."""
    own_cli("run")
    monkeypatch.setenv("BAROGRAPH_BACKUPS", f"s3://{s3_bucket}")
    assert own_cli.json("status")["backups"]["count"] == 0
    monkeypatch.setenv("BAROGRAPH_BACKUPS", "s3://no-such-bucket-anywhere")
    assert "the bucket does not exist" in whats(own_cli.json("status", code=3))[0]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "cannot be reached" in whats(own_cli.json("status", code=3))[0]


def test_a_silent_station(tmp_path: Path) -> None:
    """With a schedule a station is silent after 36 hours; it is first in the list, and well again when it reports."""
    names = [f"S{number:02d}" for number in range(12)]
    config = configuration(tmp_path, 1)
    start = NOW - timedelta(days=10)
    with closing(open_store(f"sqlite:///{tmp_path / 'meteo.db'}")) as store:
        for name in names:
            end = NOW - timedelta(hours=40) if name == "S11" else NOW
            save(store, Station(name, timezone="Europe/Paris"), reports(every(start, end, "10m"), temperature=1.0))
    cli = Cli(config, tmp_path)
    found = cli.json("status", code=3)
    assert [item["station_id"] for item in found["stations"] if item["silent"]] == ["S11"]
    assert any(what.startswith("station S11: the last report is") for what in whats(found))
    lines = cli("status", code=3).stdout.splitlines()
    assert lines[lines.index("Stations (12)") + 2].startswith("S11 ")
    assert "and 2 more stations (--all shows them)" in lines
    assert (
        sum(line.startswith("S") and line[1:3].isdigit() for line in cli("status", "--all", code=3).stdout.splitlines())
        == 12
    )
    with closing(open_store(f"sqlite:///{tmp_path / 'meteo.db'}")) as store:
        days = list(store.days("S00", NOW.date(), NOW.date() + timedelta(days=1)))
        moved = [type(day)(type(day.key)("S11", day.key.day), 0, day.frame, day.sources) for day in days]
        store.save_days(moved)
        store.refresh_summaries(["S11"])
    assert not any(item["silent"] for item in cli.json("status", code=3)["stations"])


def test_completeness_is_that_of_completeness(tmp_path: Path) -> None:
    """Shares of stations with and without gaps, regular and drifting clocks, are those of the long way."""
    start = datetime.combine(NOW.date(), datetime.min.time(), UTC) - timedelta(days=12)
    whole = every(start, NOW, "5m")
    kinds = {
        "WHOLE": whole,
        "HALF": whole.filter(whole.dt.hour() < 12),
        "HOLE": whole.filter((whole.dt.date() != NOW.date() - timedelta(days=1)) | (whole.dt.hour() != 7)),
        "NIGHTLY": whole.filter(whole < datetime.combine(NOW.date(), datetime.min.time(), UTC)),
        "DRIFT": every(start, NOW, "5m1s"),
        "HOURLY": every(start + timedelta(minutes=20), NOW, "1h"),
    }
    with closing(open_store(f"sqlite:///{tmp_path / 'meteo.db'}")) as store:
        for name, times in kinds.items():
            zone = "UTC" if name == "NIGHTLY" else "Europe/Paris"
            save(store, Station(name, timezone=zone), reports(times, temperature=1.0))
        found = recent(store, store.stations(), NOW)
        for name in kinds:
            zone = store.stations([name])[0].station.timezone or "UTC"
            today = NOW.astimezone(ZoneInfo(zone)).date()
            first, last = today - timedelta(days=7), today - timedelta(days=1)
            frame = completeness(store, [name], first, last, now=NOW)
            week = int(frame["received"].sum()) / int(frame["expected"].sum())
            assert found[name].week == pytest.approx(week), name
            assert found[name].yesterday == pytest.approx(frame["share"][-1]), name


def test_little_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a longer record no more is read: nine days of instants, one run, the failed objects, the syncs of 30 days."""
    seen: dict[str, list[Any]] = {"read": [], "syncs": [], "runs": [], "objects": []}
    for name, calls in seen.items():
        real = getattr(SqliteStore, name)

        def spy(self: SqliteStore, *args: Any, _real: Any = real, _calls: list[Any] = calls, **more: Any) -> Any:
            _calls.append((args, more))
            return _real(self, *args, **more)

        monkeypatch.setattr(SqliteStore, name, spy)
    config = configuration(tmp_path, 3)
    with closing(open_store(f"sqlite:///{tmp_path / 'meteo.db'}")) as store:
        fill(store, NOW, 3, 60)
    found = collect(load(config, data_dir=tmp_path, environ={}))
    assert [row.recent.week for row in found.stations] == [1.0, 1.0, 1.0]
    assert len(seen["read"]) == 3
    for (_, start, end), more in seen["read"]:
        assert end - start < timedelta(days=10)
        assert more == {"variables": []}
    assert [(len(args), more) for args, more in seen["objects"]] == [(0, {"status": "failed"})]
    assert [args for args, _ in seen["runs"]] == [(1,)]
    (((since,), _),) = seen["syncs"]
    assert datetime.now(UTC) - since < timedelta(days=31)


def test_a_member_that_is_down(own_cli: Cli, mongod: Mongod, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secondary killed is a problem, everything else is shown; two killed, too; restarted, all is well."""
    with ReplicaSet(mongod.path) as running:
        monkeypatch.setenv("BAROGRAPH_STORE", running.uri_of("status"))
        own_cli("run", code=3)
        own_cli("run")
        assert own_cli.json("status")["replica"]["verdict"] == "healthy"
        primary = running.wait_for_primary()
        down = (primary + 1) % 3
        running.kill(down)
        # The primary calls it down when its heartbeats have not come for some seconds.
        running.until(lambda: not is_well(own_cli), "the member is missed")
        found = own_cli.json("status", code=3)
        assert whats(found)[0].startswith("the replica set is degraded: ")
        assert found["problems"][0]["command"].endswith("replica status")
        assert len(found["stations"]) == 4
        assert "2 of 3 members answer" in own_cli("status", code=3).stdout
        running.restart(down)
        running.wait_for_primary()
        running.until(lambda: is_well(own_cli), "status is well again")


def is_well(cli: Cli) -> bool:
    """Whether `status` finds nothing, at this moment."""
    return cli.tried("status").exit_code == 0


def test_a_store_that_does_not_answer(own_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections, backups and space are shown without it, and the password is not."""
    monkeypatch.setenv("BAROGRAPH_STORE", "mongodb://me:hidden-word@127.0.0.1:9/meteo")
    found = own_cli("status", "--json", code=1)
    assert "hidden-word" not in found.output
    told = json.loads(found.stdout)
    assert "store" in told["unreached"]
    assert len(told["connections"]) == 3
    assert whats(told)[0].startswith("store ")
    assert "never synced" not in str(whats(told))


def test_secrets(own_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose address holds a token fails: the token stands nowhere in the screen."""
    monkeypatch.setenv("MY_TOKEN", "t0ken-that-nobody-sees")
    text = own_cli.config.read_text(encoding="utf-8")
    more = '\n[connections.far]\nsource = "infoclimat"\nurl = "http://127.0.0.1:9/x?token=${MY_TOKEN}"\n'
    own_cli.config.write_text(text + "\n[limits]\nhttp_retries = 0\n" + more, encoding="utf-8")
    own_cli("run", "far", code=1)
    for words in (("status",), ("status", "--json"), ("doctor",)):
        told = own_cli(*words, code=1).output
        assert "t0ken-that-nobody-sees" not in told
        assert "127.0.0.1:9" in told
