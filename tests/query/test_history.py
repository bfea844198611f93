"""What the store tells of a connection's syncs: windows, health, the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.model import RunReport, SyncReport
from barograph.query.history import RECENT, WINDOWS, History, entry_dict, histories
from barograph.store import open_store
from barograph.store.base import Store, SyncEntry

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'm.db'}")) as opened:
        yield opened


def put(store: Store, hours: float, *syncs: tuple[str, str], **more: Any) -> None:
    """A run that ended so many hours ago, with the connections and how each went."""
    ended = NOW - timedelta(hours=hours)
    began = ended - timedelta(seconds=90)
    reports = tuple(SyncReport(name, name, status, began, ended, **more) for name, status in syncs)  # type: ignore[arg-type]
    store.put_run(RunReport(f"{began:%Y%m%dT%H%M%S}", "run", began, ended, "done", connections=reports))


def test_windows(store: Store) -> None:
    """Syncs, failures, records and bytes within 6 and 24 hours, 7 and 30 days; neither skipped nor stopped ones."""
    put(store, 1, ("a", "landed"), records=10, bytes=1000)
    put(store, 2, ("a", "stopped"), records=3, bytes=300)
    put(store, 3, ("a", "skipped"))
    put(store, 20, ("a", "failed"), ("b", "landed"), error="x", records=2, bytes=20)
    put(store, 100, ("a", "unchanged"), records=7)
    put(store, 500, ("a", "landed"), records=100, bytes=9000)
    found = histories(store, ["a", "b", "never"], NOW)
    assert {name: (w.syncs, w.failures, w.records, w.bytes) for name, w in found["a"].windows.items()} == {
        "6h": (1, 0, 10, 1000),
        "24h": (2, 1, 12, 1020),
        "7d": (3, 1, 12, 1020),
        "30d": (4, 1, 112, 10020),
    }
    assert [w.success for w in found["a"].windows.values()] == [1.0, 0.5, pytest.approx(2 / 3), 0.75]
    assert (found["a"].strip, found["a"].health) == ("+=xs+", "unsteady")
    assert found["a"].last is not None
    assert entry_dict(found["a"].last)["seconds"] == 90.0
    assert (found["never"].last, found["never"].health, found["never"].windows["30d"].success) == (
        None,
        "unknown",
        None,
    )


def test_the_last_sync_is_found_however_old(store: Store) -> None:
    """Beyond the longest window."""
    put(store, 24 * 400, ("old", "landed"))
    put(store, 1, ("a", "landed"))
    found = histories(store, ["a", "old"], NOW)["old"]
    assert found.last is not None
    assert (found.windows["30d"].syncs, found.strip, found.last.sync.finished) == (0, "+", NOW - timedelta(days=400))


def test_a_stopped_sync_is_still_owed(store: Store) -> None:
    """Its attempt does not count: the next start of the scheduler makes up for it."""
    put(store, 30, ("a", "failed"), error="x")
    put(store, 1, ("a", "stopped"), error="was stopped")
    found = histories(store, ["a"], NOW)["a"]
    assert found.attempted == NOW - timedelta(hours=30, seconds=90)
    assert found.health == "failing"


@given(st.lists(st.sampled_from(["landed", "unchanged", "failed", "stopped"]), max_size=30))
def test_health_follows_from_the_last_syncs(statuses: list[Any]) -> None:
    """good: none of the last failed; failing: the newest did; unsteady: another did. The strip has a sign for each."""
    entries = [
        SyncEntry("r", "run", SyncReport("a", "a", status, NOW - timedelta(hours=n), NOW - timedelta(hours=n)))
        for n, status in enumerate(statuses)
    ]
    found = History(tuple(entries), {})
    last = [status for status in statuses[:RECENT] if status != "stopped"]
    expected = "unknown" if not last else "failing" if last[0] == "failed" else "good"
    if expected == "good" and "failed" in last:
        expected = "unsteady"
    assert found.health == expected
    assert found.strip[::-1] == "".join(
        {"landed": "+", "unchanged": "=", "failed": "x", "stopped": "s"}[s] for s in statuses[:RECENT]
    )
    assert list(WINDOWS) == ["6h", "24h", "7d", "30d"]
