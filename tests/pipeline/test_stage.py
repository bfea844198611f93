"""Several connections in one run: bounded, in order, alone with themselves, whatever becomes of the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from barograph.errors import SourceUnavailable
from barograph.landing import last_state
from barograph.messages import Message, Record, State
from barograph.pipeline import forget_state, run, sync
from barograph.pipeline.locks import connection_lock
from barograph.sources import ReadRequest
from barograph.store.base import LogQuery
from tests.pipeline.network import Network, job_of, open_files


def test_two_hundred_connections(tmp_path: Path, network: Network) -> None:
    """Never more at once than the configuration allows, few open files, and the reports in the file's order."""
    names = [f"c{number:03}" for number in range(200)]
    with job_of(tmp_path, *names, concurrency=5) as job:
        before = open_files()
        report = sync(job)
        logged = job.store.logs(LogQuery(run_id=report.run_id))
    assert [one.connection for one in report.connections] == names
    assert {one.status for one in report.connections} == {"landed"}
    assert 2 <= network.most <= 5
    assert network.files - before <= 5 * 8
    assert len({entry.log_id for entry in logged}) == len(logged) == 202


def test_one_at_a_time(tmp_path: Path, network: Network) -> None:
    """A concurrency of 1 is one after the other."""
    with job_of(tmp_path, "a", "b", "c", concurrency=1) as job:
        sync(job)
    assert network.most == 1


def test_a_crash_costs_only_itself(tmp_path: Path, network: Network) -> None:
    """The others' reports stand in the store, and what nobody foresaw still ends the run as an internal error."""

    def crash(request: ReadRequest) -> Iterator[Message]:
        yield Record({})
        raise ZeroDivisionError("nobody saw it coming")

    def unavailable(request: ReadRequest) -> Iterator[Message]:
        if request.states == {}:
            raise SourceUnavailable("did not answer")
        yield Record({})

    network.readers = {"b": crash, "c": unavailable}
    with job_of(tmp_path, "a", "b", "c", "d") as job:
        with pytest.raises(ZeroDivisionError):
            run(job)
        (told,) = job.store.runs()
        entries = {entry.sync.connection: entry.sync for entry in job.store.syncs(datetime(2020, 1, 1, tzinfo=UTC))}
    assert [one["connection"] for one in told["connections"]] == ["a", "b", "c", "d"]
    assert [one["status"] for one in told["connections"]] == ["landed", "failed", "failed", "landed"]
    assert told["status"] == "incomplete"
    assert entries["b"].error == "internal error: ZeroDivisionError: nobody saw it coming"


def test_stopping(tmp_path: Path, network: Network) -> None:
    """What is under way keeps what its last state vouches for; what has not begun has no report."""

    def endless(request: ReadRequest) -> Iterator[Message]:
        begin = (request.states.get("") or {"n": 0})["n"]
        for number in range(begin, begin + 10_000):
            yield Record({"n": number})
            yield State({"n": number + 1})
            yield Record({"n": "not vouched for"})
            if number == begin + 2:
                job.stop.set()

    network.readers = {"a": endless}
    with job_of(tmp_path, "a", "b", concurrency=1) as job:
        report = run(job)
        assert [(one.connection, one.status, one.records) for one in report.connections] == [("a", "stopped", 5)]
        assert report.status != "done"
        assert report.objects == ()
        assert last_state(job.zone, "a") == {"n": 3}
        again = sync(replace(job, stop=threading.Event()), ["b"])
    assert [one.status for one in again.connections] == ["landed"]


def test_a_source_that_hangs_does_not_keep_the_run(tmp_path: Path, network: Network) -> None:
    """A thread that waits for a silent server is left to itself some seconds after the stop."""
    silence, begun = threading.Event(), threading.Event()

    def silent(request: ReadRequest) -> Iterator[Message]:
        begun.set()
        silence.wait(60)
        yield Record({})

    network.readers = {"a": silent}
    with job_of(tmp_path, "a") as job:

        def stop() -> None:
            begun.wait(60)
            job.stop.set()

        threading.Thread(target=stop).start()
        report = sync(job)
        silence.set()
    assert [(one.connection, one.status) for one in report.connections] == [("a", "stopped")]


def test_under_way_elsewhere(tmp_path: Path, network: Network) -> None:
    """The second sync of a connection is skipped, which is no failure; the log tells who is at it."""
    with job_of(tmp_path, "a", "b") as job:
        with connection_lock(tmp_path, "a"):
            report = sync(job)
        told = [entry.msg for entry in job.store.logs(LogQuery()) if "skipped" in entry.msg]
        assert [one.status for one in sync(job, ["a", "a"]).connections] == ["landed"]
    assert [(one.connection, one.status) for one in report.connections] == [("a", "skipped"), ("b", "landed")]
    assert report.status == "done"
    assert told == ["sync of a skipped: the sync of a is under way already (in this process)"]


def test_forgetting_a_state(tmp_path: Path, network: Network) -> None:
    """The next sync begins anew; a connection that is read whole has nothing to forget."""
    begun: list[Any] = []

    def counting(request: ReadRequest) -> Iterator[Message]:
        begun.append(dict(request.states))
        yield Record({"n": len(begun)})
        yield State({"n": len(begun)})

    network.readers = {"a": counting}
    with job_of(tmp_path, "a", "whole") as job:
        for _ in range(2):
            sync(job)
        connections = job.settings.connections
        assert forget_state(job.zone, connections["whole"], tmp_path) == []
        assert forget_state(job.zone, connections["a"], tmp_path) == ["a"]
        assert forget_state(job.zone, connections["a"], tmp_path) == []
        sync(job)
        assert sum(item.stream == "a" for item in job.zone.objects()) == 3
    assert begun == [{}, {"": {"n": 1}}, {}]
