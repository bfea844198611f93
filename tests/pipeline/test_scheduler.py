"""The scheduler on a clock of the test's own: what is due, overdue, left out, changed, and goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from apscheduler.schedulers import base as apscheduler_base  # type: ignore[import-untyped]

from barograph.config import Connection, Settings
from barograph.errors import ConfigError, StoreUnavailable
from barograph.landing import open_landing
from barograph.messages import Message, Record, State
from barograph.model import RunReport, SyncReport
from barograph.pipeline import Job
from barograph.pipeline.scheduler import Scheduler
from barograph.sources import ReadRequest
from barograph.store import open_store
from tests.pipeline.network import Network

PATIENCE = 20.0
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that goes as fast as the real one, from a moment of its own, and can be put forward."""

    def __init__(self, start: datetime) -> None:
        self._offset = start - datetime.now(UTC)

    def now(self, zone: tzinfo | None = UTC) -> datetime:
        return (datetime.now(UTC) + self._offset).astimezone(zone)

    def forward(self, span: timedelta) -> None:
        self._offset += span


@dataclass
class World:
    """A scheduler that runs in a thread, with everything that it was given."""

    folder: Path
    clock: Clock
    connections: dict[str, Connection] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    broken: Exception | None = None
    store_gone: bool = False
    concurrency: int = 4

    def settings(self) -> Settings:
        if self.broken is not None:
            raise self.broken
        url = f"sqlite:///{self.folder / 'm.db'}"
        connections = dict(self.connections)
        return Settings(
            self.folder,
            str(self.folder / "landing"),
            "p",
            url,
            connections=connections,
            concurrency=self.concurrency,
            timezone="Europe/Brussels",
        )

    def set(self, name: str, schedule: str, *, enabled: bool = True) -> None:
        self.connections[name] = Connection(
            name, "wunderground-table", "unused", name, schedule=schedule, enabled=enabled
        )

    @contextmanager
    def job(self, settings: Settings) -> Iterator[Job]:
        if self.store_gone:
            raise StoreUnavailable("no answer")
        with closing(open_store(settings.store_url)) as store:
            yield Job(settings, open_landing(settings.landing_url, "p"), store)

    def put(self, name: str, began: datetime, status: Any = "landed") -> None:
        """A sync of the past."""
        report = SyncReport(name, name, status, began, began, error="x" if status == "failed" else None)
        with self.job(self.settings()) as job:
            job.store.put_run(RunReport(f"{name}-{began:%H%M}", "run", began, began, "done", connections=(report,)))

    def syncs(self, name: str) -> list[str]:
        with self.job(self.settings()) as job:
            return [entry.sync.status for entry in job.store.syncs(BEGINNING, name)]

    def count(self, text: str) -> int:
        return sum(text in line for line in list(self.said))

    def until(self, reached: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < deadline, f"{what}: {self.said}"
            time.sleep(0.02)

    def hears(self, text: str, times: int = 1) -> None:
        self.until(lambda: self.count(text) >= times, text)

    @contextmanager
    def running(self) -> Iterator[Scheduler]:
        watched = self.folder / "barograph.toml"
        watched.touch()
        scheduler = Scheduler(self.settings, self.job, self.said.append, watched, self.clock.now)
        ended: list[bool] = []
        thread = threading.Thread(target=lambda: ended.append(scheduler.run()), daemon=True)
        thread.start()
        try:
            yield scheduler
        finally:
            scheduler.stop()
            thread.join(PATIENCE)
        assert ended == [True]

    def reread(self) -> None:
        (self.folder / "barograph.toml").write_text(f"# {time.monotonic_ns()}\n", encoding="utf-8")


@pytest.fixture
def world(tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> World:
    clock = Clock(datetime(2026, 11, 25, 10, 0, 30, tzinfo=UTC))

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Datetime:
            return cls.fromtimestamp(clock.now().timestamp(), tz)

    monkeypatch.setattr(apscheduler_base, "datetime", Datetime)
    # What a sync writes into the store is of the same clock.
    for module in ("pipeline.job", "pipeline.stage", "pipeline.syncing"):
        monkeypatch.setattr(f"barograph.{module}.utc_now", clock.now)
    return World(tmp_path, clock)


def test_what_is_due_together_shares_a_run(world: World) -> None:
    """At the hour, once, and again an hour later; a manual and a disabled connection are left alone."""
    for name, text in {"a": "0 * * * *", "b": "0 * * * *", "manual": "manual"}.items():
        world.set(name, text)
    world.set("off", "* * * * *", enabled=False)
    for name in ("a", "b"):
        world.put(name, world.clock.now() - timedelta(seconds=20))
    with world.running():
        world.hears("a: 0 * * * * (Europe/Brussels), next 2026-11-25 11:00Z")
        world.hears("overdue: nothing")
        time.sleep(1)
        assert world.count("due: a") == 0
        for number in (1, 2):
            world.clock.forward(timedelta(hours=1))
            world.hears("due: a, b", number)
            world.hears(": 0 new, 0 changed", number)
    assert world.syncs("a") == ["unchanged", "landed", "landed"]
    assert world.syncs("off") == world.syncs("manual") == []


def test_what_was_missed_is_made_up_for_once(world: World) -> None:
    """After days of downtime, by the history: also after a failure, not when it was tried since; a stopped one is."""
    now = world.clock.now()
    for name, text, ago, status in (
        ("days", "0 * * * *", timedelta(days=3), "landed"),
        ("failed", "daily", timedelta(days=1), "failed"),
        ("fresh", "daily", timedelta(hours=3), "landed"),
        ("tried", "0 10 * * *", timedelta(minutes=20), "failed"),
        ("stopped", "daily", timedelta(minutes=20), "stopped"),
    ):
        world.set(name, text)
        world.put(name, now - ago, status)
    world.set("new", "0 0 1 1 *")
    with world.running():
        world.hears("overdue: days, failed, stopped, new")
        world.hears(": 0 new, 0 changed")
    assert [len(world.syncs(name)) for name in ("days", "failed", "stopped", "new")] == [2, 2, 2, 1]
    assert [len(world.syncs(name)) for name in ("fresh", "tried")] == [1, 1]


def test_a_machine_that_slept(world: World) -> None:
    """However many times have passed, one sync makes up for them."""
    world.set("a", "* * * * *")
    world.put("a", world.clock.now())
    with world.running():
        world.hears("overdue: nothing")
        world.clock.forward(timedelta(days=2))
        world.hears(": 0 new, 0 changed")
        time.sleep(1)
    assert len(world.syncs("a")) == 2


def test_a_connection_never_overlaps_itself(world: World, network: Network) -> None:
    """Due again while it is under way, it is left out; another one is not kept waiting for it."""
    go = threading.Event()

    def slow(request: ReadRequest) -> Iterator[Message]:
        go.wait(PATIENCE)
        yield Record({})

    network.readers = {"slow": slow}
    world.set("slow", "0 * * * *")
    world.set("quick", "30 * * * *")
    for name in ("slow", "quick"):
        world.put(name, world.clock.now())
    with world.running():
        world.hears("overdue: nothing")
        for minutes, name in ((30, "quick"), (30, "slow"), (30, "quick")):
            world.clock.forward(timedelta(minutes=minutes))
            world.hears(f"due: {name}", 2 if world.count("due: slow") else 1)
        world.hears("quick: unchanged")
        world.clock.forward(timedelta(minutes=30))
        world.hears("slow: due, but still under way")
        go.set()
        world.hears("slow: landed")
    assert len(world.syncs("slow")) == 2


def test_the_configuration_changes(world: World) -> None:
    """What is added, changed or taken away is noticed; a broken file is told once, and changes nothing."""
    world.set("a", "0 * * * *")
    world.put("a", world.clock.now())
    with world.running():
        world.hears("overdue: nothing")
        world.broken = ConfigError("unknown key 'x'", where="barograph.toml:3")
        world.reread()
        world.hears("the configuration cannot be used, the former one stands: barograph.toml:3: unknown key 'x'")
        world.clock.forward(timedelta(hours=1))
        world.hears("a: landed")
        world.broken = None
        world.set("a", "30 * * * *")
        world.set("b", "daily")
        world.reread()
        world.hears("a: 30 * * * * (Europe/Brussels), next 2026-11-25 11:30Z")
        world.hears("overdue: b")
        world.hears("b: daily (Europe/Brussels), next 2026-11-25 23:00Z")
        world.hears("b: landed")
        world.set("b", "daily", enabled=False)
        world.reread()
        world.hears("b: no longer scheduled")
        world.clock.forward(timedelta(days=2))
        world.hears("due: a")
        world.hears(": 0 new, 0 changed", 3)
    assert world.count("cannot be used") == 1
    assert len(world.syncs("b")) == 1


def test_a_run_that_fails_ends_nothing(world: World, network: Network) -> None:
    """A source that crashes, and a store that does not answer: the next time it is tried again."""

    def crash(request: ReadRequest) -> Iterator[Message]:
        yield Record({})
        raise ZeroDivisionError("nobody saw it coming")

    network.readers = {"a": crash}
    world.set("a", "0 * * * *")
    world.put("a", world.clock.now())
    with world.running():
        world.hears("overdue: nothing")
        world.clock.forward(timedelta(hours=1))
        world.hears("the run of a failed: internal error: ZeroDivisionError: nobody saw it coming")
        world.store_gone = True
        world.clock.forward(timedelta(hours=1))
        world.hears("the run of a failed: no answer")
        world.store_gone = False
        network.readers.clear()
        world.clock.forward(timedelta(hours=1))
        world.hears("a: landed")


def test_a_store_that_is_away_at_the_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is overdue is found when the store is back."""
    monkeypatch.setattr("barograph.pipeline.scheduler.RETRY", 0.1)
    world.set("a", "daily")
    world.store_gone = True
    with world.running():
        world.hears("what is overdue is not known yet: no answer", 2)
        world.store_gone = False
        world.hears("a: landed")


def test_all_runs_together_keep_to_the_limit(world: World, network: Network) -> None:
    """Connections that are due at different times, in runs of their own, are never more than configured at once."""
    world.concurrency = 2
    go = threading.Event()

    def slow(request: ReadRequest) -> Iterator[Message]:
        go.wait(PATIENCE)
        yield Record({})

    names = [f"c{number}" for number in range(5)]
    for number, name in enumerate(names):
        network.readers[name] = slow
        world.set(name, f"{number + 1} * * * *")
        world.put(name, world.clock.now())
    with world.running():
        world.hears("overdue: nothing")
        for name in names:
            world.clock.forward(timedelta(minutes=1))
            world.hears(f"due: {name}")
        world.until(lambda: network.under_way == 2, "two under way")
        go.set()
        world.hears("landed", 5)
    assert network.most == 2


def test_stopping_in_mid_sync(world: World, network: Network) -> None:
    """The state of an incremental sync is kept; the next start goes on from there at once."""
    begun: list[Any] = []

    def endless(request: ReadRequest) -> Iterator[Message]:
        begun.append(dict(request.states))
        number = request.states.get("", {}).get("n", 0)
        while len(begun) == 1 or number < 5:
            number += 1
            yield Record({"n": number})
            yield State({"n": number})
            request.sleep(0.01)
        yield Record({"n": "last"})
        yield State({"n": -1})

    network.readers = {"a": endless}
    world.set("a", "daily")
    with world.running():
        world.until(lambda: begun, "the sync")
        time.sleep(0.5)
    assert world.syncs("a") == ["stopped"]
    with world.running():
        world.hears("overdue: a", 2)
        world.hears("a: landed")
    assert begun[0] == {}
    assert begun[1][""]["n"] >= 1
    assert world.syncs("a") == ["landed", "stopped"]


def test_once(world: World) -> None:
    """What is due now, and nothing the second time."""
    world.set("a", "daily")
    world.set("manual", "manual")
    scheduler = Scheduler(world.settings, world.job, world.said.append, None, world.clock.now)
    report = scheduler.once()
    assert report is not None
    assert [one.connection for one in report.connections] == ["a"]
    assert scheduler.once() is None
    assert world.said[-1] == "nothing is due"
    world.connections = {name: replace(one, schedule="manual") for name, one in world.connections.items()}
    assert scheduler.once() is None
