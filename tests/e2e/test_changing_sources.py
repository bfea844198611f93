"""A source that shrinks, grows, reorders, repeats itself or alternates, and a clock that is set back: nothing is lost.

The record is what the extractions say in the order in which they were made, whatever the clock said.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph import model
from barograph.landing import spool
from barograph.landing.manifest import Manifest
from tests.e2e.scenario import Place, assert_settled
from tests.e2e.syncs import BEFORE, Rows, landed_rows, manifests, place_in, speak, zone_of
from tests.support.scripted import BATCH_BYTES, START, Script

NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
SetClock = Callable[[datetime], None]
ROWS: Final = st.dictionaries(st.integers(0, 12), st.integers(20, 24), min_size=1, max_size=8)
"""What an export says: humidity by five-minute step. Few of either, so that exports meet."""


def said(record: Place) -> dict[int, float | str | None]:
    """The record by the source's steps."""
    return {
        round((at - START).total_seconds() / 300): values["humidity"] for (_, at), values in record.record().items()
    }


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Set the clock that all of barograph reads."""

    def change(to: datetime) -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("barograph") and hasattr(module, "utc_now"):
                monkeypatch.setattr(module, "utc_now", lambda: to)

    return change


@pytest.mark.usefixtures("scripted")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    exports=st.lists(st.tuples(ROWS, st.randoms(use_true_random=False)), min_size=2, max_size=5),
    ingest_each=st.booleans(),
)
def test_whatever_a_source_says_next(exports: list[tuple[dict[int, int], object]], ingest_each: bool) -> None:
    """Rows that vanish stay, new ones come, the newest value of each wins, in any order and as often as it is said."""
    with tempfile.TemporaryDirectory() as folder:
        place = place_in(Path(folder), Script())
        expected: dict[int, int] = {}
        for rows, chance in exports:
            shuffled = list(rows.items())
            chance.shuffle(shuffled)  # type: ignore[attr-defined]
            speak(place, Script(shuffled))
            assert (place.run() if ingest_each else place.sync()).status == "done"
            expected |= rows
            if ingest_each:
                assert said(place) == expected
        assert place.ingest().status == "done"
        assert said(place) == expected
        assert_settled(place)


@pytest.mark.usefixtures("scripted")
def test_a_source_that_shrinks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it no longer says stays in the record, and the log tells how much that is."""
    monkeypatch.setattr(spool, "PART_BYTES", 1_000_000)
    place = place_in(tmp_path, Script(BEFORE))
    assert place.run().status == "done"
    before = place.export()
    speak(place, Script([row for row in BEFORE if not 10 <= row[0] < 17]))
    assert place.run().status == "done"
    assert place.export() == before
    told = [entry.msg for entry in place.logs("warning") if "no longer in the source" in entry.msg]
    assert told == ["7 reports of S:2024-12-01 are no longer in the source; the record keeps them"]


@pytest.mark.usefixtures("scripted")
def test_yesterday_again_and_two_states_in_turn(tmp_path: Path) -> None:
    """The same export again lands nothing; one that alternates lands each turn, and the record follows it."""
    place = place_in(tmp_path, Script(BEFORE))
    other: Rows = [(step, value + 1) for step, value in BEFORE]
    assert place.run().status == "done"
    assert place.run().connections[0].status == "unchanged"
    for turn in range(4):
        rows = other if turn % 2 == 0 else BEFORE
        speak(place, Script(rows))
        report = place.run()
        assert report.connections[0].status == "landed"
        assert said(place) == dict(rows)
        assert report.reports.changed == len(rows)
        assert place.run().connections[0].status == "unchanged"
    assert [manifest["generation_id"] for manifest in manifests(zone_of(place))] == [1, 2, 3, 4, 5]
    assert_settled(place)


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("every", [0, 1])
def test_a_clock_set_back_between_syncs(tmp_path: Path, set_clock: SetClock, every: int) -> None:
    """An hour, a day, a year back: the newer extraction wins, and the next one goes on from its state."""
    place = place_in(tmp_path, Script([(0, 50)], every))
    set_clock(NOON)
    assert place.run().status == "done"
    said_so_far: Rows = [(0, 50)]
    for number, back in enumerate([0, 3600, 86_400, 366 * 86_400, -5, 10]):
        said_so_far.append((0, 51 + number))
        speak(place, Script(said_so_far if every else said_so_far[-1:], every))
        set_clock(NOON - timedelta(seconds=back))
        assert place.run().status == "done"
        assert said(place) == {0: 51 + number}
    if every:
        assert sum(landed_rows(zone_of(place)).values()) == len(said_so_far)
    assert_settled(place)


@pytest.mark.usefixtures("scripted")
def test_a_clock_set_back_after_a_sync_that_died(
    tmp_path: Path, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts without a manifest, from a sync while the clock was a day ahead: what is extracted later still wins."""
    place = place_in(tmp_path, Script([(0, 50)]))
    set_clock(NOON)
    assert place.run().status == "done"
    set_clock(NOON + timedelta(days=1))
    speak(place, Script([(0, 60)]))

    def dies(*_: object) -> bool:
        raise RuntimeError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "create", dies)
        with pytest.raises(RuntimeError, match="died here"):
            place.sync()
    assert len(zone_of(place).objects()) == 2
    set_clock(NOON + timedelta(minutes=1))
    speak(place, Script([(0, 70)]))
    assert place.run().status == "done"
    assert said(place) == {0: 70}
    assert_settled(place)


@pytest.mark.usefixtures("scripted")
def test_a_clock_set_back_in_mid_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that runs backwards all the time: batches stand in the order in which they came."""
    ticks = iter(range(1_000_000))

    def backwards() -> datetime:
        return NOON - timedelta(seconds=next(ticks))

    steps = BATCH_BYTES // 50
    rows: Rows = [(step, 20 + turn) for turn in range(4) for step in range(steps)]
    place = place_in(tmp_path, Script(rows, every=steps))
    for name, module in list(sys.modules.items()):
        if name.startswith("barograph") and getattr(module, "utc_now", None) is model.utc_now:
            monkeypatch.setattr(module, "utc_now", backwards)
    assert place.sync().status == "done"
    assert len(manifests(zone_of(place))) > 3
    speak(place, Script([*rows, (0, 99)], every=steps))
    assert place.run().status == "done"
    assert said(place) == {**dict.fromkeys(range(steps), 23), 0: 99}
    assert_settled(place)
