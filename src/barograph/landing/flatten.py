"""Airbyte's "root level flattening": the fields of a record in the place of `_airbyte_data`, nested ones as they are.

A CSV needs to know its columns first: those of the stream's catalog in their order, then what a record holds beyond
them (Airbyte drops that; we do not) in the order of first appearance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

ENVELOPE: Final = ("_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id")


def columns_of(lines: Iterable[bytes], known: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns of a CSV with these records, a JSON object each."""
    found = dict.fromkeys(known)
    for line in lines:
        found.update(dict.fromkeys(orjson.loads(line)))
    return tuple(name for name in found if name not in ENVELOPE)


def csv_header(columns: Iterable[str]) -> bytes:
    """The header's line, every name quoted."""
    return b",".join(map(_text, (*ENVELOPE, *columns))) + b"\r\n"


def csv_fields(data: bytes, columns: Iterable[str]) -> bytes:
    """A record's fields as the destination writes them.

    Everything is quoted but numbers; null and missing are an empty text, objects and arrays compact JSON.
    """
    record: dict[str, Any] = orjson.loads(data)
    return b"".join([b"," + _field(record.get(name)) for name in columns])


def json_fields(data: bytes) -> bytes:
    """What follows the envelope's own members in a line of JSON, its closing brace included."""
    return b"}" if data == b"{}" else b"," + data[1:]


def _field(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return b'""'
    text = orjson.dumps(value)
    return text if isinstance(value, int | float) and not isinstance(value, bool) else _quoted(text)


def _text(value: str) -> bytes:
    return _quoted(value.encode())


def _quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b'"', b'""') + b'"'
