"""The benchmarks run from end to end and judge what they measure; how fast it is stands in their own results."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymongo import MongoClient

from benchmarks.__main__ import main
from benchmarks.report import Section, Table, Target, p95
from tests.support.replica_set import ReplicaSet


def test_every_part_runs_and_the_results_are_kept(
    replica_set: ReplicaSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One quick run measures all six parts on all designs, leaves no database behind and judges nothing."""
    kept = tmp_path / "results.md"
    assert main(["all", "--quick", "--mongodb", replica_set.uri, "--write", str(kept)]) == 0
    told, written = capsys.readouterr().out, kept.read_text(encoding="utf-8")
    for text in (told, written):
        assert "too small to judge" in text
        assert "reached" not in text
        assert "MISSED" not in text
        for name in (
            "(a) ",
            "(b) ",
            "(c) ",
            "(d) ",
            "(e) ",
            "(f) ",
            "10 connections",
            "MongoDB, restore",
            "mongod ",
            "naive pandas load",
            "MongoDB, Infoclimat answer",
            "embedded",
        ):
            assert name in text
    with MongoClient[dict[str, object]](replica_set.uri) as client:
        assert not [name for name in client.list_database_names() if name.startswith("barograph_bench")]


def test_a_target_is_reached_at_its_bound() -> None:
    """The bound itself counts as reached, in both directions; one step beyond does not."""
    verdicts = [
        Target("at least", 8.0, 8, "x").reached,
        Target("at least", 7.99, 8, "x").reached,
        Target("at most", 0.6, 0.6, "", "less").reached,
        Target("at most", 0.61, 0.6, "", "less").reached,
    ]
    assert verdicts == [True, False, True, False]


def test_a_missed_target_is_told() -> None:
    """What was missed stands in the text and in the Markdown, beside what was wanted."""
    table = Table("Rates", ["", "reports/s"], [["SQLite", "90,000"]])
    section = Section("Bulk", [table], [Target("SQLite", 90_000, 150_000, "reports/s")], ["A note."])
    assert "| SQLite | 90,000 reports/s | ≥ 150,000 reports/s | MISSED |" in section.markdown(judged=True)
    text = section.text(judged=True)
    assert "MISSED" in text
    assert "* A note." in text


def test_p95_is_a_measured_value() -> None:
    """95 of 100 values do not exceed it; of few values it is the largest."""
    assert p95([float(value) for value in range(100, 0, -1)]) == 95.0
    assert p95([3.0, 1.0, 2.0]) == 3.0
