"""`barograph scheduler` as a process: signals in mid-sync, a kill, downtime, a second one, a changed configuration."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from barograph.model import RunReport, SyncReport
from barograph.store import open_store
from tests.e2e.scenario import CLI, environment
from tests.support.http_server import HANG, HttpServer, json_text

PATIENCE: Final = 90.0
ANSWER: Final = json.dumps({"status": "OK", "errors": [], "data": [], "stations": [], "metadata": {}, "hourly": {}})


@dataclass
class Running:
    """A scheduler, and the lines that it printed."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def hears(self, pattern: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            assert time.monotonic() < deadline, f"{pattern}: {self.lines}"
            time.sleep(0.05)

    def ends(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@dataclass
class Machine:
    """A configuration with one connection to a server of the test's."""

    folder: Path
    server: HttpServer

    def write(self, schedule: str, more: str = "") -> None:
        url = self.server.url("/export.json")
        text = f'[connections.one]\nsource = "infoclimat"\nurl = "{url}"\nschedule = "{schedule}"\n{more}'
        (self.folder / "barograph.toml").write_text(text, encoding="utf-8")

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CLI, *words], cwd=self.folder, env=environment(), capture_output=True, text=True, check=False
        )

    def states(self) -> list[str]:
        found: dict[str, Any] = json.loads(self.call("connections", "show", "one", "--json").stdout)
        return [one["status"] for one in found["syncs"]]

    @contextmanager
    def scheduler(self) -> Iterator[Running]:
        words = [*CLI, "scheduler"]
        with subprocess.Popen(
            words, cwd=self.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            running = Running(process)
            reader = threading.Thread(target=running.read)
            reader.start()
            try:
                yield running
            finally:
                process.kill()
                reader.join()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with HttpServer() as server:
        server.on("/export.json", json_text(ANSWER))
        yield Machine(tmp_path, server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_sync(machine: Machine, number: int) -> None:
    """It ends with 0 while the server is silent; the sync is still owed, and the next start makes up for it at once."""
    machine.write("daily")
    machine.server.on("/export.json", HANG)
    with machine.scheduler() as running:
        running.hears(r"scheduler started \(process \d+\): 1 connection, 4 at once")
        running.hears(r"one: daily \(UTC\), next \d{4}-\d\d-\d\d 00:00Z")
        running.hears("due: one")
        machine_requests(machine, 1)
        begun = time.monotonic()
        assert running.ends(number) == 0
        assert time.monotonic() - begun < 30, "the server would have been waited for, three times 30 s"
        running.hears("one: stopped: ")
        assert running.lines[-1].endswith("Z stopped")
    assert machine.states() == ["stopped"]
    machine.server.on("/export.json", json_text(ANSWER))
    with machine.scheduler() as running:
        running.hears("overdue: one")
        running.hears("one: landed 1 record ")
        assert running.ends(number) == 0
    assert machine.states() == ["landed", "stopped"]


def machine_requests(machine: Machine, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(machine.server.requests_to("/export.json")) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_second_signal_ends_at_once(machine: Machine) -> None:
    """As a shell tells SIGTERM."""
    machine.write("daily")
    machine.server.on("/export.json", HANG)
    with machine.scheduler() as running:
        running.hears("due: one")
        machine_requests(machine, 1)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert running.ends(signal.SIGTERM) == 128 + signal.SIGTERM


def test_killed_in_mid_sync(machine: Machine) -> None:
    """Nothing that it leaves behind keeps the next one out, and the sync is made up for."""
    machine.write("daily")
    machine.server.on("/export.json", HANG)
    with machine.scheduler() as running:
        running.hears("due: one")
        machine_requests(machine, 1)
        elsewhere = machine.call("sync", "one", "--json")
        assert elsewhere.returncode == 0, elsewhere.stderr
        assert [one["status"] for one in json.loads(elsewhere.stdout)["connections"]] == ["skipped"]
        told = machine.call("logs").stdout
        assert f"sync of one skipped: the sync of one is under way already (process {running.process.pid})" in told
        second = machine.call("scheduler")
        assert second.returncode == 1
        assert f"a scheduler of this data folder is under way already (process {running.process.pid})" in second.stderr
        running.ends(signal.SIGKILL)
    machine.server.on("/export.json", json_text(ANSWER))
    with machine.scheduler() as running:
        running.hears("one: landed 1 record ")
        assert running.ends(signal.SIGTERM) == 0
    assert machine.states() == ["landed"]


def test_after_downtime(machine: Machine) -> None:
    """Days after the last sync a daily one is made up for, once and at once; the next start owes nothing."""
    machine.write("daily")
    began = datetime.now(UTC) - timedelta(days=3)
    past = SyncReport("one", "one", "unchanged", began, began)
    (machine.folder / "barograph-data").mkdir()
    with closing(open_store(f"sqlite:///{machine.folder / 'barograph-data' / 'meteo.db'}")) as store:
        store.put_run(RunReport("20260101T000000-abc", "run", began, began, "done", connections=(past,)))
    with machine.scheduler() as running:
        running.hears("overdue: one")
        running.hears("run .* done")
        assert running.ends(signal.SIGTERM) == 0
    assert machine.states() == ["landed", "unchanged"]
    machine.write("0 0 1 1 *")
    with machine.scheduler() as running:
        running.hears("overdue: nothing")
        assert running.ends(signal.SIGTERM) == 0
    assert "nothing is due" in machine.call("scheduler", "--once").stdout
    assert machine.states() == ["landed", "unchanged"]


def test_the_configuration_is_followed(machine: Machine) -> None:
    """`connections disable` and `enable` are noticed; a broken file is told with its line and changes nothing."""
    machine.write("0 0 1 1 *")
    with machine.scheduler() as running:
        running.hears("one: landed 1 record ")
        running.hears("run .* done")
        assert machine.call("connections", "disable", "one").returncode == 0
        running.hears("one: no longer scheduled")
        assert machine.call("connections", "enable", "one").returncode == 0
        running.hears("overdue: nothing")
        machine.write("0 0 32 1 *")
        running.hears(r"the former one stands: .*barograph.toml:4: schedule = '0 0 32 1 \*' is not known")
        machine.write("0 12 1 1 *")
        running.hears(r"one: 0 12 1 1 \* \(UTC\), next \d{4}-01-01 12:00Z")
        assert running.ends(signal.SIGTERM) == 0
        times = [line for line in running.lines if not re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ ", line)]
        assert times == []


def test_a_run_is_interrupted(machine: Machine) -> None:
    """Ctrl-C while a server is silent: no report, the exit code of an interruption, and the sync can be run again."""
    machine.write("manual")
    machine.server.on("/export.json", HANG)
    with subprocess.Popen(
        [*CLI, "run"], cwd=machine.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            machine_requests(machine, 1)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=25)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "interrupted; nothing is broken" in told
    assert "Traceback" not in told
    machine.server.on("/export.json", json_text(ANSWER))
    assert machine.call("sync").returncode == 0
    assert machine.states() == ["landed"]


def test_whether_it_works(machine: Machine) -> None:
    """--check: 0 while it is at work, 1 when there is none, 1 when its loop stands still though the process lives."""
    machine.write("daily")
    assert machine.call("scheduler", "--check").returncode == 1
    with machine.scheduler() as running:
        running.hears("scheduler started")
        told = machine.call("scheduler", "--check")
        assert (told.returncode, told.stderr) == (0, "")
        assert re.fullmatch(rf"at work: process {running.process.pid}, heard \d+ s ago\n", told.stdout)
        # What SIGSTOP does to it, a deadlock would: the lock is held, and nothing is done.
        running.process.send_signal(signal.SIGSTOP)
        os.utime(machine.folder / "barograph-data" / "locks" / "scheduler", (time.time() - 100,) * 2)
        told = machine.call("scheduler", "--check")
        assert told.returncode == 1
        assert re.match(
            rf"the scheduler \(process {running.process.pid}\) has given no sign of life for 1\d\d s: ", told.stdout
        )
        running.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + PATIENCE
        while machine.call("scheduler", "--check").returncode:
            assert time.monotonic() < deadline, "it works again, and does not say so"
    told = machine.call("scheduler", "--check")
    assert (told.returncode, told.stdout.startswith("no scheduler is at work on ")) == (1, True)
    assert machine.call("scheduler", "--check", "--once").returncode == 2


def test_without_a_configuration(tmp_path: Path) -> None:
    """There is nothing that could ever be due."""
    done = subprocess.run(
        [*CLI, "scheduler"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no configuration" in done.stderr
    assert not any(tmp_path.iterdir())
