"""Infoclimat answers as records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from barograph.config import Connection, Limits
from barograph.errors import ConfigError, FormatError, LimitExceeded, SourceRefused
from barograph.sources import Access, ReadRequest, open_source
from tests.sources.conftest import Read, logs, records
from tests.support.http_server import HttpServer, Reply, html, plain

KIND = "infoclimat"
WRONG = plain("Wrong ip address")


def _row(station: str, minute: int) -> dict[str, Any]:
    return {
        "id_station": station,
        "dh_utc": f"2024-10-05 00:{minute % 60:02}:00",
        "temperature": "12.3",
        "pluie_1h": None,
        "vent_moyen": "",
    }


def _answer(**over: Any) -> dict[str, Any]:
    return {
        "status": "OK",
        "errors": [],
        "data": [],
        "stations": [{"id": "00052", "name": "Armentières", "license": {"license": "CC BY"}}],
        "metadata": {"temperature": "temperature,degC"},
        "hourly": {"00052": [_row("00052", 0), _row("00052", 10)], "07015": [], "_params": ["temperature"]},
        **over,
    }


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    """An answer, or whatever bytes, as a file."""

    def save(data: Any) -> Path:
        path = tmp_path / "answer.json"
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data, indent=4).encode())
        return path

    return save


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\n  "])
def test_an_answer_is_one_record(read: Read, saved: Any, mark: bytes) -> None:
    """The whole answer, value for value and key for key in its order."""
    answer = _answer()
    (record,) = read(KIND, saved(mark + json.dumps(answer, ensure_ascii=False).encode()))
    assert json.dumps(record.data) == json.dumps(answer)  # type: ignore[union-attr]


def test_from_a_server(read: Read, server: HttpServer) -> None:
    """The same over HTTP, packed as Infoclimat sends it."""
    url = server.on("/opendata/", Reply(json.dumps(_answer()).encode(), content_type="application/json", gzip=True))
    assert records(read(KIND, url + "?version=2&token=abcdefgh")) == [_answer()]


def test_the_wrong_address(read: Read, server: HttpServer) -> None:
    """The words "Wrong ip address" come as a good answer; they are quoted, explained, and no second request is made."""
    url = server.on("/opendata/", WRONG) + "?stations[]=07015&token=abcdefgh"
    with pytest.raises(SourceRefused, match=r"'Wrong ip address'.*one IPv4 address") as caught:
        read(KIND, url, http_retries=2)
    assert len(server.requests_to("/opendata/")) == 1
    assert "abcdefgh" not in str(caught.value)


def test_quoted_answers_lose_their_secrets(read: Read, server: HttpServer) -> None:
    """A server that repeats the token does not get it into our messages; a long answer is cut."""
    reply = plain("no such token: abcdefgh" + " blah" * 1000)
    with pytest.raises(SourceRefused) as caught:
        read(KIND, server.on("/", reply) + "?token=abcdefgh")
    assert "no such token: ***" in str(caught.value)
    assert len(caught.value.what) < 300
    status = {"status": "ERROR", "errors": ["token abcdefgh is unknown"]}
    with pytest.raises(SourceRefused, match=r"status 'ERROR'.*token \*\*\* is unknown"):
        read(KIND, server.on("/", Reply(json.dumps(status).encode())) + "?token=abcdefgh")


def test_a_page_in_place_of_json(read: Read, server: HttpServer) -> None:
    """HTML is called HTML."""
    with pytest.raises(SourceRefused, match=r"HTML in place of JSON.*Maintenance"):
        read(KIND, server.on("/", html("Maintenance")))


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (b"", SourceRefused, r"is empty \(0 bytes\)"),
        (b" \n", SourceRefused, r"is empty \(2 bytes\)"),
        ([1, 2], SourceRefused, "a list and no Infoclimat answer"),
        ({"observations": []}, SourceRefused, "its keys: observations"),
        ({}, SourceRefused, "its keys: none"),
        (_answer(hourly=[1]), SourceRefused, "no Infoclimat answer"),
        (_answer(status="KO"), SourceRefused, "status 'KO'"),
        (_answer(errors={"07015": "unknown"}), SourceRefused, "07015.*unknown"),
        (json.dumps(_answer(), indent=1).encode()[:-40], FormatError, r"truncated .* at byte \d+ of \d+, line \d+"),
        (b'{"status": "OK",\n "errors" []}', FormatError, r"at byte 2\d of 30, line 2"),
        (b'{"a": "' + "é".encode() * 4 + b'", x}', FormatError, "at byte 18 of 20, line 1"),
        (json.dumps(_answer(), ensure_ascii=False).encode()[:92], FormatError, r"truncated .* of 92"),
        ('{"status": "OK",\n "ville": "Armentières"}'.encode("latin-1"), FormatError, r"0xe8 at offset 35 \(line 2\)"),
        (json.dumps(_answer()).encode("utf-16"), FormatError, "UTF-16"),
        (b"PK\x03\x04", FormatError, "zip archive or workbook"),
        (b"\x1f\x8b\x08", FormatError, "gzip"),
        (b'{"status": "OK"}' + bytes(5 << 20), LimitExceeded, "larger than 4 MiB"),
    ],
)
def test_what_is_no_answer(read: Read, saved: Any, data: Any, error: type[Exception], why: str) -> None:
    """Each is refused by its own name, with the file and a way on."""
    path = saved(data)
    with pytest.raises(error, match=why) as caught:
        read(KIND, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert " — " in str(caught.value)


@pytest.mark.parametrize("hourly", [None, [], {}, {"_params": []}, "absent"])
def test_an_answer_without_rows_is_landed_with_a_warning(read: Read, saved: Any, hourly: Any) -> None:
    """A time in start or end gives OK without rows: the answer is kept as the proof, and the operator is told."""
    answer = _answer(hourly=hourly)
    if hourly == "absent":
        del answer["hourly"]
    messages = read(KIND, saved(answer))
    assert records(messages) == [{key: value for key, value in answer.items() if value is not None}]
    (warning,) = logs(messages)
    assert warning.level == "warning"
    assert "no hourly rows" in warning.message


def test_an_answer_without_status_is_taken_with_a_warning(read: Read, saved: Any) -> None:
    """Rows are rows, also in a file that somebody cut out of an answer."""
    answer = _answer()
    del answer["status"]
    messages = read(KIND, saved(answer))
    assert records(messages) == [answer]
    assert [log.level for log in logs(messages)] == ["warning"]


def _big(rows: int) -> bytes:
    """An answer of 3 * rows rows of some 800 bytes."""
    head = json.dumps(_answer(hourly="HOURLY"))
    row = json.dumps({**_row("{}", 0), "remarque": "x" * 660})
    arrays = [f'"{name}": [{", ".join([row.replace("{}", name)] * rows)}]' for name in ("00052", "000R5", "07015")]
    return head.replace(
        '"HOURLY"', "{" + ", ".join([*arrays, '"EMPTY": []', '"_params": ["temperature"]']) + "}"
    ).encode()


def test_a_large_answer_comes_in_pieces(read: Read, saved: Any) -> None:
    """Every piece is an answer of its own below 8 MB; put together they are the answer, row for row in its order."""
    data = _big(15_000)
    assert len(data) > 32 << 20
    pieces = records(read(KIND, saved(data), source_mib=64))
    whole = orjson.loads(data)
    assert len(pieces) > len(data) // 8_000_000
    joined: dict[str, list[Any]] = {}
    for piece in pieces:
        assert list(piece) == list(whole)
        assert {**piece, "hourly": None} == {**whole, "hourly": None}
        assert piece["hourly"]["_params"] == ["temperature"]
        assert len(orjson.dumps(piece)) < 8_000_000
        for station, rows in piece["hourly"].items():
            joined.setdefault(station, []).extend(rows if station != "_params" else [])
    joined["_params"] = ["temperature"]
    assert joined == whole["hourly"]


@pytest.mark.parametrize(
    ("spoil", "error", "why"),
    [
        (lambda data: data[: len(data) * 5 // 8], FormatError, "cut short.* hourly.000R5"),
        (lambda data: b"12\xb0".join(data.rsplit(b"12.3", 1)), FormatError, "hourly.07015, among rows .* to 23,999"),
        (lambda data: data.replace(b'"OK"', b'"KO"', 1), SourceRefused, "status 'KO'"),
    ],
    ids=["truncated", "latin-1", "status"],
)
def test_a_large_bad_answer_yields_nothing(
    read: Read, saved: Any, spoil: Any, error: type[Exception], why: str
) -> None:
    """It is checked to its end before its first piece is handed on."""
    path = saved(spoil(_big(24_000)))
    assert path.stat().st_size > 32 << 20
    messages = open_source(Connection("c", KIND, str(path), "c"), Access(Limits(source_mib=128))).read(ReadRequest())
    with pytest.raises(error, match=why):
        next(messages)


def test_an_unknown_kind_of_source(read: Read) -> None:
    """The known kinds are listed."""
    with pytest.raises(ConfigError, match="one of wunderground-table, infoclimat"):
        read("metar", "x")
