"""The forms in which an Airbyte may land the same records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
