"""Records as Airbyte's S3 destination lands them in Avro and Parquet: flattened, typed, with names that Avro allows."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import count
from typing import Any, Final, Literal

import cramjam
import fastavro
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import zstandard

from tests.e2e.airbyte import Rows, csv_value

Era = Literal["before 1.0", "from 1.0"]
CODECS: Final = ("null", "deflate", "snappy", "zstandard", "bzip2", "xz")
EXTRA: Final = "_airbyte_additional_properties"


@dataclass(frozen=True, slots=True)
class Typing:
    """What the catalog's schema said.

    `objects`: nested objects have a schema, or none (then they are JSON text). `times`: `Time`, `Date` and `DateTime`
    have a format. `mixed`: a column of numbers that may also be texts, which some rows use. `extra`: a column that the
    schema did not foresee (before 1.0 it stood in a map, now it is dropped). `extracted` is the envelope's instant.
    """

    era: Era = "from 1.0"
    objects: bool = True
    times: bool = True
    mixed: str = ""
    extra: str = ""
    extracted: Literal["long", "timestamp", "text"] = "long"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: of a record `fields`, of an array `items`, of a union `branches`."""

    name: str
    fields: tuple[tuple[str, Kind], ...] = ()
    items: Kind | None = None
    branches: tuple[Kind, ...] = ()


def safe(name: str) -> str:
    """A name as Avro allows it."""
    changed = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return "_" + changed if changed[:1].isdigit() else changed


def infer(values: Iterable[Any], typing: Typing, name: str = "") -> Kind:
    """The type of some JSON values."""
    held = [value for value in values if value is not None]
    if held and all(isinstance(value, dict) for value in held):
        keys = dict.fromkeys(key for value in held for key in value)
        return Kind("record", tuple((key, infer([v.get(key) for v in held], typing, key)) for key in keys))
    if held and all(isinstance(value, list) for value in held):
        return Kind("array", items=infer([item for value in held for item in value], typing, name))
    if held and all(isinstance(value, bool) for value in held):
        return Kind("boolean")
    if name == typing.mixed:
        return Kind("union", branches=(Kind("string"), Kind("number")))
    if held and all(isinstance(value, int | float) for value in held):
        return Kind("number")
    return Kind(
        {"Time": "time", "Date": "date", "DateTime": "timestamp"}.get(name, "string") if typing.times else "string"
    )


def columns_of(rows: Rows, typing: Typing) -> list[tuple[str, Kind]]:
    """The data's columns, and their types at the root."""
    data = [row["_airbyte_data"] for row in rows]
    kind = infer(data, typing)
    found = [(name, field) for name, field in kind.fields if name != typing.extra]
    if not typing.objects:
        found = [(name, Kind("string") if field.name in ("record", "array") else field) for name, field in found]
    return found


def convert(value: Any, kind: Kind, turn: int = 0) -> Any:
    """A JSON value as Avro's libraries take it; `turn` decides which branch of a union it takes."""
    if value is None:
        return None
    if kind.name == "record":
        return {safe(key): convert(value.get(key), field) for key, field in kind.fields}
    if kind.items is not None:
        return [convert(item, kind.items) for item in value]
    if kind.name == "union":
        return str(value) if turn % 2 else float(value)
    return VALUES[kind.name](value)


VALUES: Final[dict[str, Callable[[Any], Any]]] = {
    "number": float,
    "boolean": bool,
    "time": time.fromisoformat,
    "date": date.fromisoformat,
    "timestamp": lambda value: datetime.fromisoformat(value).replace(tzinfo=UTC),
    "string": lambda value: str(csv_value(value)),
}


def envelope(row: dict[str, Any], typing: Typing) -> dict[str, Any]:
    """The envelope's own columns."""
    millis = row["_airbyte_extracted_at"]
    instant = datetime.fromtimestamp(millis / 1000, UTC)
    if typing.era == "before 1.0":
        return {"_airbyte_ab_id": row["_airbyte_raw_id"], "_airbyte_emitted_at": instant}
    extracted = {"long": millis, "timestamp": instant, "text": instant.isoformat().replace("+00:00", "Z")}
    return {
        "_airbyte_raw_id": row["_airbyte_raw_id"],
        "_airbyte_extracted_at": extracted[typing.extracted],
        "_airbyte_meta": {"sync_id": 10, "changes": [{"field": "x", "change": "NULLED", "reason": "TEST"}]},
        "_airbyte_generation_id": 1,
    }


def typed_rows(rows: Rows, typing: Typing) -> list[dict[str, Any]]:
    """The rows as flat records of Python values, under names that Avro allows."""
    columns = columns_of(rows, typing)
    found = []
    for turn, row in enumerate(rows):
        data = row["_airbyte_data"]
        record = envelope(row, typing)
        record |= {safe(name): convert(data.get(name), kind, turn) for name, kind in columns}
        if typing.era == "before 1.0":
            record[EXTRA] = {typing.extra: str(data[typing.extra])} if data.get(typing.extra) is not None else None
        found.append(record)
    return found


# ---------------------------------------------------------------------------------------------------------------- Avro

LONG_MILLIS: Final = {"type": "long", "logicalType": "timestamp-millis"}
AVRO: Final[dict[str, Any]] = {
    "string": "string",
    "number": "double",
    "boolean": "boolean",
    "time": {"type": "long", "logicalType": "time-micros"},
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
}


def avro_schema(rows: Rows, typing: Typing) -> dict[str, Any]:
    numbers = count()

    def of(kind: Kind) -> Any:
        if kind.name == "record":
            return {
                "type": "record",
                "name": f"nested{next(numbers)}",
                "fields": [field(*pair) for pair in kind.fields],
            }
        if kind.name == "array":
            assert kind.items is not None
            return {"type": "array", "items": ["null", of(kind.items)]}
        return AVRO[kind.name]

    def field(name: str, kind: Kind) -> dict[str, Any]:
        branches = [of(branch) for branch in kind.branches] or [of(kind)]
        made: dict[str, Any] = {"name": safe(name), "type": ["null", *branches], "default": None}
        if safe(name) != name and typing.era == "before 1.0":
            made["doc"] = f"_airbyte_original_name:{name}"
        return made

    if typing.era == "before 1.0":
        outer: list[dict[str, Any]] = [
            {"name": "_airbyte_ab_id", "type": {"type": "string", "logicalType": "uuid"}},
            {"name": "_airbyte_emitted_at", "type": LONG_MILLIS},
        ]
        inner = [{"name": EXTRA, "type": ["null", {"type": "map", "values": "string"}], "default": None}]
    else:
        change = [{"name": name, "type": "string"} for name in ("field", "change", "reason")]
        changes = {"type": "array", "items": {"type": "record", "name": "change_t", "fields": change}}
        meta = [{"name": "sync_id", "type": "long"}, {"name": "changes", "type": changes}]
        extracted: Any = {"long": "long", "timestamp": LONG_MILLIS, "text": "string"}[typing.extracted]
        outer = [
            {"name": "_airbyte_raw_id", "type": "string"},
            {"name": "_airbyte_extracted_at", "type": extracted},
            {"name": "_airbyte_meta", "type": {"type": "record", "name": "meta_t", "fields": meta}},
            {"name": "_airbyte_generation_id", "type": "long"},
        ]
        inner = []
    fields = [*outer, *(field(*pair) for pair in columns_of(rows, typing)), *inner]
    return {"type": "record", "name": "stream", "namespace": "airbyte", "fields": fields}


def avro_of(rows: Rows, typing: Typing, codec: str = "null", block_rows: int = 100) -> bytes:
    """An Avro container, some rows a block."""
    schema = fastavro.parse_schema(avro_schema(rows, typing))
    records = typed_rows(rows, typing)
    sync = os.urandom(16)
    out = io.BytesIO()
    out.write(b"Obj\x01")
    meta = {"avro.schema": json.dumps(avro_schema(rows, typing)).encode(), "avro.codec": codec.encode()}
    fastavro.schemaless_writer(out, {"type": "map", "values": "bytes"}, meta)
    out.write(sync)
    for start in range(0, len(records), block_rows):
        block = io.BytesIO()
        some = records[start : start + block_rows]
        for record in some:
            fastavro.schemaless_writer(block, schema, record)
        packed = PACK[codec](block.getvalue())
        for number in (len(some), len(packed)):
            fastavro.schemaless_writer(out, "long", number)
        out.write(packed + sync)
    return out.getvalue()


def _deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


def _snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data)) + zlib.crc32(data).to_bytes(4, "big")


def _streamed_zstandard(data: bytes) -> bytes:
    """As Java writes it: the frame does not say how large its content is."""
    engine = zstandard.ZstdCompressor().compressobj()
    return engine.compress(data) + engine.flush()


PACK: Final[dict[str, Callable[[bytes], bytes]]] = {
    "null": bytes,
    "deflate": _deflate,
    "snappy": _snappy,
    "zstandard": _streamed_zstandard,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}

# ------------------------------------------------------------------------------------------------------------- Parquet

ARROW: Final[dict[str, pa.DataType]] = {
    "string": pa.string(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "time": pa.time64("us"),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
}


def arrow_type(kind: Kind, typing: Typing) -> pa.DataType:
    if kind.name == "record":
        return pa.struct([(safe(name), arrow_type(field, typing)) for name, field in kind.fields])
    if kind.name == "array":
        assert kind.items is not None
        return pa.list_(arrow_type(kind.items, typing))
    if kind.name == "union":
        if typing.era == "before 1.0":
            return pa.struct([(f"member{place}", ARROW[branch.name]) for place, branch in enumerate(kind.branches)])
        return pa.struct([("type", pa.string()), *((branch.name, ARROW[branch.name]) for branch in kind.branches)])
    return ARROW[kind.name]


def arrow_table(rows: Rows, typing: Typing) -> pa.Table:
    columns = {safe(name): kind for name, kind in columns_of(rows, typing)}
    records = typed_rows(rows, typing)
    arrays: dict[str, pa.Array] = {}
    for name in records[0]:
        values = [record[name] for record in records]
        if name not in columns:
            arrays[name] = pa.array(values, type=_envelope_type(name, typing))
            continue
        kind = columns[name]
        if kind.name == "union":
            values = [union_value(value, kind, typing) for value in values]
        arrays[name] = pa.array(values, type=arrow_type(kind, typing))
    return pa.table(arrays)


def _envelope_type(name: str, typing: Typing) -> pa.DataType | None:
    if name == EXTRA:
        return pa.map_(pa.string(), pa.string())
    if name == "_airbyte_emitted_at" or (name == "_airbyte_extracted_at" and typing.extracted == "timestamp"):
        return pa.timestamp("ms", "UTC")
    return None


def union_value(value: Any, kind: Kind, typing: Typing) -> dict[str, Any] | None:
    if value is None:
        return None
    branch = "string" if isinstance(value, str) else "number"
    if typing.era == "from 1.0":
        return {"type": branch, branch: value}
    return {f"member{place}": value for place, one in enumerate(kind.branches) if one.name == branch}


def parquet_of(
    rows: Rows,
    typing: Typing,
    *,
    compression: str = "snappy",
    group_rows: int = 100,
    by: str = "pyarrow",
    **options: Any,
) -> bytes:
    """A Parquet file by one of two writers, in several row groups."""
    table, out = arrow_table(rows, typing), io.BytesIO()
    if by == "pyarrow":
        pq.write_table(table, out, compression=compression, row_group_size=group_rows, **options)
    else:
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        codec: Any = "uncompressed" if compression == "none" else compression
        frame.write_parquet(out, compression=codec, row_group_size=group_rows)
    return out.getvalue()
