"""Landing objects in memory and decoding them, for tests."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

import polars as pl

from barograph.decode import DecodeContext, Decoded, decode_object
from barograph.landing import open_landing, open_object
from barograph.model import Note, Rejection, Station

_names = count()
EXTRACTED = datetime(2025, 10, 24, 21, 57, tzinfo=UTC)
MILLIS = 1761343020000
NAME = "2025_10_24_1761343021500_0"
STATION = Station("IICHTE19", timezone="Europe/Brussels")
TABLE = DecodeContext("wunderground-table", STATION)
ANSWER = DecodeContext("infoclimat")
FLAT = ["_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id"]


def row(time: str | None = "00:04:00", day: str | None = "2024-10-01", **cells: Any) -> dict[str, Any]:
    """A record of a Weather Underground table, as our own sync lands it."""
    record: dict[str, Any] = {"Time": time, "Temperature": "56.8\u00a0°F", "Humidity": "87\u00a0%", "Wind": "WSW"}
    record |= {name.replace("_", " "): value for name, value in cells.items()} | {"Date": day}
    return {name: value for name, value in record.items() if value is not None}


def envelope(data: Mapping[str, Any], millis: int = MILLIS) -> dict[str, Any]:
    """Airbyte's envelope."""
    meta = {"sync_id": 10, "changes": []}
    return {
        "_airbyte_raw_id": "019a1839-a420-7813-bae0-9580a65e0cba",
        "_airbyte_extracted_at": millis,
        "_airbyte_meta": meta,
        "_airbyte_generation_id": 1,
        "_airbyte_data": data,
    }


def dumps(value: Any) -> str:
    """Compact JSON, as it is landed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def jsonl(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Un-flattened JSON lines."""
    return "".join(dumps(envelope(record)) + "\n" for record in records).encode()


def csv_bytes(header: list[str], rows: Iterable[Iterable[Any]], quoting: int = csv.QUOTE_NONNUMERIC) -> bytes:
    """A CSV with CRLF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator="\r\n")  # type: ignore[arg-type]
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


class Outcome:
    """All that a decoder gave for one object."""

    def __init__(self, pieces: list[Decoded]) -> None:
        frames = [piece.frame for piece in pieces if not piece.frame.is_empty()]
        self.frame = pl.concat(frames, how="diagonal") if frames else Decoded().frame
        self.rejections: list[Rejection] = [r for piece in pieces for r in piece.rejections]
        self.notes: list[Note] = [n for piece in pieces for n in piece.notes]
        self.stations = {s.station_id: (s, at) for piece in pieces for s, at in piece.stations}
        self.blank = sum(piece.blank for piece in pieces)

    @property
    def times(self) -> list[str]:
        """UTC instants, as text."""
        return self.frame.get_column("utc_time").dt.strftime("%Y-%m-%dT%H:%M").to_list()


def decode(data: bytes, extension: str = "jsonl", context: DecodeContext = TABLE) -> Outcome:
    """Land `data` in memory and decode it."""
    zone = open_landing(f"memory://decode{next(_names)}", "p")
    body = gzip.compress(data) if extension.endswith(".gz") else data
    zone.create(f"p/s/{NAME}.{extension}", body)
    (item,) = zone.objects()
    return Outcome(list(decode_object(item, lambda: open_object(zone, item, limit_mib=100), context)))
