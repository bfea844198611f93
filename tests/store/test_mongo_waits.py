"""How long a call waits for MongoDB, that it ends in time, that it is counted, and whom the job and readers ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import StoreError, StoreUnavailable
from barograph.model import LogEntry, StoreWaits
from barograph.store import open_reader, open_store
from barograph.store.base import DayKey, LogQuery, Store, StoreReader
from barograph.store.mongo import MongoStore
from tests.support.days import DAY, EXTRACTED, at, day_of
from tests.support.replica_set import ReplicaSet
from tests.support.tcp_proxy import TcpProxy

NEXT: Final = DAY + timedelta(days=1)
NOTHING: Final = StoreWaits()
SHORTEST: Final = 5.0
"""Seconds that a server may work at one call, however little patience there is."""


@given(st.lists(st.floats(0, 100).map(lambda seconds: StoreWaits(1, 2, seconds, seconds, f"{seconds}")), min_size=1))
def test_waits_add_up(waits: list[StoreWaits]) -> None:
    """Counts and times are summed, the longest keeps its reason, nothing added changes nothing."""
    total = sum(waits, NOTHING)
    assert (total.calls, total.repeats) == (len(waits), 2 * len(waits))
    assert total.total_s == pytest.approx(sum(one.total_s for one in waits), abs=0.01 * len(waits))
    longest = max(one.longest_s for one in waits)
    assert total.longest_s == longest
    assert longest == 0 or total.reason == str(longest)
    assert total + NOTHING == NOTHING + total == total


def test_usually_nothing_is_waited_for(store: Store) -> None:
    """In either engine."""
    store.save_days([day_of(temperature=[1.0])])
    store.put_logs([LogEntry("1", EXTRACTED, "info", "m")])
    assert store.take_waits() == NOTHING


def test_waits_are_counted(mongo_url: str, replica_set: ReplicaSet) -> None:
    """Two calls that had to be repeated, how long, why; told once."""
    with closing(MongoStore(mongo_url, patience=30)) as store:
        store.save_days([day_of(temperature=[1.0])])
        primary = replica_set.wait_for_primary()
        for number in (1, 2):
            with replica_set.failing(primary, ["insert"], times=3, errorCode=10107):
                store.put_logs([LogEntry(str(number), EXTRACTED, "info", "m")])
        waits = store.take_waits()
        assert (waits.calls, waits.repeats) == (2, 6)
        assert 0.1 < waits.longest_s < waits.total_s
        assert "failCommand" in waits.reason
        assert store.take_waits() == NOTHING
        assert len(store.logs(LogQuery())) == 2


def in_time(use: Callable[[], object], patience: float) -> StoreUnavailable:
    """The error of a call that nobody answers; its bound is generous, for machines that have much to do."""
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        use()
    assert time.monotonic() - begun < patience + SHORTEST + 15
    return caught.value


def test_a_silent_server_is_given_up(replica_set: ReplicaSet) -> None:
    """A port that swallows everything, also on connections that stand, does not hold a call beyond its patience."""
    port = replica_set.members[replica_set.wait_for_primary()].port
    with TcpProxy(port) as proxy:
        uri = f"mongodb://127.0.0.1:{proxy.port}/silent?directConnection=true"
        with closing(open_reader(uri, patience=1)) as store:
            assert store.stations() == []
            proxy.swallow()
            error = in_time(store.stations, 1)
            assert "list stations" in error.what
            proxy.forward()
            replica_set.until(lambda: answers(store), "the connection does not recover")


def answers(store: StoreReader) -> bool:
    try:
        store.stations()
    except StoreUnavailable:
        return False
    return True


def test_a_server_that_hangs_is_given_up(mongo_url: str, replica_set: ReplicaSet) -> None:
    """Its heartbeat answers, the call does not."""
    with closing(MongoStore(mongo_url, patience=1)) as store:
        hanging = {"blockConnection": True, "blockTimeMS": 6_000}
        with replica_set.failing(replica_set.wait_for_primary(), ["find"], times=1, **hanging):
            error = in_time(store.stations, 1)
        assert "timed out" in error.what
        assert store.take_waits().longest_s >= SHORTEST - 0.5


def test_a_majority_that_does_not_replicate(mongo_url: str, replica_set: ReplicaSet) -> None:
    """The secondaries answer, but do not copy: the server says so within the patience, and the save can be repeated."""
    day = day_of(temperature=[1.0])
    primary = replica_set.wait_for_primary()
    with closing(MongoStore(mongo_url, patience=1)) as store:
        store.put_logs([LogEntry("1", EXTRACTED, "info", "m")])
        with stopped_replication(replica_set, primary):
            error = in_time(lambda: store.save_days([day]), 1)
        assert "waiting for replication timed out" in error.what
    with closing(MongoStore(mongo_url, patience=30)) as store:
        lost = store.save_days([day])
        loaded = store.load_days([day.key])[day.key]
        assert (loaded.revision, loaded.frame["temperature"].to_list()) == (1, [1.0])
        # The first save got through after all, so a second one by another writer has lost.
        assert lost == {day.key}


def stopped_replication(replica_set: ReplicaSet, primary: int) -> ExitStack:
    stack = ExitStack()
    for number, member in enumerate(replica_set.members):
        if number != primary:
            client = stack.enter_context(replica_set._client(member))
            client.admin.command({"configureFailPoint": "rsSyncApplyStop", "mode": "alwaysOn"})
            stack.callback(client.admin.command, {"configureFailPoint": "rsSyncApplyStop", "mode": "off"})
    return stack


READS: Final[list[Callable[[StoreReader], Any]]] = [
    lambda store: store.stations(),
    lambda store: store.objects(),
    lambda store: store.logs(LogQuery()),
    lambda store: store.runs(),
    lambda store: store.read("IICHTE19", at(DAY), at(NEXT)).height,
    lambda store: list(store.days("IICHTE19", DAY, NEXT)),
]


@pytest.fixture
def filled(mongo_url: str) -> str:
    """The URI of a store with a day, for those who prefer secondaries."""
    with closing(MongoStore(f"{mongo_url}&w=3", patience=30)) as store:
        store.save_days([day_of(temperature=[1.0])])
        store.refresh_summaries(["IICHTE19"])
    return f"{mongo_url}&readPreference=secondaryPreferred"


def refusing(replica_set: ReplicaSet, numbers: list[int]) -> ExitStack:
    """These members refuse to read."""
    stack = ExitStack()
    for number in numbers:
        stack.enter_context(replica_set.failing(number, ["find", "aggregate"], errorCode=13))
    return stack


def test_the_job_reads_from_the_primary(filled: str, replica_set: ReplicaSet) -> None:
    """Whatever the URI says: what it builds upon is never what a secondary has not yet heard of."""
    primary = replica_set.wait_for_primary()
    with (
        closing(open_store(filled, patience=30)) as store,
        refusing(replica_set, [number for number in range(3) if number != primary]),
    ):
        for use in READS:
            use(store)
        assert store.load_days([DayKey("IICHTE19", DAY)])
        store.refresh_summaries(["IICHTE19"])
        store.delete_days()


def told_by_others(store: StoreReader) -> bool:
    """Whether a secondary answers. A driver that has met only the primary yet asks it: secondaries are preferred."""
    try:
        return bool(store.stations())
    except StoreError:
        return False


def test_readers_ask_whom_the_uri_prefers(filled: str, replica_set: ReplicaSet) -> None:
    """The same questions, answered by the secondaries alone, or by them refused."""
    primary = replica_set.wait_for_primary()
    others = [number for number in range(3) if number != primary]
    with closing(open_reader(filled, patience=30)) as store:
        with refusing(replica_set, [primary]):
            replica_set.until(lambda: told_by_others(store), "the secondaries do not have it")
            found = [use(store) for use in READS]
            assert (len(found[0]), found[4], len(found[5])) == (1, 1, 1)
        with refusing(replica_set, others):
            for use in READS:
                with pytest.raises(StoreError, match="not allowed"):
                    use(store)
