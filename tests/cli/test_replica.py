"""`barograph replica status`: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import call
from tests.support.replica_set import ReplicaSet, free_port

PROGRAM = (sys.executable, "-c", "from barograph.faces.cli.main import main; main()")
STATUS = ("replica", "status", "--max-lag", "60")


def test_a_table(replica_set: ReplicaSet) -> None:
    """The verdict and why, a row for each member, and whose view it is; exit 0."""
    replica_set.wait_for_primary()
    told = call("--store", replica_set.uri, *STATUS)
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert re.fullmatch(r"healthy: replica set barograph, \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?Z", lines[0])
    assert lines[1].startswith("- all 3 members answer")
    assert re.split(r"  +", lines[3]) == ["member", "state", "health", "uptime", "lag", "sync source", "priority"]
    rows = {line.split()[0]: line for line in lines[4:7]}
    assert rows.keys() == {member.address for member in replica_set.members}
    assert sorted(re.split(r"  +", row)[1] for row in rows.values()) == ["PRIMARY", "SECONDARY", "SECONDARY"]
    assert all(re.search(r"  up  .*\d+ s  .*  1$", row) for row in rows.values())
    assert lines[-1].startswith("asked 127.0.0.1:")


def test_json(replica_set: ReplicaSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a script, from the configured store."""
    monkeypatch.setenv("BAROGRAPH_STORE", replica_set.uri)
    told = call(*STATUS, "--json")
    assert told.exit_code == 0
    found = json.loads(told.stdout)
    assert (found["verdict"], found["set_name"], found["kind"]) == ("healthy", "barograph", "replica set")
    assert {"name", "state", "healthy", "uptime_s", "lag_s", "sync_source", "priority"} <= found["members"][0].keys()


def test_nobody_there() -> None:
    """Exit 2, the reason for each server, no password, no traceback."""
    port = free_port()
    told = call("--store", f"mongodb://anna:s3cret@127.0.0.1:{port}/meteo", "replica", "status")
    assert told.exit_code == 2
    assert told.stdout.splitlines()[1] == f"- 127.0.0.1:{port} does not answer (Connection refused)"
    assert told.stderr == ""
    assert "s3cret" not in told.output


@pytest.mark.parametrize("store", [None, "sqlite:///meteo.db"])
def test_a_sqlite_store_has_no_members(store: str | None) -> None:
    """A usage error that says what to give."""
    told = call(*(("--store", store) if store else ()), "replica", "status")
    assert told.exit_code == 2
    assert told.stderr.startswith("error: sqlite:///")
    assert "not a MongoDB replica set" in told.stderr
    assert "mongodb://HOST" in told.stderr


@contextmanager
def watching(replica_set: ReplicaSet, *words: str, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    command = [*PROGRAM, "--store", replica_set.uri, *STATUS, "--watch", "0.2", *words]
    with subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_watching_a_pipe(replica_set: ReplicaSet) -> None:
    """A line for each look, until Ctrl-C, which is not an error."""
    with watching(replica_set) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z healthy: all 3 members answer.* \[127", line) for line in lines)
    assert (process.returncode, errors) == (0, b"")


def test_watching_as_json(replica_set: ReplicaSet) -> None:
    """A document in each line."""
    with watching(replica_set, "--json") as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert looks[0]["date"] < looks[1]["date"]
    assert process.returncode == 0


def test_watching_a_terminal(replica_set: ReplicaSet) -> None:
    """The screen is cleared before each look, and the table drawn again."""
    ours, theirs = pty.openpty()
    with watching(replica_set, stdout=theirs) as process:
        os.close(theirs)
        told, deadline = b"", time.monotonic() + 60
        while told.count(b"sync source") < 2 and time.monotonic() < deadline:
            told += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    os.close(ours)
    assert told.count(b"\x1b[2J") >= 2
    assert b"healthy" in told
    assert process.returncode == 0
