"""One bad thing in the landing zone costs only itself, whoever wrote the object."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.airbyte import jsonl, rows_of
from tests.e2e.airbyte_typed import Typing, avro_of, parquet_of
from tests.e2e.scenario import Place, Scene

STATION: Final = "IICHTE19"
STREAM: Final = "ichtegem"
LINE: Final = 40
"""The line that is disturbed, counted from 1; line 1 is a CSV's header."""


@pytest.fixture
def landed(scene: Scene) -> Scene:
    """The landing zone of the undisturbed run, nothing of it ingested yet."""
    scene.land_undisturbed()
    return scene


def as_jsonl(path: Path) -> Path:
    """Land the same records as JSON lines instead of CSV."""
    new = path.with_suffix(".jsonl")
    new.write_bytes(jsonl(rows_of(path)))
    path.unlink()
    return new


def edit_line(path: Path, number: int, change: Callable[[bytes], bytes]) -> bytes:
    """Change one line; its former text is returned."""
    lines = path.read_bytes().split(b"\n")
    before = lines[number - 1]
    lines[number - 1] = change(before)
    path.write_bytes(b"\n".join(lines))
    return before


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line[: len(line) // 2],
        lambda _: b"__import__('os').mkdir('evaluated')",
        lambda _: b"[1, 2, 3]",
        lambda line: line.replace(b"mph", "\u00e9".encode("latin-1")),
        lambda line: line[:-1],
    ],
    ids=["truncated", "code", "list", "latin1", "no end"],
)
def test_a_bad_line_costs_itself(landed: Scene, change: Callable[[bytes], bytes]) -> None:
    """A line of JSON that is cut, or is none, is rejected with its number and text; all other lines are stored."""
    path = as_jsonl(landed.landed(STREAM))
    before = edit_line(path, LINE, change)
    report = landed.place.ingest()
    assert report.status == "incomplete"
    landed.assert_fate(report, rejected=1)
    key = f"meteo_sync/{STREAM}/{path.name}"
    rejection = landed.assert_reported(report, object=key, line=LINE)
    assert rejection.value is not None
    assert change(before)[:40].decode("utf-8", "backslashreplace") in rejection.value
    landed.assert_record(lost=[lost_by(landed, before)])


def lost_by(landed: Scene, line: bytes) -> Any:
    """The undisturbed report that stood on a line of JSON."""
    data = json.loads(line)["_airbyte_data"]
    row, sheet = data["Row"], data["Sheet"]
    first = {"011024": 0, "021024": sum(key[1].isoformat() < "2024-10-01T22" for key in landed.of(STATION))}[sheet]
    return landed.of(STATION)[first + row - 3]


def test_the_last_line_cut_short(landed: Scene) -> None:
    """An upload that broke off costs its last line, not the 400 before it."""
    path = as_jsonl(landed.landed(STREAM))
    path.write_bytes(path.read_bytes()[:-100])
    report = landed.place.ingest()
    assert report.status == "incomplete"
    landed.assert_fate(report, rejected=1)
    landed.assert_record(lost=[landed.of(STATION)[-1]])


def test_a_missing_key_is_null(landed: Scene) -> None:
    """Airbyte leaves out what is null: such a report is stored with a null, not rejected, not zero."""
    path = as_jsonl(landed.landed(STREAM))

    def without_pressure(line: bytes) -> bytes:
        record = json.loads(line)
        del record["_airbyte_data"]["Pressure"]
        return json.dumps(record).encode()

    before = edit_line(path, LINE, without_pressure)
    report = landed.place.ingest()
    assert report.status == "done"
    landed.assert_fate(report)
    landed.assert_record(changed={lost_by(landed, before): {"pressure": None}})


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.rpartition(b",")[0] + b"\r",
        lambda line: line.replace(b'""Time', b'""Time\xe9'),
        lambda line: line.replace(b'}"', b'"'),
        lambda line: line[: len(line) // 2],
        lambda line: line[: line.index(b'"{""sync')] + b"\"{}\",1,\"__import__('os').mkdir('evaluated')\"\r",
    ],
    ids=["a field short", "latin1", "cell cut", "truncated", "code"],
)
def test_a_bad_record_of_a_csv_costs_itself(landed: Scene, change: Callable[[bytes], bytes]) -> None:
    """A CSV record that is short, wrongly encoded or no JSON is rejected with its line; all others are stored."""
    path = landed.landed(STREAM)
    before = edit_line(path, LINE, change)
    report = landed.place.ingest()
    assert report.status == "incomplete"
    landed.assert_fate(report, rejected=1)
    landed.assert_reported(report, object=f"meteo_sync/{STREAM}/{path.name}", line=LINE)
    data = next(csv.reader([before.decode()]))[-1]
    landed.assert_record(lost=[lost_by(landed, b'{"_airbyte_data":%s}' % data.encode())])


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        (".csv", lambda _: b"", "is empty"),
        (".csv", lambda _: b"PK\x03\x04 and more", "a zip archive or workbook"),
        (".csv", lambda _: b"<html><body>403</body></html>", "HTML"),
        (".csv", lambda _: b'{"_airbyte_data":{}}\n', "CSV header"),
        (".csv", gzip.compress, "gzip"),
        (".jsonl", lambda data: data, "holds no JSON lines"),
        (".jsonl.gz", lambda data: data, "is not gzip"),
        (".csv.gz", lambda data: gzip.compress(data)[:-50], "gzip is cut short"),
        (".csv.gz", lambda _: gzip.compress(b"x" * 3_000_000), "unpacks to more than 1 MiB"),
        (".xlsx", lambda data: data, "is not a workbook"),
        (".parquet", lambda _: b"PAR1....PAR1", "cut short"),
        (".parquet", lambda data: data, "is not parquet but text"),
        (".avro", lambda data: data, "is not avro but text"),
        (".avro", lambda _: b"PAR1....PAR1", "is not avro but Parquet"),
        (".csv", lambda _: b"PAR1....PAR1", "is not csv but Parquet"),
        (".jsonl", lambda _: b"Obj\x01....", "is not jsonl but Avro"),
        (".avro", lambda _: b"Obj\x01....", "an Avro file cut short in its header"),
        (".orc", lambda _: b"ORC", "cannot read"),
    ],
    ids=["empty", "zip", "html", "jsonl as csv", "gzip as csv", "csv as jsonl", "csv as gz", "gz cut", "gz bomb",
         "csv as xlsx", "parquet cut", "csv as parquet", "csv as avro", "parquet as avro", "parquet as csv",
         "avro as jsonl", "avro cut", "orc"],
)  # fmt: skip
def test_an_object_that_is_not_what_its_name_says(
    landed: Scene, name: str, make: Callable[[bytes], bytes], words: str
) -> None:
    """It is marked failed, with the reason, and tried again on every run; all other objects are stored."""
    path = landed.landed(STREAM)
    data = make(path.read_bytes())
    path.unlink()
    bad = path.with_name(path.name.removesuffix(".csv") + name)
    bad.write_bytes(data)
    limited = Scene(landed.undisturbed, Place(landed.place.config, landed.place.data_dir, limits={"object_mib": 1}))
    report = limited.place.ingest()
    assert report.status == "incomplete"
    key = f"meteo_sync/{STREAM}/{bad.name}"
    (failed,) = [item for item in report.objects if item.status == "failed"]
    assert failed.object == key
    assert words in (failed.error or "")
    assert [entry for entry in limited.place.logs("error") if entry.context.get("object") == key and words in entry.msg]
    lost = landed.of(STATION)
    kept = [item for item in (limited.place.state()["ledger"]) if item[1] == "failed"]
    assert [(stream, error) for stream, _, error in kept] == [(STREAM, failed.error)]
    limited.assert_record(lost=lost)
    again = limited.place.ingest()
    assert (again.status, again.skipped, [item.object for item in again.objects]) == ("incomplete", 2, [key])


def test_an_avro_file_cut_short_keeps_what_was_whole(landed: Scene) -> None:
    """Of a landed Avro file that ends in the middle, the blocks before that place are stored, and the run says so."""
    path = landed.landed(STREAM)
    data = avro_of(rows_of(path), Typing(), "deflate", 50)
    path.unlink()
    path.with_suffix(".avro").write_bytes(data[: len(data) * 2 // 3])
    report = landed.place.ingest()
    assert report.status == "incomplete"
    assert any("an Avro file cut short inside a block, behind" in error for error in report.errors)
    kept = [key for key in landed.place.record() if key[0] == STATION]
    reports = landed.of(STATION)
    assert 49 <= len(kept) < len(reports)
    assert kept == reports[: len(kept)]
    landed.assert_record(lost=reports[len(kept) :])


def test_a_damaged_page_costs_its_file(landed: Scene) -> None:
    """Damage inside a Parquet file's pages is told with row group, column and byte; nothing of the file is guessed."""
    path = landed.landed(STREAM)
    data = bytearray(parquet_of(rows_of(path), Typing(), compression="gzip", write_page_checksum=True))
    path.unlink()
    data[len(data) // 4] ^= 1
    path.with_suffix(".parquet").write_bytes(data)
    report = landed.place.ingest()
    assert report.status == "incomplete"
    assert any("the checksum of the page at byte" in error for error in report.errors)
    landed.assert_record(lost=landed.of(STATION))


def test_a_cell_of_avro_that_cannot_be_read_costs_its_row(landed: Scene) -> None:
    """A row is rejected with the number of its record, its column and its value; all others are stored."""
    path = landed.landed(STREAM)
    rows = rows_of(path)
    before = json.dumps(rows[LINE]).encode()
    rows[LINE]["_airbyte_data"]["Temperature"] = "?3.1 °F"
    path.unlink()
    path.with_suffix(".avro").write_bytes(avro_of(rows, Typing(), "snappy"))
    report = landed.place.ingest()
    landed.assert_fate(report, rejected=1)
    landed.assert_reported(report, line=LINE + 1, column="Temperature", value="?3.1 °F")
    landed.assert_record(lost=[lost_by(landed, before)])


def test_a_mended_object_is_ingested(landed: Scene) -> None:
    """An object that failed, and was then put right, is stored by the next run; nothing else is touched."""
    path = landed.landed(STREAM)
    data = path.read_bytes()
    path.write_bytes(b"")
    assert landed.place.ingest().status == "incomplete"
    path.write_bytes(data)
    report = landed.place.ingest()
    assert (report.status, report.reports.new, report.skipped) == ("done", len(landed.of(STATION)), 2)
    landed.assert_record()


def test_an_answer_cut_short_keeps_what_was_whole(landed: Scene) -> None:
    """Of a landed answer that ends in the middle, the rows before that place are stored, and the run says so."""
    path = landed.landed("infoclimat")
    data = path.read_bytes()
    cut = data.index(b'"id_station":"00052"') + 20_000
    path.write_bytes(data[:cut])
    report = landed.place.ingest()
    assert report.status == "incomplete"
    assert any("cut short" in error for error in report.errors)
    stored = landed.place.record()
    kept = [key for key in stored if key[0] == "00052"]
    assert len(landed.of("07015")) == len([key for key in stored if key[0] == "07015"])
    assert 0 < len(kept) < len(landed.of("00052"))
    assert data[:cut].count(b'"id_station":"00052"') - len(kept) in (0, 1)
    landed.assert_record(lost=set(landed.of("00052")) - set(kept))


def test_a_second_answer_on_its_own_line(landed: Scene) -> None:
    """Between two whole answers a broken one is named by its line; both others are stored."""
    path = landed.landed("infoclimat")
    whole = path.read_bytes()
    path.write_bytes(whole + b"{\"_airbyte_data\":\"__import__('os').mkdir('evaluated')\"}\n" + whole)
    report = landed.place.ingest()
    assert report.status == "incomplete"
    answered = len(landed.of("00052")) + len(landed.of("07015"))
    landed.assert_fate(report, rows=answered, duplicates=answered)
    landed.assert_reported(report, line=2, rows=0)
    landed.assert_record()


def test_a_stream_that_nobody_configured_is_told(landed: Scene) -> None:
    """Objects of a stream that no connection names are not ingested, and a warning says so."""
    path = landed.landed(STREAM)
    stranger = path.parent.parent / "stranger" / path.name
    stranger.parent.mkdir()
    stranger.write_bytes(path.read_bytes())
    report = landed.place.ingest()
    assert report.status == "done"
    landed.assert_fate(report)
    assert any("'stranger'" in entry.msg for entry in landed.place.logs("warning"))
    landed.assert_record()


def test_nothing_in_the_landing_zone_is_evaluated(landed: Scene) -> None:
    """Python where a record should be, in every place that a reader could fall for, never runs and is never stored."""
    marker = landed.folder / "evaluated"
    code = f"__import__('os').mkdir({str(marker)!r})"
    path = as_jsonl(landed.landed(STREAM))
    lines = [
        code,
        repr({"_airbyte_data": {"Time": "00:04:00"}, "x": code}),
        json.dumps({"_airbyte_data": code}),
        json.dumps({"_airbyte_extracted_at": code, "_airbyte_data": {"Date": "2024-10-03", "Time": code, "UV": 1}}),
        json.dumps({"_airbyte_data": {"Date": code, "Time": "00:04:00", "Temperature": "50\u00a0°F"}}),
        json.dumps({"_airbyte_data": {"Date": "2024-10-03", "Time": "00:04:00", "Temperature": code}}),
    ]
    evil = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(evil + path.read_bytes() + evil)
    report = landed.place.ingest()
    assert report.status == "incomplete"
    landed.assert_fate(report, rows=2 * len(lines), rejected=2 * len(lines))
    landed.assert_record()
    assert not marker.exists()
    assert b"__import__" not in landed.place.export(flags=True)
