"""The process log of a real run with many connections at once: whole lines, and the story of the store's `logs`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from tests.e2e.scenario import CLI, environment

CONNECTIONS: Final = 24
ROWS: Final = 40
BAD: Final = 5
"""Rows of each connection that are rejected, so that each has something to tell."""
LONG: Final = "?" * 5000
"""More than a pipe takes in one piece (PIPE_BUF, 4096): such lines would mix, were they not written under a lock."""


def network(folder: Path) -> None:
    text = "[sync]\nconcurrency = 12\n[ingest]\nrejected_threshold = 1.0\n"
    for number in range(CONNECTIONS):
        name = f"S{number:02d}"
        text += f'[stations.{name}]\ntimezone = "UTC"\n'
        text += f'[connections.{name}]\nsource = "wunderground-table"\nurl = "{name}.csv"\nstation = "{name}"\n'
        lines = ["Date,Time,Temperature"]
        for row in range(ROWS):
            value = f"{LONG}{name} {row}" if row < BAD else "50.0 °F"
            lines.append(f"2024-10-01,{row // 12:02d}:{row % 12 * 5:02d}:00,{value}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text += '[connections.gone]\nsource = "wunderground-table"\nurl = "gone.csv"\nstation = "S00"\n'
    (folder / "barograph.toml").write_text(text, encoding="utf-8")


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *words], cwd=folder, env=environment(), capture_output=True, text=True, check=False, encoding="utf-8"
    )


def test_lines_of_many_syncs_are_whole(tmp_path: Path) -> None:
    """Each line is one JSON object, with the run's id; each event of the store's `logs` stands there once, in full."""
    network(tmp_path)
    done = call(tmp_path, "--log-format", "json", "--log-level", "debug", "run", "--json")
    report: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, report["reports"]["rejected"]) == (3, CONNECTIONS * BAD)
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    told = [line for line in lines if "log_id" in line]
    assert {line["run_id"] for line in told} == {report["run_id"]}
    assert max(len(line) for line in done.stderr.splitlines()) > len(LONG) // 2, "long values stand in the lines"
    stored: list[dict[str, Any]] = json.loads(call(tmp_path, "logs", "--json", "--limit", "0").stdout)
    assert len(stored) > CONNECTIONS * (BAD + 1)
    assert sorted((line["log_id"], line["msg"]) for line in told) == sorted((one["id"], one["msg"]) for one in stored)
