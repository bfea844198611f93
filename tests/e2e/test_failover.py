"""Servers that die, fall silent, or lose their data while the job writes: on real replica sets of three members.

The sets are of their own, so that what is done to them disturbs no other test.
"""

from __future__ import annotations

import json
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal
from pymongo import MongoClient

from barograph.errors import StoreUnavailable
from barograph.faces.cli.main import root
from barograph.landing import land, open_landing
from barograph.ops.mongod import Mongod
from barograph.ops.replica import replica_status
from barograph.store.mongo import MongoStore
from barograph.store.sqlite import SqliteStore
from barograph.wiring import opened_store
from tests.e2e.scenario import Place, assert_settled
from tests.support.replica_set import ReplicaSet

START: Final = datetime(2024, 3, 1, tzinfo=UTC)
STEP: Final = timedelta(minutes=5)
PER_DAY: Final = 288
DAYS: Final = 10
EVER: Final = (date(2024, 1, 1), date(2025, 1, 1))
COUNT: Final = "SELECT COUNT(*) FROM reports"
KILLS: Final = 3
PATIENCE: Final = 4.0
SHORTEST_ELECTION: Final = 0.5
"""No set elects faster: its members wait 1.5 s for the primary that they have lost, of which some may have passed."""


@dataclass(frozen=True, slots=True)
class Landed:
    """A landing zone with its configuration, and the export of a record into which nothing went wrong."""

    place: Place
    reports: int
    export: bytes
    steps: int
    """How often the job loads days, merges and saves them."""

    def on(self, servers: ReplicaSet, folder: Path) -> Place:
        """The same landing zone before an empty database of these servers."""
        store = servers.uri_of(f"failover_{uuid.uuid4().hex[:8]}")
        return replace(self.place, landing=self.place.settings.landing_url, data_dir=folder, store=store)


def disturb(
    monkeypatch: pytest.MonkeyPatch, store: type[MongoStore | SqliteStore], moments: dict[int, Callable[[], None]]
) -> Counter[str]:
    """Do something at these calls (from 1) of `load_days`, right before days are merged and saved."""
    original, counted = store.load_days, Counter[str]()

    def loading(store: Any, keys: Any) -> Any:
        counted["calls"] += 1
        days = original(store, keys)
        if (moment := moments.get(counted["calls"])) is not None:
            counted["disturbed"] += 1
            moment()
        return days

    monkeypatch.setattr(store, "load_days", loading)
    return counted


def land_network(folder: Path, stations: int) -> Landed:
    """Ten days of made-up stations, landed as a sync lands them, and stored in SQLite without disturbance."""
    config = folder / "barograph.toml"
    names = [f"S{number:02d}" for number in range(stations)]
    text = ""
    for name in names:
        text += f'[stations.{name}]\ntimezone = "UTC"\n'
        text += f'[connections.{name}]\nsource = "wunderground-table"\nurl = "{name}.xlsx"\nstation = "{name}"\n'
    config.write_text(text, encoding="utf-8")
    place = Place(config, folder / "data")
    zone = open_landing(place.settings.landing_url, place.settings.landing_prefix)
    for number, name in enumerate(names):
        land(zone, name, table(number), started=START + timedelta(days=DAYS), format="csv")
    with pytest.MonkeyPatch.context() as patch:
        counted = disturb(patch, SqliteStore, {})
        report = place.ingest()
    assert (report.status, report.reports.new) == ("done", stations * DAYS * PER_DAY)
    assert report.store_waits.calls == 0
    return Landed(place, report.reports.new, place.export(), counted["calls"])


def table(number: int) -> Iterator[dict[str, Any]]:
    for place in range(DAYS * PER_DAY):
        at = START + place * STEP
        yield {
            "Time": f"{at:%H:%M:%S}",
            "Temperature": f"{40 + (place * (number + 3)) % 400 / 10:.1f} °F",
            "Humidity": f"{30 + place % 60} %",
            "Pressure": f"{29 + (place % 97) / 100:.2f} in",
            "Date": f"{at:%Y-%m-%d}",
        }


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """More than 200,000 reports."""
    landed = land_network(tmp_path_factory.mktemp("large"), stations=70)
    assert landed.reports >= 200_000
    return landed


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """Some 35,000 reports."""
    return land_network(tmp_path_factory.mktemp("small"), stations=12)


@pytest.fixture(scope="module")
def members(mongod: Mongod) -> Iterator[ReplicaSet]:
    """Three members that may be killed."""
    with ReplicaSet(mongod.path) as running:
        yield running


@pytest.fixture
def whole(members: ReplicaSet) -> Iterator[ReplicaSet]:
    """The set, with every member there before and after."""
    yield members
    for number, member in enumerate(members.members):
        if member.process is None:
            members.restart(number)
    members.wait_for_primary()


@pytest.fixture(scope="module")
def proxied(mongod: Mongod) -> Iterator[ReplicaSet]:
    """Three members, each behind a proxy."""
    with ReplicaSet(mongod.path, proxied=True) as running:
        yield running


def kill_primaries(
    servers: ReplicaSet, job: Future[Any], reached: threading.Semaphore, struck: threading.Semaphore
) -> list[int]:
    """SIGKILL whoever is primary, each time that the run has come so far; started again each time.

    Not in a thread: a mongod dies with the thread that started it.
    """
    killed = []
    for _ in range(KILLS):
        assert reached.acquire(timeout=60)
        number = servers.wait_for_primary()
        assert not job.done(), "the run was over before it was disturbed"
        servers.kill(number, signal.SIGKILL)
        killed.append(number)
        struck.release()
        servers.restart(number)
        servers.wait_for_primary()
    return killed


def test_the_primary_is_killed_three_times(
    whole: ReplicaSet, large: Landed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL of the primary at each quarter of an ingest: it completes by itself, and the record is the same.

    The run says how long the store could not be written at the longest: in its report, in its log, and on the screen.
    """
    place = large.on(whole, tmp_path)
    reached, struck = threading.Semaphore(0), threading.Semaphore(0)

    def wait_for_the_kill() -> None:
        reached.release()
        assert struck.acquire(timeout=60)

    # At each quarter of its way the run waits for the next kill, and goes on into the outage. Without waiting for each
    # other a slow machine has one call wait through all three.
    quarters = dict.fromkeys([large.steps * part // 4 for part in (1, 2, 3)], wait_for_the_kill)
    counted = disturb(monkeypatch, MongoStore, quarters)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(place.ingest)
        killed = kill_primaries(whole, job, reached, struck)
        report = job.result()
    assert (counted["disturbed"], len(killed)) == (KILLS, KILLS)
    assert (report.status, report.reports.new) == ("done", large.reports)
    assert place.export() == large.export
    waits = report.store_waits
    assert waits.calls >= KILLS
    assert SHORTEST_ELECTION < waits.longest_s <= waits.total_s
    warning = f"the store could not be written for {waits.longest_s:.1f} s ({waits.reason}); "
    warning += f"{waits.calls} calls waited for it, {waits.total_s:.1f} s in all"
    assert warned_of_waiting(place) == [warning]
    (run,) = json.loads(told(place, "runs", "--json", code=0))
    assert run["store_waits"] == asdict(waits)
    monkeypatch.undo()
    again = place.ingest()
    assert (again.status, again.objects) == ("done", ())


def warned_of_waiting(place: Place) -> list[str]:
    return [entry.msg for entry in place.logs("warning") if "the store could not be written" in entry.msg]


def told(place: Place, *words: str, code: int) -> str:
    """What a command prints, and that it ends with that exit code."""
    result = CliRunner().invoke(root, place.arguments(*words), prog_name="barograph")
    assert result.exit_code == code, result.output
    return result.stdout


def status(place: Place, *, code: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told(place, "replica", "status", "--json", code=code))
    return found


def test_a_secondary_is_stopped(whole: ReplicaSet, small: Landed, tmp_path: Path) -> None:
    """`replica status` says degraded and names the member, exit 1; writes go on; when it is back, all is well."""
    place = small.on(whole, tmp_path)
    primary = whole.wait_for_primary()
    stopped = (primary + 1) % 3
    whole.kill(stopped, signal.SIGTERM)
    whole.until(lambda: status_names(place, whole.members[stopped].address), "the set does not miss its member")
    found = status(place, code=1)
    assert found["verdict"] == "degraded"
    (reason,) = found["reasons"]
    assert whole.members[stopped].address in reason
    states = {member["name"]: (member["state"], member["healthy"]) for member in found["members"]}
    assert states.pop(whole.members[stopped].address) == ("DOWN", False)
    assert sorted(states.values()) == [("PRIMARY", True), ("SECONDARY", True)]
    assert place.ingest().status == "done"
    assert place.export() == small.export
    whole.restart(stopped)
    whole.wait_for_primary()
    whole.until(lambda: not status_names(place, whole.members[stopped].address), "the set does not take it back")
    assert status(place, code=0)["verdict"] == "healthy"


def status_names(place: Place, address: str) -> bool:
    """Whether the set has noticed that a member is wrong; its heartbeats take a moment."""
    assert place.store is not None
    return any(address in reason for reason in replica_status(place.store).reasons)


def in_a_hurry(place: Place) -> Place:
    """The same place with a job of little patience."""
    config = place.data_dir / "hurried.toml"
    text = place.config.read_text(encoding="utf-8")
    config.write_text(f"[store]\npatience = {PATIENCE}\n{text}", encoding="utf-8")
    return replace(place, config=config)


def test_two_members_are_stopped(
    whole: ReplicaSet, small: Landed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a majority the run ends with an error in time; what is visible is whole, and the next run completes it.

    Those who read get along with the member that is left, if the URI lets them.
    """
    place = in_a_hurry(small.on(whole, tmp_path))
    primary = whole.wait_for_primary()
    others = [number for number in range(3) if number != primary]
    counted = disturb(monkeypatch, MongoStore, {8: lambda: whole.kill_all(others)})
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"no answer to .* for \d+ s") as caught:
        place.ingest()
    took = time.monotonic() - begun
    monkeypatch.undo()
    assert counted["disturbed"] == 1
    assert took < PATIENCE + 60
    assert "replica status" in caught.value.hint
    reading = replace(place, store=f"{place.store}&readPreference=secondaryPreferred")
    found = status(place, code=2)
    assert found["verdict"] == "no primary"
    assert "an election needs 2" in found["reasons"][0]
    assert_whole_days(reading, small)
    assert "288 reports of 288 expected" in told(reading, "query", "S00", "2024-03-02", code=0)
    for words in (("stations",), ("runs",), ("logs",), ("sql", COUNT), ("export",)):
        told(reading, *words, code=0)
    told(reading, "status", code=3)
    for number in others:
        whole.restart(number)
    whole.wait_for_primary()
    assert place.ingest().status == "done"
    assert place.export() == small.export
    assert_settled(place)


def assert_whole_days(place: Place, landed: Landed) -> None:
    """Some days are there, not all; each is as it will be; and what the ledger calls done is there."""
    with opened_store(landed.place.settings) as whole, opened_store(place.settings) as store:
        stations = [known.station.station_id for known in whole.stations()]
        seen: Counter[str] = Counter()
        for station in stations:
            expected = {day.key: day for day in whole.days(station, *EVER)}
            for day in store.days(station, *EVER):
                assert_frame_equal(day.frame, expected[day.key].frame)
                assert day.sources == expected[day.key].sources
                seen[station] += day.frame.height
        assert 0 < seen.total() < landed.reports
        done = [entry for entry in store.objects().values() if entry.status == "done"]
        assert 0 < len(done) < len(stations)
        for entry in done:
            assert seen[entry.coverage[0].station_id] == entry.counts.new


def test_the_primary_falls_silent(
    proxied: ReplicaSet, small: Landed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that swallows everything, open connections too, instead of refusing: the run goes on at another member."""
    place = small.on(proxied, tmp_path)
    silent = proxied.members[proxied.wait_for_primary()].proxy
    assert silent is not None
    counted = disturb(monkeypatch, MongoStore, {6: silent.swallow})
    try:
        report = place.ingest()
        assert (counted["disturbed"], report.status, report.reports.new) == (1, "done", small.reports)
        assert place.export() == small.export
    finally:
        silent.forward()
    assert report.store_waits.repeats >= 1
    assert report.store_waits.longest_s > SHORTEST_ELECTION
    assert len(warned_of_waiting(place)) == 1


def test_a_member_is_wiped(whole: ReplicaSet, small: Landed, tmp_path: Path) -> None:
    """Stopped, emptied and started again it copies everything: SECONDARY once more, with the same data."""
    place = small.on(whole, tmp_path)
    assert place.ingest().status == "done"
    wiped = (whole.wait_for_primary() + 1) % 3
    whole.kill(wiped, signal.SIGTERM)
    whole.wipe(wiped)
    whole.restart(wiped)
    whole.wait_for_primary()
    primary = whole.wait_for_primary()
    assert wiped != primary
    assert place.store is not None
    name = MongoClient[dict[str, Any]](place.store, connect=False).get_default_database().name

    def content(number: int) -> dict[str, str]:
        with whole._client(whole.members[number]) as client:
            hashes: dict[str, str] = client[name].command("dbHash")["collections"]
            return hashes

    whole.until(lambda: content(wiped) == content(primary), "the wiped member does not catch up")
    assert content(wiped).keys() >= {"reports", "stations", "objects", "logs", "runs"}
    alone = f"mongodb://{whole.members[wiped].address}/{name}?directConnection=true"
    assert replace(place, store=alone).export() == small.export
