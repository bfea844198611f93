"""The demo on a local replica set: from its start to its end, and ended on the way."""

from __future__ import annotations

import os
import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from barograph.errors import StoreError
from barograph.faces.cli import demo_mongodb
from barograph.faces.cli.demo_steps import Stage
from barograph.ops.mongod import Mongod
from tests.cli.conftest import call
from tests.support.local_set import LocalSet


@pytest.fixture
def left(mongod: Mongod, tmp_path: Path) -> Iterator[LocalSet]:
    """What a demo in ./barograph-demo-mongodb leaves behind."""
    made = LocalSet(tmp_path / "barograph-demo-mongodb" / "data")
    yield made
    made.end()


def failure() -> None:
    raise StoreError("the job failed")


def sigterm() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("end", [failure, sigterm])
def test_no_server_outlives_a_demo(left: LocalSet, end: Callable[[], None]) -> None:
    """Whether a demo fails or is told to end, as by Ctrl-C: its members go down, and their data stay."""
    # A set of one, because it is up in a second; the demo takes the set that it finds.
    left("up", "--members", "1")
    left("down")
    before = signal.getsignal(signal.SIGTERM)

    def show() -> None:
        with demo_mongodb.replica_set(Stage.on(left.data_dir.parent)):
            assert left.status()["result"] == "healthy"
            end()

    with pytest.raises((KeyboardInterrupt, StoreError)):
        show()
    assert left.pids == {}
    assert left.members[0].has_data
    assert signal.getsignal(signal.SIGTERM) is before


def test_demo_on_mongodb(left: LocalSet) -> None:
    """It proves the record on three members; what an earlier one has left running is removed, and its hints work."""
    left("up", "--members", "1")
    (left.data_dir.parent / ".barograph-demo").touch()
    first = left.folder.passwords()
    result = call("demo", "--mongodb", "--days", "2")
    assert result.exit_code == 0, result.output
    assert left.folder.passwords() != first
    told = result.stdout
    assert re.search(r"\d reports stored, 3 rows rejected", told)
    assert "\n- all 3 members answer" in told
    assert "0 new, 0 changed, 0 unchanged, 0 rejected" in told
    assert "\nproven: " in told
    assert re.search(r"^down: .* stopped; the data are kept$", told, re.MULTILINE)
    assert left.pids == {}
    assert not (left.data_dir / "meteo.db").exists()
    assert [secret for secret in left.folder.passwords().values() if secret in result.output] == []

    hints = [shlex.split(line) for line in told.splitlines() if line.startswith("  barograph ")]
    assert [words[-1] for words in (hints[0], hints[-1])] == ["up", "down"]
    for words in hints:
        done = call(*words[1:])
        until = time.monotonic() + 60
        # A set that has just come up again may take a moment to be whole, which `status` calls a problem.
        while "status" in words and done.exit_code and time.monotonic() < until:
            time.sleep(1)
            done = call(*words[1:])
        assert done.exit_code == 0, (words, done.output)
    assert left.pids == {}


def test_no_mongod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no mongod the demo says so before it makes anything."""
    monkeypatch.setenv("BAROGRAPH_MONGOD", str(tmp_path / "nowhere"))
    result = call("demo", "--mongodb")
    assert result.exit_code == 1
    assert "there is no such file" in result.stderr
    assert list(tmp_path.iterdir()) == []
