"""Whatever form an Airbyte of one's own lands the records in, the record is the same."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.e2e.airbyte import Rows, csv_of, flat, jsonl, legacy, rows_of, shuffled
from tests.e2e.scenario import Scene


@pytest.mark.parametrize(
    ("extension", "write"),
    [
        ("jsonl", jsonl),
        ("jsonl.gz", lambda rows: gzip.compress(jsonl(rows))),
        ("jsonl", lambda rows: jsonl(flat(rows))),
        ("jsonl", lambda rows: jsonl(shuffled(rows))),
        ("jsonl", lambda rows: jsonl(legacy(rows))),
        ("csv", csv_of),
        ("csv.gz", lambda rows: gzip.compress(csv_of(rows))),
        ("csv", lambda rows: csv_of(flat(rows))),
        ("csv", lambda rows: csv_of(legacy(rows))),
    ],
    ids=[
        "jsonl",
        "jsonl.gz",
        "jsonl flat",
        "jsonl shuffled",
        "jsonl legacy",
        "csv",
        "csv.gz",
        "csv flat",
        "csv legacy",
    ],
)
def test_every_form_of_airbytes(scene: Scene, extension: str, write: Callable[[Rows], bytes]) -> None:
    """Whichever way an Airbyte of one's own lands the same records, the record is the same."""
    scene.land_undisturbed()
    for stream in ("ichtegem", "madeleine", "infoclimat"):
        path = scene.landed(stream)
        data = write(rows_of(path))
        path.unlink()
        path.with_name(f"{path.name.partition('.')[0]}.{extension}").write_bytes(data)
    report = scene.place.ingest()
    assert report.status == "done"
    scene.assert_fate(report)
    scene.assert_record()


def test_many_parts(scene: Scene) -> None:
    """A generation in many small parts, their rows in any order, is the same record."""
    scene.land_undisturbed()
    for stream in ("ichtegem", "madeleine"):
        path = scene.landed(stream)
        rows = rows_of(path)
        for part, start in enumerate(range(0, len(rows), 37)):
            name = path.name.replace("_0.csv", f"_{part}.jsonl")
            path.with_name(name).write_bytes(jsonl(rows[start : start + 37][::-1]))
        path.unlink()
    report = scene.place.ingest()
    assert report.status == "done"
    scene.assert_fate(report)
    scene.assert_record()


def test_a_workbook_dropped_by_hand(scene: Scene) -> None:
    """A raw workbook under a stream is read as it is."""
    scene.land_undisturbed()
    path = scene.landed("ichtegem")
    path.with_name("october.xlsx").write_bytes((scene.folder / "IICHTE19.xlsx").read_bytes())
    path.unlink()
    report = scene.place.ingest()
    assert report.status == "done"
    scene.assert_fate(report)
    scene.assert_record()
