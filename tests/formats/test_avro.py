"""Avro containers: every codec, every value, bounded memory, damage told with its place."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Final

import cramjam
import fastavro
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import FormatError, LimitExceeded
from barograph.formats import avro
from barograph.formats.avro import read_avro

MIB: Final = 1024 * 1024
SYNC: Final = b"sixteen bytes ok"


def _deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


def _streamed(data: bytes) -> bytes:
    engine = zstandard.ZstdCompressor().compressobj()
    return engine.compress(data) + engine.flush()


PACK: Final[dict[str, Callable[[bytes], bytes]]] = {
    "null": bytes,
    "deflate": _deflate,
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)) + zlib.crc32(data).to_bytes(4, "big"),
    "zstandard": zstandard.ZstdCompressor().compress,
    "zstandard, as Java streams it": _streamed,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def long(value: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", value)
    return out.getvalue()


def container(schema: Any, blocks: list[tuple[int, bytes]], codec: str = "null") -> bytes:
    """A container put together by hand: blocks of a count and the packed bytes."""
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    meta = {"avro.schema": text, "avro.codec": codec.partition(",")[0].encode()}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, {"type": "map", "values": "bytes"}, meta)
    body = b"".join(long(count) + long(len(packed)) + packed + SYNC for count, packed in blocks)
    return b"Obj\x01" + out.getvalue() + SYNC + body


def encoded(schema: Any, records: list[Any]) -> bytes:
    out, parsed = io.BytesIO(), fastavro.parse_schema(json.loads(json.dumps(schema)))
    for record in records:
        fastavro.schemaless_writer(out, parsed, record)
    return out.getvalue()


def record_of(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields]}


def read(data: bytes, limit: int = MIB, chunk: int = 1000) -> list[dict[str, Any]]:
    chunks = [data[start : start + chunk] for start in range(0, len(data), chunk)]
    return [record for batch in read_avro(chunks, where="s/x.avro", limit_bytes=limit) for record in batch.records]


PLAIN: Final = record_of(("id", "string"), ("value", ["null", "double"]))
RECORDS: Final[list[dict[str, Any]]] = [{"id": f"id {i}", "value": i / 2 if i % 3 else None} for i in range(100)]


@pytest.mark.parametrize("codec", PACK)
@pytest.mark.parametrize("chunk", [1, 1000, 10**6])
def test_every_codec(codec: str, chunk: int) -> None:
    """Blocks of every codec come back, however the bytes arrive."""
    blocks = [(50, PACK[codec](encoded(PLAIN, RECORDS[start : start + 50]))) for start in (0, 50)]
    assert read(container(PLAIN, blocks, codec), chunk=chunk) == RECORDS


def test_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times, dates, instants, unions of three, maps, nested records; an id that is no UUID is a text."""
    nested = {"type": "record", "name": "n", "fields": [{"name": "x", "type": {"type": "array", "items": "long"}}]}
    schema = record_of(
        ("uuid", {"type": "string", "logicalType": "uuid"}),
        ("time", {"type": "long", "logicalType": "time-micros"}),
        ("date", {"type": "int", "logicalType": "date"}),
        ("at", {"type": "long", "logicalType": "timestamp-millis"}),
        ("union", ["null", "string", "double"]),
        ("map", {"type": "map", "values": "string"}),
        ("nested", ["null", nested]),
    )
    raw = record_of(
        ("uuid", "string"), ("time", "long"), ("date", "int"), ("at", "long"), ("union", ["null", "string", "double"]),
        ("map", {"type": "map", "values": "string"}), ("nested", ["null", nested]),
    )  # fmt: skip
    rows = [
        {"uuid": "none", "time": 240_000_000, "date": 19997, "at": 1761343020123, "union": branch,
         "map": {"a b": "1"}, "nested": {"x": [1, 2]}}
        for branch in (None, "a", 0.5)
    ]  # fmt: skip
    monkeypatch.setattr(avro, "BATCH_ROWS", 2)
    batches = list(read_avro([container(schema, [(3, encoded(raw, rows))])], where="x", limit_bytes=MIB))
    assert [(batch.first, len(batch.records)) for batch in batches] == [(1, 2), (3, 1)]
    found = [record for batch in batches for record in batch.records]
    assert [record["union"] for record in found] == [None, "a", 0.5]
    assert found[0] == {
        "uuid": "none", "time": time(0, 4), "date": date(2024, 10, 1),
        "at": datetime(2025, 10, 24, 21, 57, 0, 123000, UTC), "union": None, "map": {"a b": "1"},
        "nested": {"x": [1, 2]},
    }  # fmt: skip


@pytest.mark.parametrize("codec", PACK)
def test_a_bomb_is_refused(codec: str) -> None:
    """A block that unpacks to 64 MiB out of a few KiB is refused at the limit of one."""
    bomb = PACK[codec](b"\0" * 64 * MIB)
    with pytest.raises(LimitExceeded, match="record_mib"):
        read(container(PLAIN, [(1, bomb)], codec), chunk=10**6)


@pytest.mark.parametrize("codec", [name for name in PACK if name != "null"])
def test_the_limit_is_exact(codec: str) -> None:
    """A block of just the limit is read."""
    data = encoded(PLAIN, [{"id": "x" * 5000, "value": None}])
    whole = container(PLAIN, [(1, PACK[codec](data))], codec)
    assert len(read(whole, limit=len(data))) == 1
    with pytest.raises(LimitExceeded):
        read(whole, limit=len(data) - 1)


DEEP: Final = b'{"type":"array","items":' * 100 + b'"null"' + b"}" * 100
ITSELF: Final = record_of(("next", ["null", "r"]))
NOTHING: Final = {"type": "record", "name": "empty", "fields": [{"name": "n", "type": "null"}]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (container(record_of(("a", {"type": "array", "items": "null"})), []), "take no byte"),
        (container(record_of(("a", {"type": "array", "items": NOTHING})), []), "take no byte"),
        (container(ITSELF, []), "holds itself"),
        (container(DEEP, []), "deeper than 32"),
        (container(b'{"type":' * 100_000, []), "schema cannot be read"),
        (container(b'{"type":"record","name":"r"}', []), "schema cannot be read"),
        (container(record_of(("a", "nonsense")), []), "schema cannot be read"),
        (container("string", [(1, b"\x02a")]), "no records"),
        (container(PLAIN, [], "brotli"), "'brotli'"),
        (container(record_of(("n", "null")), [(2**40, b"")]), "1,099,511,627,776 records"),
        (container(PLAIN, [(5, encoded(PLAIN, RECORDS[:3]))]), "record 4 cannot be read"),
        (container(PLAIN, [(3, long(-50) + encoded(PLAIN, RECORDS[:3]))]), "cannot be read"),
        (container(PLAIN, [(-1, b"x")]), "-1 records"),
        (b"Obj\x01" + long(1) + long(2**40), "1,099,511,627,776 bytes"),
        (b"Obj\x01" + b"\xff" * 20, "is no number"),
        (b"Obj\x02" + bytes(100), "is not an Avro"),
        (b"Obj\x01" + long(0) + SYNC, "without a schema"),
    ],
)  # fmt: skip
def test_what_is_refused(data: bytes, words: str) -> None:
    """Schemas that could take any memory or stack, and headers and blocks that lie, with a reason."""
    with pytest.raises(FormatError, match=words) as caught:
        read(data)
    assert caught.value.where == "s/x.avro"


def test_damage_keeps_what_was_whole_and_tells_the_place() -> None:
    """Of three blocks the second is damaged: the first is given, then the record's number and the byte are told."""
    blocks = [(50, encoded(PLAIN, RECORDS[:50])), (50, b"\xff" * 200), (50, encoded(PLAIN, RECORDS[50:]))]
    data = container(PLAIN, blocks)
    batches = read_avro([data], where="x", limit_bytes=MIB)
    assert next(batches).records == RECORDS[:50]
    at = len(container(PLAIN, blocks[:1]))
    with pytest.raises(FormatError, match=f"record 51 cannot be read .*at byte {at:,}"):
        next(batches)


@pytest.mark.parametrize("codec", PACK)
def test_a_block_holds_no_more_than_its_records(codec: str) -> None:
    """A count that says too few would lose the others without a word: no checksum stands over it."""
    data = container(PLAIN, [(48, PACK[codec](encoded(PLAIN, RECORDS[:50])))], codec)
    with pytest.raises(FormatError, match="bytes stand behind the 48 records of a block, at byte"):
        read(data)


@pytest.mark.parametrize("codec", PACK)
@given(st.data())
def test_damage_is_an_error_or_nothing(codec: str, data: st.DataObject) -> None:
    """Cut anywhere, or with bytes changed: a FormatError, or records; where a checksum stands over them, the same."""
    blocks = [(50, PACK[codec](encoded(PLAIN, RECORDS[start : start + 50]))) for start in (0, 50)]
    whole = bytearray(container(PLAIN, blocks, codec))
    header = len(container(PLAIN, [], codec))
    cut = data.draw(st.integers(0, len(whole) - 1))
    with_end = data.draw(st.booleans())
    if not with_end and cut not in (header, len(container(PLAIN, blocks[:1], codec))):
        with pytest.raises(FormatError):
            read(bytes(whole[:cut]))
        return
    whole[cut] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(whole))
    except FormatError as error:
        assert error.where == "s/x.avro"  # noqa: PT017 - it may as well not be raised
    else:
        assert cut < header or codec not in ("snappy", "bzip2", "xz") or found == RECORDS
