"""The process log of the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from barograph.errors import StoreUnavailable
from barograph.simulate import SimulatedNetwork
from barograph.store.sqlite import SqliteStore
from tests.cli.conftest import Cli, call

PROGRAM = (sys.executable, "-c", "from barograph.faces.cli.main import main; main()")


def _run(cli: Cli, *words: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli("--log-format", "json", *words, code=code).stderr.splitlines()]


def _same_story(cli: Cli) -> None:
    told = _run(cli, "run", code=3)
    stored = cli.json("logs", "--limit", "0")
    assert {(line["log_id"], line["msg"]) for line in told} == {(entry["id"], entry["msg"]) for entry in stored}
    by_id = {entry["id"]: entry for entry in stored}
    run_id = cli.json("runs")[0]["run_id"]
    for line in told:
        assert (line["command"], line["run_id"]) == ("run", run_id)
        entry = by_id[line["log_id"]]
        assert line["level"] == entry["type"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
        assert entry["context"].items() <= line.items()


def test_both_logs_tell_the_same(network: SimulatedNetwork, tmp_path: Path) -> None:
    """Nothing but JSON on stderr, and as (log_id, msg) what the store has, in SQLite."""
    _same_story(Cli(network.config, tmp_path / "data"))


def test_both_logs_tell_the_same_in_mongodb(
    network: SimulatedNetwork, tmp_path: Path, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in a replica set."""
    monkeypatch.setenv("BAROGRAPH_STORE", mongo_url)
    _same_story(Cli(network.config, tmp_path / "data"))


def test_a_store_that_goes_down(network: SimulatedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing reaches the store's logs any more; the process log has the events, why the run broke off, and its id."""

    def down(*_: object) -> None:
        raise StoreUnavailable("no primary", hint="wait")

    monkeypatch.setattr(SqliteStore, "put_logs", down)
    told = _run(Cli(network.config, tmp_path / "data"), "run", code=1)
    assert told[0]["msg"] == "run started"
    assert sum("sync of" in line["msg"] for line in told) >= 3
    assert [line["exception"] for line in told[-2:]] == ["StoreUnavailable"] * 2
    assert told[-2]["msg"] == "run broke off: no primary — wait"
    assert told[-2]["run_id"] == told[0]["run_id"]


def test_levels_and_words(cli: Cli) -> None:
    """A level leaves lesser events out; another word is an error that names both ways to say it; none is silence."""
    assert "run started" not in cli("--log-format", "human", "--log-level", "error", "ingest").stderr
    assert re.search(r"Z info \S+ ingest started\n", cli("--log-format", "human", "ingest").stderr)
    assert "ingest started" not in cli("ingest").stderr
    wrong = call("--log-format", "xml", "runs")
    assert wrong.exit_code == 2
    assert "BAROGRAPH_LOG_FORMAT" in wrong.stderr


def test_priorities_in_the_journal(network: SimulatedNetwork, tmp_path: Path) -> None:
    """Where JOURNAL_STREAM names stderr, lines for people, with priorities and no time; elsewhere none."""
    words = [*PROGRAM, "--config", str(network.config), "--data-dir", str(tmp_path / "data"), "run"]
    for ours in (True, False):
        with (tmp_path / "journal").open("w+b") as stream:
            found = os.fstat(stream.fileno())
            environment = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + (not ours)}"}
            subprocess.run(words, stderr=stream, stdout=subprocess.DEVNULL, env=environment, check=False, timeout=120)
        lines = (tmp_path / "journal").read_text().splitlines()
        assert all(bool(re.match(r"<[346]>(error|warning|info) ", line)) is ours for line in lines)
        assert not ours or {line[:3] for line in lines} >= {"<3>", "<6>"}
