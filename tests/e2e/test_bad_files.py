"""A source that cannot be read costs its connection and nothing else: the others are stored, and the run exits 3."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.scenario import Place, Scene
from tests.support.http_server import FAILING, GONE, HANG, HttpServer, Reply, html, plain

TABLE: Final = "IICHTE19.xlsx"
ANSWER: Final = "infoclimat.json"
STATIONS: Final = {TABLE: {"IICHTE19"}, ANSWER: {"00052", "07015"}}
CONNECTIONS: Final = {TABLE: "meteo_ichtegem", ANSWER: "meteo_infoclimat"}


def assert_costs_only(scene: Scene, file: str, *words: str) -> None:
    """The run exits 3 and says `words` of the connection; nothing of it is landed, everything else is stored."""
    report = scene.place.run()
    assert report.status == "incomplete"
    failed = [item for item in report.connections if item.status == "failed"]
    assert [item.connection for item in failed] == [CONNECTIONS[file]]
    assert failed[0].error is not None
    for word in words:
        assert word in failed[0].error
    assert failed[0].error in report.errors[0]
    (logged,) = [entry for entry in scene.place.logs("error") if "sync of" in entry.msg]
    assert failed[0].error in logged.msg
    assert logged.context["connection"] == CONNECTIONS[file]
    lost = [key for key in scene.undisturbed.record if key[0] in STATIONS[file]]
    assert report.reports.new == report.reports.rows == scene.undisturbed.counts.rows - len(lost)
    scene.assert_record(lost=lost)


def bomb() -> bytes:
    """A workbook of 30 KB whose sheet unpacks to 30 MB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"<sheetData>" + b" " * 30_000_000)
    return out.getvalue()


def latin_1(path: Path) -> bytes:
    """The answer with its accents in ISO 8859-1."""
    return path.read_text(encoding="ascii").replace("Arm", "Arm\u00e9", 1).encode("latin-1")


def half(path: Path) -> bytes:
    data = path.read_bytes()
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("file", "make", "words"),
    [
        (TABLE, lambda _: b"", ("is empty",)),
        (TABLE, half, ("truncated or damaged workbook",)),
        (TABLE, lambda _: bomb(), ("fold",)),
        (TABLE, lambda _: b"Time,Temperature\n00:04:00,56.8\n", ("is not an .xlsx workbook but CSV",)),
        (TABLE, lambda _: b"<!DOCTYPE html><html><title>Sign in</title></html>", ("HTML",)),
        (TABLE, lambda _: b"__import__('os').mkdir('evaluated')", ("is not an .xlsx workbook but",)),
        (ANSWER, lambda _: b"", ("is empty",)),
        (ANSWER, half, ("truncated or damaged JSON", "byte")),
        (ANSWER, latin_1, ("is not UTF-8", "byte 0xe9")),
        (ANSWER, lambda _: b"<!DOCTYPE html><html><title>Sign in</title></html>", ("HTML", "in place of JSON")),
        (ANSWER, lambda _: b"__import__('os').mkdir('evaluated')", ("plain text", "in place of JSON")),
        (ANSWER, lambda _: b'{"users": []}', ("no Infoclimat answer",)),
        (ANSWER, lambda _: b'{"status": "ERROR", "errors": ["bad token"]}', ("'ERROR'", "bad token")),
        (ANSWER, lambda path: (path.parent / TABLE).read_bytes(), ("is not JSON but a zip archive or workbook",)),
    ],
    ids=[
        *("workbook:empty", "workbook:half", "workbook:bomb", "workbook:csv", "workbook:html", "workbook:code"),
        *("answer:empty", "answer:half", "answer:latin1", "answer:html", "answer:code", "answer:other"),
        *("answer:error", "answer:workbook"),
    ],
)
def test_a_file_that_cannot_be_read(
    scene: Scene, file: str, make: Callable[[Path], bytes], words: tuple[str, ...]
) -> None:
    """Empty, cut, packed to burst, of another kind or encoding: the connection fails and says why."""
    path = scene.folder / file
    path.write_bytes(make(path))
    assert_costs_only(scene, file, *words)


def test_a_file_that_is_not_there(scene: Scene) -> None:
    """A path without a file fails its connection by name."""
    (scene.folder / ANSWER).unlink()
    assert_costs_only(scene, ANSWER, ANSWER, "cannot be read")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (plain("Wrong ip address"), ("Wrong ip address", "in place of JSON")),
        (html("503 Service Unavailable"), ("HTML", "in place of JSON")),
        (GONE, ("404",)),
        (FAILING, ("500", "2 tries")),
        (HANG, ("did not answer within",)),
        (Reply(b'{"status":"OK","hourly":{}', cut_at=9), ("broke off",)),
    ],
    ids=["wrong ip", "html", "404", "500", "hanging", "cut"],
)
def test_a_server_that_does_not_serve(
    scene: Scene, http_server: HttpServer, reply: Reply, words: tuple[str, ...]
) -> None:
    """Whatever a server answers, or whether it answers at all, only its connection fails; its token stays secret."""
    scene.point(ANSWER, http_server.on("/opendata", reply) + "?token=s3cr3t")
    limited = Scene(
        scene.undisturbed,
        Place(scene.place.config, scene.place.data_dir, limits={"http_timeout": 0.4, "http_retries": 1}),
    )
    assert_costs_only(limited, ANSWER, *words)
    assert not [entry for entry in limited.place.logs() if "s3cr3t" in entry.msg + repr(entry.context)]
    assert "s3cr3t" not in repr(limited.place.runs())


def test_a_server_that_recovers(scene: Scene, http_server: HttpServer) -> None:
    """A failure that passes leaves no trace in the record: the answer is fetched again and stored."""
    answer = Reply((scene.folder / ANSWER).read_bytes(), content_type="application/json")
    scene.point(ANSWER, http_server.on("/opendata", FAILING, answer))
    report = scene.place.run()
    assert report.status == "done"
    scene.assert_record()


def test_exit_codes(scene: Scene) -> None:
    """0 when all is well, 3 when one connection fails, 1 when none works, 2 for a configuration that is wrong."""
    place = scene.place
    assert place.cli("run").returncode == 0
    (scene.folder / ANSWER).write_bytes(b"")
    some = place.cli("run")
    assert (some.returncode, "meteo_infoclimat" in some.stdout) == (3, True)
    none = place.cli("run", "meteo_infoclimat")
    assert none.returncode == 1
    unknown = place.cli("run", "meteo_elsewhere")
    assert (unknown.returncode, "meteo_elsewhere" in unknown.stderr) == (2, True)
    text = place.config.read_text(encoding="utf-8")
    place.config.write_text(text + '[stations.X]\ntimezone = "Mars/Olympus"\n', encoding="utf-8")
    wrong = place.cli("run")
    place.config.write_text(text, encoding="utf-8")
    assert (wrong.returncode, "Mars/Olympus" in wrong.stderr) == (2, True)
    for result in (some, none, unknown, wrong):
        assert "Traceback" not in result.stdout + result.stderr
    assert place.record() == scene.undisturbed.record
