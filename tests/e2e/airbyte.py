"""The forms in which an Airbyte may land the same records."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

Rows = list[dict[str, Any]]


def rows_of(path: Path) -> Rows:
    """The records of a landed object, envelope and data, as JSON values."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n") if line]
    decode: dict[str, Callable[[str], Any]] = {
        "_airbyte_data": json.loads,
        "_airbyte_meta": json.loads,
        "_airbyte_extracted_at": int,
    }
    return [
        {name: decode.get(name, str)(cell) for name, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


def jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows).encode()


def flat(rows: Rows) -> Rows:
    """The data's own fields in place of `_airbyte_data`."""
    return [{**{k: v for k, v in row.items() if k != "_airbyte_data"}, **row["_airbyte_data"]} for row in rows]


def shuffled(rows: Rows) -> Rows:
    """The keys in another order."""
    return [{**row, "_airbyte_data": dict(reversed(row["_airbyte_data"].items()))} for row in rows]


def csv_of(rows: Rows) -> bytes:
    out = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        cells = {
            name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
            for name, value in row.items()
        }
        writer.writerow({name: cells.get(name, "") for name in names})
    return out.getvalue().encode()


def legacy(rows: Rows) -> Rows:
    """Before 1.0: other names, no metadata."""
    return [
        {"_airbyte_ab_id": row["_airbyte_raw_id"], "_airbyte_emitted_at": row["_airbyte_extracted_at"],
         "_airbyte_data": row["_airbyte_data"]}
        for row in rows
    ]  # fmt: skip


# What the S3 destination writes for the records of a source, put together from Airbyte's documentation and code with
# nothing but the standard library.

MASKED: Final = ("00000000-0000-7000-8000-000000000000", 0, {"sync_id": 0, "changes": []}, 0)
ENVELOPE: Final = ("_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id")


def destination(records: list[dict[str, Any]], form: str, *, flat: bool, catalog: list[str] | None = None) -> bytes:
    """The object's bytes (before gzip), with ids, times and numbers of syncs and generations masked."""
    data = [whole_numbers(record) for record in records]
    envelopes = [dict(zip(ENVELOPE, MASKED, strict=True)) for _ in data]
    if form == "jsonl":
        rows = [{**e, **d} if flat else {**e, "_airbyte_data": d} for e, d in zip(envelopes, data, strict=True)]
        return jsonl(rows)
    names = catalog or list(dict.fromkeys(name for record in data for name in record))
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([*ENVELOPE, *(names if flat else ["_airbyte_data"])])
    for envelope, record in zip(envelopes, data, strict=True):
        values = [record.get(name) for name in names] if flat else [record]
        writer.writerow([csv_value(value) for value in (*envelope.values(), *values)])
    return out.getvalue().encode()


def csv_value(value: Any) -> str | int | float:
    """A field of a CSV: numbers as they are, the rest as text."""
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert isinstance(value, str | int | float)
    return value


def whole_numbers(value: Any) -> Any:
    """0.0 as 0, anywhere."""
    if isinstance(value, dict):
        return {name: whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value == int(value) else value


def masked(data: bytes, form: str) -> bytes:
    """An object's bytes with ids, times and numbers of syncs and generations masked, and nothing else."""
    uuid = rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    if form == "jsonl":
        head = (
            rb'^\{"_airbyte_raw_id":"'
            + uuid
            + (
                rb'","_airbyte_extracted_at":\d{13},"_airbyte_meta":\{"sync_id":\d+,(.*?)\},"_airbyte_generation_id":\d+'
            )
        )
        new = b'{"_airbyte_raw_id":"%s","_airbyte_extracted_at":0,"_airbyte_meta":{"sync_id":0,\\1},'
        new += b'"_airbyte_generation_id":0'
    else:
        head = rb'^"' + uuid + rb'",\d{13},"\{""sync_id"":\d+,(.*?)\}",\d+'
        new = b'"%s",0,"{""sync_id"":0,\\1}",0'
    return re.sub(head, new.replace(b"%s", MASKED[0].encode()), data, flags=re.MULTILINE)
