"""The source `table`: what is landed of CSV, JSON, JSON lines and workbooks, and what is refused."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from barograph.config import Connection
from barograph.errors import BarographError, FormatError, LimitExceeded, SourceRefused, SourceUnavailable
from barograph.messages import Message, Record
from barograph.sources import Access, ReadRequest, open_source
from tests.formats.workbooks import workbook
from tests.sources.conftest import LIMITS, logs, records
from tests.support.http_server import HttpServer, Reply, html, json_text, redirect

ROWS: list[dict[str, Any]] = [{"t": "2024-10-01T00:00Z", "T": 11.5, "n": {"a": [1, None]}}, {"t": "x", "T": 7}]


def table(url: str | Path, *, environ: dict[str, str] | None = None, **options: Any) -> list[Message]:
    """All messages of a source `table`."""
    connection = Connection("test", "table", str(url), "test", options=options, environ=environ or {})
    return list(open_source(connection, Access(LIMITS)).read(ReadRequest()))


def landed(tmp_path: Path, data: bytes, name: str = "table.txt", **options: Any) -> list[dict[str, Any]]:
    (tmp_path / name).write_bytes(data)
    return records(table(tmp_path / name, **options))


# ----------------------------------------------------------------------------------------------------------------- CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_as_it_stands(tmp_path: Path, delimiter: str) -> None:
    """Cells are text, blanks kept, empty ones left out; `Row` is the line of the file. A bar has to be named."""
    text = "\ufefft,T,Row\r\n2024, 7 ,a\r\n,8\r\n".replace(",", delimiter).replace("8", f"8{delimiter}")
    options = {"delimiter": "|"} if delimiter == "|" else {}
    assert landed(tmp_path, text.encode(), **options) == [
        {"t": "2024", "T": " 7 ", "Row.1": "a", "Row": 2},
        {"T": "8", "Row": 3},
    ]


def test_csv_below_a_preamble_in_another_encoding(tmp_path: Path) -> None:
    """The line of the header is named, and the encoding, which is not guessed."""
    data = "Station;Calais\n\nZeit;Température\n1;7,5\n".encode("cp1252")
    assert landed(tmp_path, data, encoding="cp1252", header_row=3) == [{"Zeit": "1", "Température": "7,5", "Row": 4}]
    with pytest.raises(FormatError, match="not UTF-8"):
        landed(tmp_path, data, header_row=3)


def test_csv_lines_that_cannot_be_split(tmp_path: Path) -> None:
    """A line with an odd quote, one cut short and one too long are landed whole, each with its reason; no other is."""
    data = b't,T,u\n1,2,3\n4,"5,6\n7,8\n9,10,11,12\n13,14,15,,\n16,17,18\n'
    assert landed(tmp_path, data) == [
        {"t": "1", "T": "2", "u": "3", "Row": 2},
        {"_unread": 'opens a quote that does not close: 4,"5,6', "Row": 3},
        {"_unread": "has 2 cells instead of 3: 7 | 8", "Row": 4},
        {"_unread": "has 4 cells instead of 3: 9 | 10 | 11 | 12", "Row": 5},
        {"t": "13", "T": "14", "u": "15", "Row": 6},
        {"t": "16", "T": "17", "u": "18", "Row": 7},
    ]


# ---------------------------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("document", "options"),
    [
        (ROWS, {}),
        ({"data": {"rows": ROWS}, "count": 2}, {"records": "data.rows"}),
        ({"data": ROWS}, {"records": "data", "content": "json"}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("indent", [None, 1])
def test_json_value_for_value(
    tmp_path: Path, document: Any, options: dict[str, Any], indent: int | None, *, packed: bool
) -> None:
    """Records keep their nested values; keys that are null are left out. Gzip is unpacked whatever the name says."""
    data = json.dumps(document, indent=indent).encode()
    assert landed(tmp_path, gzip.compress(data) if packed else data, **options) == ROWS


def test_json_lines_value_for_value(tmp_path: Path) -> None:
    """A line that is no JSON object, the cut last one too, is landed as it stands, with its number."""
    data = b"\n".join([*(json.dumps(row).encode() for row in ROWS), b"", b"[1]", b'{"t": "2024'])
    *good, listed, cut = landed(tmp_path, data)
    assert good == ROWS
    assert listed == {"_unread": "is not a JSON object: [1]", "Row": 4}
    assert cut["Row"] == 5
    assert cut["_unread"].startswith("is not JSON (")
    assert cut["_unread"].endswith('): {"t": "2024')


@pytest.mark.parametrize(
    ("document", "options", "what"),
    [
        ({"data": {"rows": []}}, {"records": "data.items"}, "has no 'items' in 'data'.*there is rows"),
        ({"data": {"rows": {}}}, {"records": "data.rows"}, "has an object instead of a list in 'rows'"),
        ([1], {"records": "data"}, "has no 'data' in the document"),
    ],
)
def test_json_without_the_list(tmp_path: Path, document: Any, options: dict[str, Any], what: str) -> None:
    """The error shows where the path leaves the document."""
    with pytest.raises(FormatError, match=what):
        landed(tmp_path, json.dumps(document).encode(), **options)


def test_damaged_and_oversized(tmp_path: Path) -> None:
    """JSON and gzip that are cut short, nothing at all, and gzip that unpacks beyond the limit."""
    data = json.dumps(ROWS, indent=1).encode()
    with pytest.raises(FormatError, match="is not JSON"):
        landed(tmp_path, data[:-5])
    with pytest.raises(FormatError, match="ends inside of its gzip"):
        landed(tmp_path, gzip.compress(data)[:-9])
    with pytest.raises(SourceRefused, match="is empty"):
        landed(tmp_path, b"")
    with pytest.raises(LimitExceeded, match="larger than 4 MiB"):
        landed(tmp_path, gzip.compress(b"t,T\n" + b"1,2\n" * (2 << 20)))


# ----------------------------------------------------------------------------------------------------------- workbooks


def test_workbooks(tmp_path: Path) -> None:
    """Each sheet's rows with its title and the row's number; dates and times as text; a preamble is stepped over."""
    sheets: dict[str, list[list[Any]]] = {
        "North": [["Export of", "today"], ["Day", "Clock", "T", "Sheet"], [date(2024, 10, 1), time(0, 4), 7.5, "x"]],
        "Empty": [],
        "South": [[None], ["When", "T"], [datetime(2024, 10, 1, 0, 4), 8]],
    }
    (tmp_path / "book.bin").write_bytes(workbook(sheets))
    messages = table(tmp_path / "book.bin", header_row=2)
    assert records(messages) == [
        {"Day": "2024-10-01", "Clock": "00:04:00", "T": 7.5, "Sheet.1": "x", "Sheet": "North", "Row": 3},
        {"When": "2024-10-01 00:04:00", "T": 8.0, "Sheet": "South", "Row": 3},
    ]
    assert ["'Empty' is empty" in log.message for log in logs(messages)] == [True]


# ---------------------------------------------------------------------------------------------------------------- HTTP


def test_a_server_that_wants_a_token(http_server: HttpServer) -> None:
    """The header carries the value of the variable; a variable that is not set is named."""
    url = http_server.on("/api", json_text(json.dumps({"obs": ROWS})))
    options: dict[str, Any] = {
        "headers": {"Authorization": "Bearer ${TOKEN}", "Accept": "application/json"},
        "records": "obs",
    }
    assert records(table(url, environ={"TOKEN": "s3cret"}, **options)) == ROWS
    (seen,) = http_server.requests_to("/api")
    assert (seen.headers["authorization"], seen.headers["accept"]) == ("Bearer s3cret", "application/json")
    assert seen.headers["user-agent"].startswith("barograph/")
    with pytest.raises(BarographError, match="TOKEN is not set"):
        table(url, **options)


def test_headers_are_for_one_server(http_server: HttpServer) -> None:
    """A redirect to another host takes none of them along; one within the host takes all."""
    with HttpServer() as other:
        elsewhere = other.on("/there", json_text(json.dumps(ROWS)))
        url = http_server.on("/away", redirect(elsewhere))
        options = {"headers": {"X-Api-Key": "${TOKEN}"}}
        assert records(table(url, environ={"TOKEN": "s3cret"}, **options)) == ROWS
        assert "x-api-key" not in other.requests_to("/there")[0].headers
    http_server.on("/here", json_text(json.dumps(ROWS)))
    url = http_server.on("/near", redirect("/here"))
    table(url, environ={"TOKEN": "s3cret"}, **options)
    assert http_server.requests_to("/here")[0].headers["x-api-key"] == "s3cret"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"no s3cret here", status=403),
        html("please log in with s3cret"),
        Reply(b"", status=500),
        Reply(b"t,T\n1,2\n", cut_at=3),
        redirect("ftp://s3cret/x"),
        Reply(b"PK\x03\x04 s3cret"),
        Reply(b'{"a": s3cret'),
    ],
)
def test_no_message_shows_the_secret(http_server: HttpServer, reply: Reply) -> None:
    """Neither the header's value nor the one in the address's path stands in any error, whatever the server says."""
    url = http_server.on("/s3cret/table", reply).replace("s3cret", "${TOKEN}")
    with pytest.raises((SourceRefused, SourceUnavailable, FormatError)) as caught:
        table(url, environ={"TOKEN": "s3cret"}, headers={"Authorization": "${TOKEN}"})
    assert "s3cret" not in f"{caught.value} {caught.value.args} {caught.value.where} {caught.value.hint}"


# ------------------------------------------------------------------------------------------------------------------ S3


def test_an_object_in_a_bucket(s3_bucket: str) -> None:
    """Any table, gzipped too; what is not there is an error that names the object."""
    store = S3Store(s3_bucket, client_options={"allow_http": True})
    obstore.put(store, "exports/day.csv.gz", gzip.compress(b"t,T\n1,2\n"))
    messages = table(f"s3://{s3_bucket}/exports/day.csv.gz")
    assert messages == [Record({"t": "1", "T": "2", "Row": 2})]
    with pytest.raises(SourceRefused, match=r"exports/gone\.csv: is not there"):
        table(f"s3://{s3_bucket}/exports/gone.csv")
    with pytest.raises(SourceRefused, match="names no object"):
        table(f"s3://{s3_bucket}")
    obstore.put(store, "big.csv", b"t,T\n" + b"1,2\n" * (2 << 20))
    with pytest.raises(LimitExceeded):
        table(f"s3://{s3_bucket}/big.csv")
