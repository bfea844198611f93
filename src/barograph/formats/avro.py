"""Avro files as records: containers of any codec, schemas of any shape that does not refer to itself."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import DecimalException
from typing import Any, Final

import orjson

from barograph.errors import FormatError
from barograph.formats.avro_container import MAGIC, AvroBlock, AvroContainer

BATCH_ROWS: Final = 20_000
BATCH_BYTES: Final = 8 * 1024 * 1024
"""What a batch holds at most, a block more: Avro's writers cut blocks at 16 to 64 kB, and each batch has its price."""
MAX_DEPTH: Final = 32
"""How deep a schema may nest."""

_MARK: Final = b"barograph's own."
_LOGICAL: Final = ("date", "time-", "timestamp-", "local-timestamp-", "decimal")
_NAMED: Final = ("record", "error", "enum", "fixed")
_NO_RECORD: Final = (
    ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError, AttributeError, struct.error,
    DecimalException,
)  # fmt: skip
"""What the Avro library raises where bytes do not fit their schema."""


@dataclass(frozen=True, slots=True)
class AvroBatch:
    """Consecutive records; `first` is the 1-based number of the first. `names`: the original names of fields."""

    first: int
    records: list[dict[str, Any]]
    names: dict[str, str]


def read_avro(chunks: Iterable[bytes], *, where: str, limit_bytes: int) -> Iterator[AvroBatch]:
    """The records of an Avro container, in batches.

    Values are Python's: date, time, datetime (aware for timestamps, naive for local ones), Decimal, bytes, dict, list.
    `limit_bytes` bounds a block when unpacked. Raises FormatError, with the place, and LimitExceeded; batches that were
    given before are good.
    """
    container = AvroContainer(chunks, where=where, limit_bytes=limit_bytes)
    names, schema = _check_schema(container)
    head = _header(schema)
    records: list[dict[str, Any]] = []
    first, whole, weight = 1, 0, 0
    try:
        for block in container.blocks():
            weight += len(block.data)
            for number, record in enumerate(_records(container, head, block), block.first):
                records.append(record)
                if len(records) >= BATCH_ROWS:
                    yield AvroBatch(first, records, names)
                    first, records, whole, weight = number + 1, [], 0, 0
            whole = len(records)
            if weight >= BATCH_BYTES and records:
                yield AvroBatch(first, records, names)
                first, records, whole, weight = first + len(records), [], 0, 0
    except FormatError:
        # The blocks before the damaged one are good.
        if whole:
            yield AvroBatch(first, records[:whole], names)
        raise
    if records:
        yield AvroBatch(first, records, names)


def _records(container: AvroContainer, head: bytes, block: AvroBlock) -> Iterator[dict[str, Any]]:
    """A block's records: handed to the library as a file of its own, not compressed."""
    import fastavro

    file = io.BytesIO(b"".join((head, _long(block.count), _long(len(block.data)), block.data, _MARK)))
    number = block.first
    try:
        (inner,) = fastavro.block_reader(file)
        for record in inner:
            if not isinstance(record, dict):
                raise FormatError("holds Avro values that are no records", where=container.where)
            yield record
            number += 1
        read: int = inner.bytes_.tell()  # type: ignore[attr-defined]  # documented; its stub lacks it
    except _NO_RECORD as error:
        why = str(error) or type(error).__name__
        raise container.damaged(block.at, f"its record {number:,} cannot be read ({why[:120]})") from error
    if number != block.first + block.count:
        raise container.damaged(block.at, f"a block of {block.count:,} records holds {number - block.first:,}")
    if read != len(block.data):
        # A count that is too low: the library would leave the rest, which no checksum of a codec covers.
        left = len(block.data) - read
        raise container.damaged(block.at, f"{left:,} bytes stand behind the {block.count:,} records of a block")


def _header(schema: bytes) -> bytes:
    pairs = ((b"avro.schema", schema), (b"avro.codec", b"null"))
    meta = b"".join(_long(len(part)) + part for pair in pairs for part in pair)
    return MAGIC + _long(len(pairs)) + meta + _long(0) + _MARK


def _long(value: int) -> bytes:
    """A variable-length zig-zag number, of one that is not negative."""
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _check_schema(container: AvroContainer) -> tuple[dict[str, str], bytes]:
    """The original names that its fields' docs tell, and the schema; one that cannot be read safely is refused."""
    from fastavro.schema import SchemaParseException, UnknownType, parse_schema

    try:
        schema = orjson.loads(container.schema)
        walk = _Walk()
        walk.see(schema, 0)
        parse_schema(schema)
    except (SchemaParseException, UnknownType, *_NO_RECORD) as error:
        raise FormatError(
            f"is an Avro file whose schema cannot be read ({str(error)[:200]})", where=container.where
        ) from error
    return walk.names, orjson.dumps(schema)


class _Walk:
    """A look at every part of a schema.

    One that refers to itself could nest without end, and an array of items that take no byte could be of any length.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._open: list[str] = []
        self._empty: dict[str, bool] = {}

    def see(self, schema: Any, depth: int) -> bool:
        """Whether a value of it may take no byte at all."""
        if depth > MAX_DEPTH:
            raise ValueError(f"it nests deeper than {MAX_DEPTH}")
        if isinstance(schema, list):
            for branch in schema:
                self.see(branch, depth + 1)
            return False
        if isinstance(schema, str):
            if schema in self._open:
                raise ValueError(f"{schema!r} holds itself")
            return schema == "null" or self._empty.get(schema, False)
        if not str(schema.get("logicalType", "")).startswith(_LOGICAL):
            # Among them uuid: an id that is none must not cost its block.
            schema.pop("logicalType", None)
        kind = schema["type"]
        if not isinstance(kind, str):
            return self.see(kind, depth + 1)
        if kind in ("array", "map"):
            empty = self.see(schema["items" if kind == "array" else "values"], depth + 1)
            if empty and kind == "array":
                raise ValueError("it has an array of items that take no byte")
            return False
        return self._named(schema, kind, depth) if kind in _NAMED else self.see(kind, depth + 1)

    def _named(self, schema: dict[str, Any], kind: str, depth: int) -> bool:
        name = str(schema["name"])
        known = {name, name.rpartition(".")[2], f"{schema.get('namespace', '')}.{name}"}
        self._open += known
        empty = kind == "fixed" and not schema["size"]
        if kind in ("record", "error"):
            fields = schema["fields"]
            widths = [self._field(field, depth + 1) for field in fields]
            empty = all(widths)
        del self._open[len(self._open) - len(known) :]
        self._empty |= dict.fromkeys(known, empty)
        return empty

    def _field(self, field: dict[str, Any], depth: int) -> bool:
        doc = field.get("doc")
        if isinstance(doc, str) and doc.startswith(ORIGINAL):
            self.names[field["name"]] = doc.removeprefix(ORIGINAL)
        return self.see(field["type"], depth)


ORIGINAL: Final = "_airbyte_original_name:"
"""How an Airbyte before 1.0 notes, in a field's doc, the name that it had to change."""
