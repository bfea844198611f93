"""Incremental syncs: batches beside what stands, each with its state in the manifest that is written last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import FormatError
from barograph.landing import LandingZone, StreamWriter, land, open_landing, open_object, reset
from barograph.landing import write as write_module
from barograph.landing.manifest import newest_manifest

NOW = datetime(2026, 11, 23, 0, 0, 0, 123000, tzinfo=UTC)


OPENED: list[StreamWriter] = []


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return open_landing(str(tmp_path / "landing"), "meteo_sync")


def writer(zone: LandingZone, day: int = 0) -> StreamWriter:
    OPENED.append(StreamWriter(zone, "s", started=NOW + timedelta(days=day)))
    return OPENED[-1]


def rows(zone: LandingZone) -> list[dict[str, Any]]:
    """Every landed record, oldest extraction first."""
    found: list[dict[str, Any]] = []
    for item in zone.objects():
        text = b"".join(open_object(zone, item, limit_mib=10)).decode()
        found += [json.loads(line)["_airbyte_data"] for line in text.splitlines()]
    return found


def sync(zone: LandingZone, day: int, *said: dict[str, Any]) -> StreamWriter:
    """A sync of records and, under the key `state`, checkpoints."""
    one = writer(zone, day)
    for message in said:
        if "state" in message:
            one.checkpoint(message["state"])
        else:
            one.add(message)
    return one


def test_batches_stand_beside_each_other(zone: LandingZone) -> None:
    """Each sync lands what is new; the generation stays, the sync's number grows, the state is the newest."""
    first = sync(zone, 0, {"n": 1}, {"state": {"at": 1}}).finish()
    second = sync(zone, 1, {"n": 2}, {"state": {"at": 2}}).finish()
    assert (first.changed, second.changed) == (True, True)
    assert (first.generation, second.generation) == (1, 1)
    assert rows(zone) == [{"n": 1}, {"n": 2}]
    assert writer(zone).state == {"at": 2}
    manifest = newest_manifest(zone, "s")
    assert manifest is not None
    assert (manifest.mode, manifest.sync_id, manifest.records) == ("incremental", 2, 1)


def test_nothing_new_lands_nothing(zone: LandingZone) -> None:
    """The same batch again, or none, leaves no object; a state that moved on is kept all the same."""
    sync(zone, 0, {"n": 1}, {"state": {"at": 1}}).finish()
    before = {item.key for item in zone.objects()}
    again = sync(zone, 1, {"n": 1}, {"state": {"at": 1}}).finish()
    assert not again.changed
    moved = sync(zone, 2, {"state": {"at": 3}}).finish()
    assert not moved.changed
    assert writer(zone).state == {"at": 3}
    assert {item.key for item in zone.objects()} == before
    assert not sync(zone, 3, {"n": 1}, {"state": {"at": 3}}).finish().changed


def test_what_broke_off_keeps_what_lies_before_its_last_state(zone: LandingZone) -> None:
    """Records behind the last state are dropped: the source will say them again, and they would stand twice."""
    broken = sync(zone, 0, {"n": 1}, {"state": {"at": 1}}, {"n": 2}, {"state": {"at": 2}}, {"n": 3})
    assert broken.settle().records == 2
    assert rows(zone) == [{"n": 1}, {"n": 2}]
    assert writer(zone).state == {"at": 2}
    without = sync(zone, 1, {"n": 9})
    assert not without.settle().changed
    assert rows(zone) == [{"n": 1}, {"n": 2}]


def test_a_full_batch_is_landed_at_its_state(zone: LandingZone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long syncs land as they go, so that a kill costs one batch; each has an instant and a manifest of its own."""
    monkeypatch.setattr(write_module, "BATCH_BYTES", 1)
    one = sync(zone, 0, {"n": 1}, {"state": {"at": 1}}, {"n": 2}, {"n": 3}, {"state": {"at": 3}}, {"n": 4})
    assert rows(zone) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert writer(zone).state == {"at": 3}
    landed = one.finish()
    assert landed.records == 4
    assert len(landed.objects) == 3
    assert len({item.extracted_at for item in zone.objects()}) == 3
    assert writer(zone).state == {"at": 3}, "what follows the last state is landed, and said again by the source"


def test_a_reset_forgets_the_state_and_nothing_else(zone: LandingZone) -> None:
    """The next sync begins anew, as another generation; what is landed stays."""
    sync(zone, 0, {"n": 1}, {"state": {"at": 1}}).finish()
    assert reset(zone, "s", started=NOW)
    assert not reset(zone, "s", started=NOW)
    assert writer(zone).state is None
    again = sync(zone, 1, {"n": 1}, {"state": {"at": 1}}).finish()
    assert (again.changed, again.generation) == (True, 2)
    assert rows(zone) == [{"n": 1}, {"n": 1}]


def test_a_stream_may_change_its_mode(zone: LandingZone) -> None:
    """A full refresh after incremental batches, and the other way round, are new generations."""
    assert land(zone, "s", [{"n": 1}], started=NOW).generation == 1
    assert sync(zone, 1, {"n": 1}, {"state": {"at": 1}}).finish().generation == 2
    assert land(zone, "s", [{"n": 1}], started=NOW + timedelta(days=2)).generation == 3


def test_a_damaged_manifest_is_named(zone: LandingZone) -> None:
    """No guess about where to go on."""
    sync(zone, 0, {"n": 1}, {"state": {"at": 1}}).finish()
    key = next(key for key in zone.keys("meteo_sync/_barograph/s") if key.endswith(".json"))
    zone.bucket.replace(key, b'{"generation_id": 1')
    with pytest.raises(FormatError, match=r"_barograph/s/\d+\.json: is no manifest"):
        writer(zone)


@given(st.lists(st.sampled_from(["record", "state", "break", "kill"]), max_size=40))
def test_broken_syncs_say_what_one_sync_says(events: list[str]) -> None:
    """However often a sync breaks off or is killed, the records from the last state on make the whole, once each."""
    zone = open_landing("memory://", uuid4().hex)
    day, position, one = 0, 0, writer(zone)
    for event in events:
        if event == "record":
            position += 1
            one.add({"n": position})
        elif event == "state":
            one.checkpoint({"at": position})
        else:
            day += 1
            if event == "break":
                one.settle()
            one = writer(zone, day)
            position = (one.state or {"at": 0})["at"]
    one.checkpoint({"at": position})
    one.finish()
    assert [row["n"] for row in rows(zone)] == list(range(1, position + 1))
