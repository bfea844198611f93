"""The landing zone: Airbyte's layout, write-once, a new generation only when the content changed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import FormatError, LandingError, LimitExceeded
from barograph.landing import LandingZone, land, open_landing, open_object
from barograph.landing import spool as spool_module
from barograph.landing.layout import parse_key

NOW = datetime(2026, 11, 23, 0, 0, 0, 123000, tzinfo=UTC)
RECORDS = [{"Time": "00:04:00", "Temperature": "56.8\u00a0°F", "UV": 0.0}, {}, {"Solar": "0\u00a0w/m²", "UV": 0.5}]


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return open_landing(str(tmp_path / "landing"), "meteo_sync")


def _content(zone: LandingZone, key: str) -> bytes:
    item = next(item for item in zone.objects() if item.key == key)
    return b"".join(open_object(zone, item, limit_mib=10))


def test_jsonl_is_what_airbyte_writes(zone: LandingZone) -> None:
    """Key order, compact JSON, raw UTF-8, integral floats as integers, a UUIDv7, a final newline (facts/airbyte.md)."""
    landed = land(zone, "ichtegem", RECORDS, started=NOW, format="jsonl")
    assert landed.objects == ("meteo_sync/ichtegem/2026_11_23_1795392000123_0.jsonl",)
    text = _content(zone, landed.objects[0]).decode()
    masked = re.sub(r'"_airbyte_raw_id":"[0-9a-f-]{36}"', '"_airbyte_raw_id":"ID"', text)
    head = '{"_airbyte_raw_id":"ID","_airbyte_extracted_at":1795392000123,"_airbyte_meta":{"sync_id":1,"changes":[]}'
    assert masked.split("\n") == [
        head + ',"_airbyte_generation_id":1,"_airbyte_data":{"Time":"00:04:00","Temperature":"56.8\u00a0°F","UV":0}}',
        head + ',"_airbyte_generation_id":1,"_airbyte_data":{}}',
        head + ',"_airbyte_generation_id":1,"_airbyte_data":{"Solar":"0\u00a0w/m²","UV":0.5}}',
        "",
    ]
    ids = [UUID(json.loads(line)["_airbyte_raw_id"]) for line in text.splitlines()]
    assert {uuid.version for uuid in ids} == {7}
    assert len(set(ids)) == 3
    assert {uuid.int >> 80 for uuid in ids} == {1795392000123}


def test_csv_is_what_airbyte_writes(zone: LandingZone) -> None:
    """RFC 4180: header, CRLF, text quoted, numbers bare, the data as one compact JSON cell."""
    landed = land(zone, "ichtegem", RECORDS, started=NOW, format="csv")
    raw = _content(zone, landed.objects[0])
    assert raw.startswith(
        b'"_airbyte_raw_id","_airbyte_extracted_at","_airbyte_meta","_airbyte_generation_id","_airbyte_data"\r\n"'
    )
    assert raw.count(b"\r\n") == raw.count(b"\n") == 4
    rows = list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
    assert [json.loads(row["_airbyte_data"]) for row in rows] == [RECORDS[0], {}, RECORDS[2]]
    assert b'",1795392000123,"{""sync_id"":1,""changes"":[]}",1,"{""Time""' in raw


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_generation_is_landed_only_when_the_content_changed(
    zone: LandingZone, format_: str, compression: str
) -> None:
    """The same records again leave the landing zone byte for byte as it was; one changed value lands all anew."""
    settings = {"format": format_, "compression": compression}
    first = land(zone, "s", RECORDS, started=NOW, **settings)
    before = {item.key: item.etag for item in zone.objects()}
    again = land(zone, "s", RECORDS, started=NOW + timedelta(days=1), **settings)
    assert (first.changed, again.changed) == (True, False)
    assert {item.key: item.etag for item in zone.objects()} == before
    changed = land(zone, "s", [*RECORDS[:2], {"Solar": "1\u00a0w/m²"}], started=NOW + timedelta(days=2), **settings)
    assert changed.changed
    assert changed.generation == 2
    assert set(before) < {item.key for item in zone.objects()}


def test_a_generation_whose_object_was_removed_is_landed_again(zone: LandingZone, tmp_path: Path) -> None:
    """An operator may delete an object; the next sync notices."""
    first = land(zone, "s", RECORDS, started=NOW)
    (tmp_path / "landing" / first.objects[0]).unlink()
    assert land(zone, "s", RECORDS, started=NOW + timedelta(days=1)).changed


def test_a_source_that_fails_half_way_lands_nothing(zone: LandingZone) -> None:
    """Nothing is landed before the source has finished."""

    def failing() -> Iterator[dict[str, Any]]:
        yield RECORDS[0]
        raise FormatError("broken")

    land(zone, "s", RECORDS, started=NOW)
    before = zone.objects()
    with pytest.raises(FormatError):
        land(zone, "s", failing(), started=NOW + timedelta(days=1))
    assert zone.objects() == before


def test_a_crash_while_landing_leaves_the_previous_generation_whole(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the new generation's second part missing, the old objects stand, and the next sync lands all of it."""
    monkeypatch.setattr(spool_module, "PART_BYTES", 200)
    many = [{"n": number} for number in range(20)]
    first = land(zone, "s", many, started=NOW)
    assert len(first.objects) > 2
    contents = {key: _content(zone, key) for key in first.objects}
    original = LandingZone.create

    def dying(self: LandingZone, key: str, data: bytes, attributes: Any = None) -> bool:
        if key.endswith("_1.jsonl"):
            raise LandingError("the machine died")
        return original(self, key, data, attributes)

    changed = [{"n": -number} for number in range(20)]
    with monkeypatch.context() as patch:
        patch.setattr(LandingZone, "create", dying)
        with pytest.raises(LandingError):
            land(zone, "s", changed, started=NOW + timedelta(days=1))
    assert {key: _content(zone, key) for key in first.objects} == contents
    second = land(zone, "s", changed, started=NOW + timedelta(days=2))
    assert second.changed
    lines = b"".join(_content(zone, key) for key in second.objects).splitlines()
    assert [json.loads(line)["_airbyte_data"] for line in lines] == changed


def test_a_clock_that_went_back_never_makes_a_newer_extraction_look_older(zone: LandingZone) -> None:
    """Generations order as they were landed, whatever the clock says."""
    land(zone, "s", [{"n": 1}], started=NOW)
    land(zone, "s", [{"n": 2}], started=NOW - timedelta(days=3))
    items = zone.objects()
    assert [json.loads(_content(zone, item.key))["_airbyte_data"]["n"] for item in items] == [1, 2]
    assert items[0].extracted_at < items[1].extracted_at


def test_landed_objects_are_never_overwritten(zone: LandingZone) -> None:
    """create() refuses an existing key and leaves it as it is."""
    assert zone.create("meteo_sync/s/a.csv", b"one")
    assert not zone.create("meteo_sync/s/a.csv", b"two")
    assert zone.read("meteo_sync/s/a.csv") == b"one"


def test_a_sync_without_records_lands_no_object(zone: LandingZone) -> None:
    """As with Airbyte; the manifest remembers that there was nothing."""
    landed = land(zone, "s", [], started=NOW)
    assert landed.objects == ()
    assert not land(zone, "s", [], started=NOW + timedelta(days=1)).changed


@pytest.mark.parametrize(
    ("key", "stream", "extension", "millis"),
    [
        ("meteo_sync/Ichtegem_BE/2025_10_24_1761343021500_0.jsonl", "Ichtegem_BE", "jsonl", 1761343021500),
        ("meteo_sync/ns/s/2025_10_24_1761343021500_12.csv.gz", "s", "csv.gz", 1761343021500),
        (
            "meteo_sync/s/2021_01_02_1609459200000_0f0a3bb2-1111-4222-8333-444455556666.csv",
            "s",
            "csv",
            1609459200000,
        ),
        ("meteo_sync/s/Ichtegem_BE.xlsx", "s", "xlsx", None),
        ("meteo_sync/s/my.export.csv", "s", "csv", None),
    ],
)
def test_keys_are_read_as_airbyte_names_them(key: str, stream: str, extension: str, millis: int | None) -> None:
    """Current names, older ones with a namespace folder or a UUID part, and files dropped by hand."""
    name = parse_key("meteo_sync", key)
    assert name is not None
    assert (name.stream, name.extension) == (stream, extension)
    assert (None if name.extracted_at is None else int(name.extracted_at.timestamp() * 1000)) == millis


@pytest.mark.parametrize(
    "key", ["meteo_sync/_barograph/s/1.json", "meteo_sync/loose.csv", "other/s/a.csv", "meteo_sync/s/.hidden"]
)
def test_other_keys_are_no_objects(key: str) -> None:
    """Manifests, loose files, other prefixes."""
    assert parse_key("meteo_sync", key) is None


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), st.integers(1, 30))
def test_gzip_members_unpack_whatever_the_chunks(members: list[bytes], size: int) -> None:
    """Several gzip members after one another, cut anywhere, give their contents."""
    zone = open_landing("memory://gzip", "p")
    data = b"".join(gzip.compress(member) for member in members)
    key = f"p/s/{hash((data, size)) & 0xFFFFFFFF}.csv.gz"
    zone.create(key, data)
    item = next(item for item in zone.objects() if item.key == key)
    assert b"".join(open_object(zone, item, limit_mib=1)) == b"".join(members)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv.gz", b"plain,text\n", "is not gzip"),
        ("a.csv", gzip.compress(b"x", mtime=0), "is not csv but gzip"),
        ("a.jsonl", b"PK\x03\x04rest", "is not jsonl but a zip"),
        ("a.xlsx", b"<!DOCTYPE html><html>", "is not a workbook but HTML"),
        ("a.jsonl", b"\n <html><body>503</body>", "is not jsonl but HTML"),
        ("a.csv.gz", gzip.compress(b"x" * 1000, mtime=0)[:-9], "cut short"),
        ("a.csv.gz", gzip.compress(b"x" * 1000, mtime=0)[:-8] + bytes(8), "damaged"),
    ],
)
def test_an_object_that_is_not_what_its_name_says_is_refused(name: str, data: bytes, message: str) -> None:
    """Each refusal names the object and says what it found."""
    zone = open_landing(f"memory://{name}{len(data)}", "p")
    zone.create(f"p/s/{name}", data)
    (item,) = zone.objects()
    with pytest.raises(FormatError, match=message) as caught:
        list(open_object(zone, item, limit_mib=1))
    assert item.key in str(caught.value)


def test_a_gzip_bomb_is_refused_in_bounded_memory() -> None:
    """Unpacking stops at the limit, not at the end."""
    zone = open_landing("memory://bomb", "p")
    zone.create("p/s/bomb.jsonl.gz", gzip.compress(b"0" * (64 << 20)))
    (item,) = zone.objects()
    with pytest.raises(LimitExceeded, match="more than 3 MiB"):
        list(open_object(zone, item, limit_mib=3))


def test_an_object_that_changes_while_it_is_read_is_noticed(zone: LandingZone) -> None:
    """The bytes of two versions are never mixed."""
    landed = land(zone, "s", RECORDS, started=NOW)
    (item,) = zone.objects()
    assert landed.objects == (item.key,)
    with pytest.raises(LandingError, match="changed while it was read"):
        list(open_object(zone, replace(item, etag="other"), limit_mib=1))
