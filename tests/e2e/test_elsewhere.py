"""The same job on another landing zone and another store gives the same record, byte for byte."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.scenario import Place, Scene, assert_settled


def test_s3_and_mongodb(scene: Scene, s3_bucket: str, mongo_url: str) -> None:
    """`--landing s3://… --store mongodb://…`: the same bytes as on local files, and proven; a second run adds nothing."""
    there = Place(scene.place.config, scene.place.data_dir, landing=f"s3://{s3_bucket}/co-op", store=mongo_url)
    first = there.cli("run", "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["reports"]["new"] == scene.undisturbed.counts.new
    here = Place(scene.place.config, scene.undisturbed.data_dir)
    assert there.export(flags=True) == here.export(flags=True)
    assert there.state() == here.state()
    again = json.loads(there.cli("run", "--json").stdout)
    assert again["reports"] == dict.fromkeys(again["reports"], 0)
    assert {item["status"] for item in again["connections"]} == {"unchanged"}
    assert_settled(there)


@pytest.mark.parametrize(("landing", "store"), [("s3", "sqlite"), ("files", "mongodb")])
def test_each_part_elsewhere(
    scene: Scene, request: pytest.FixtureRequest, landing: str, store: str
) -> None:
    """Landing zone and store are independent of each other; a record is rebuilt into another engine."""
    place = replace(
        scene.place,
        landing=f"s3://{request.getfixturevalue('s3_bucket')}" if landing == "s3" else None,
        store=request.getfixturevalue("mongo_url") if store == "mongodb" else None,
    )
    assert place.run().status == "done"
    expected = place.export()
    other = f"sqlite:///{scene.folder / 'other.db'}" if store == "mongodb" else request.getfixturevalue("mongo_url")
    moved = replace(place, store=other)
    assert moved.ingest().status == "done"
    assert moved.export() == expected == Place(place.config, scene.undisturbed.data_dir).export()
    assert_settled(moved)


def test_an_object_store_that_is_not_there(scene: Scene) -> None:
    """A bucket that does not answer fails the run by name, with no traceback and no secret; the next run succeeds."""
    dead = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "AWS_REGION": "eu-west-3",
    }
    result = replace(scene.place, landing="s3://nowhere").cli("run", env=dead)
    assert result.returncode == 1
    assert "error: s3://nowhere" in result.stderr
    assert "Traceback" not in result.stderr
    assert "s3cr3t" not in result.stdout + result.stderr
    assert scene.place.run().status == "done"
    scene.assert_record()


# ------------------------------------------------------------------------------------------------ what Airbyte may write

Rows = list[dict[str, Any]]


def rows_of(path: Path) -> Rows:
    """The records of a landed object, envelope and data, as JSON values."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n") if line]
    return [
        {**row, "_airbyte_data": json.loads(row["_airbyte_data"]), "_airbyte_extracted_at": int(row["_airbyte_extracted_at"]),
         "_airbyte_meta": json.loads(row["_airbyte_meta"])}
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]  # fmt: skip


def jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows).encode()


def flat(rows: Rows) -> Rows:
    return [{**{k: v for k, v in row.items() if k != "_airbyte_data"}, **row["_airbyte_data"]} for row in rows]


def shuffled(rows: Rows) -> Rows:
    return [{**row, "_airbyte_data": dict(reversed(row["_airbyte_data"].items()))} for row in rows]


def csv_of(rows: Rows) -> bytes:
    out = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        cells = {name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value for name, value in row.items()}
        writer.writerow({name: cells.get(name, "") for name in names})
    return out.getvalue().encode()


def legacy(rows: Rows) -> Rows:
    """Before 1.0: other names, no metadata."""
    return [
        {"_airbyte_ab_id": row["_airbyte_raw_id"], "_airbyte_emitted_at": row["_airbyte_extracted_at"],
         "_airbyte_data": row["_airbyte_data"]}
        for row in rows
    ]  # fmt: skip


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
    ids=["jsonl", "jsonl.gz", "jsonl flat", "jsonl shuffled", "jsonl legacy", "csv", "csv.gz", "csv flat", "csv legacy"],
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


def parts(path: Path, size: int) -> Iterator[tuple[Path, Rows]]:
    rows = rows_of(path)
    for number, start in enumerate(range(0, len(rows), size)):
        yield path.with_name(path.name.replace("_0.", f"_{number}.")), rows[start : start + size]


def test_many_parts(scene: Scene) -> None:
    """A generation in many small parts, their rows in any order, is the same record."""
    scene.land_undisturbed()
    for stream in ("ichtegem", "madeleine"):
        path = scene.landed(stream)
        pieces = list(parts(path, 37))
        for part, rows in pieces:
            part.with_suffix(".jsonl").write_bytes(jsonl(rows[::-1]))
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
