"""A connector that fails in every way: what is landed, which state is kept, what is said, and who is left running."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from threading import Event

import pytest

from barograph.landing import write as write_module
from barograph.pipeline import sync
from barograph.pipeline.journal import Journal
from barograph.pipeline.syncing import SyncRequest, sync_connection
from barograph.sources import Access
from barograph.store.base import LogQuery
from tests.sources.airbyte.lab import SECRET, Lab, eventually


def failed(lab: Lab, mode: str, *parts: str, **config: object) -> str:
    """The error of a sync in this mode; it must hold every one of the texts."""
    options = config.pop("options", None)
    report = lab.sync(mode, options=options, **config)  # type: ignore[arg-type]
    assert report.status == "failed"
    error = report.error or ""
    assert error.startswith("connection c: ")
    for part in parts:
        assert part in error
    return error


def test_a_crash_in_mid_record_keeps_what_its_last_state_covers(lab: Lab) -> None:
    """The half record is an error, the record behind the state is dropped: the next sync says it again."""
    failed(lab, "crash", "line 6 of the connector's output", "cut short")
    assert lab.ids() == [1, 2]
    assert lab.at() == 2
    assert lab.sync(until=4).status == "landed"
    assert lab.ids() == [1, 2, 3, 4]
    assert lab.at() == 4


def test_a_connector_killed_by_a_signal_is_told(lab: Lab) -> None:
    """Nothing lands: no state came."""
    failed(lab, "killed", "ended with signal 9 after 1 records")
    assert lab.landed() == []


def test_a_damaged_message_is_never_taken_for_log_text(lab: Lab) -> None:
    """It might have been a record, so the sync fails with the line, in spite of the good end that follows."""
    failed(lab, "damaged", "line 3 of the connector's output", "damaged JSON")
    assert (lab.ids(), lab.at()) == ([1], 1)


def test_garbage_between_messages_is_log_text(lab: Lab) -> None:
    """Text, other JSON, bytes that are no text, messages of a kind that nobody knows: the records stand."""
    assert lab.sync("garbage").status == "landed"
    assert lab.ids() == [1, 2, 3, 4, 5, 6]
    told = lab.logs("info")
    for text in ("Downloading: 10%", '{"not": "a message"}', "[1, 2]", "no text at all"):
        assert any(text in line for line in told), text


def test_a_line_without_end_is_refused_and_not_held(lab: Lab) -> None:
    """64 MiB against a limit of 1: stream and line are named, and memory does not grow with the line."""
    import tracemalloc

    tracemalloc.start()
    try:
        failed(lab, "huge", "line 4 of the connector's output (stream users)", "longer than 1 MiB", "record_mib")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024
    assert (lab.ids(), lab.at()) == ([1], 1)


def test_a_connector_that_hangs_is_ended(lab: Lab) -> None:
    """Log text is no sign of life; what the last state covers stands."""
    failed(lab, "hang", "said nothing for 2 s", "idle_timeout", options={"idle_timeout": 2.0})
    assert (lab.ids(), lab.at()) == ([1], 1)


def test_a_discover_that_never_answers_is_ended(lab: Lab) -> None:
    """However much it talks."""
    failed(lab, "babble", "said nothing for 2 s", options={"idle_timeout": 2.0})


def test_a_sync_has_a_time_in_all(lab: Lab) -> None:
    """Whatever the connector says meanwhile."""
    failed(lab, "hang", "was not done after", "raise timeout", options={"timeout": 3.0})


def test_a_connector_that_closes_its_output_and_stays_is_ended(lab: Lab) -> None:
    """All its records came; but whether it succeeded, only its exit code tells."""
    failed(lab, "closed", "said nothing for 2 s", options={"idle_timeout": 2.0})
    assert lab.at() == 6


def test_a_wrong_exit_code_is_a_failure(lab: Lab) -> None:
    """Although every stream was COMPLETE; a full refresh of it lands nothing, states are kept."""
    failed(lab, "exit", "ended with exit code 4 after 6 records")
    assert lab.at() == 6
    failed(lab, "exit", "exit code 4", has=["days"], options={"streams": ("days",)})
    assert lab.landed("days") == []


def test_a_state_ahead_of_its_records_is_not_kept(lab: Lab) -> None:
    """One that counts its records is found out at once; one that does not waits for records to come or a good end."""
    failed(lab, "early_state", "covers 3 records, but 0 came before it")
    assert (lab.landed(), lab.at()) == ([], None)
    failed(lab, "early_silent_state", "exit code 1")
    assert (lab.landed(), lab.at()) == ([], None)
    assert lab.sync("early_then_good").status == "landed"
    assert (lab.ids(), lab.at()) == ([1, 2, 3], 3)


def test_a_flood_of_logs_neither_blocks_nor_drowns(lab: Lab) -> None:
    """Both outputs are drained; so many lines are logged, each cut, errors apart, and how many were left out."""
    assert lab.sync("flood").status == "landed"
    assert lab.ids() == [1, 2, 3, 4, 5, 6]
    told = lab.logs()
    assert len(told) < 600
    assert max(map(len, told)) < 2100
    assert any(re.search(r"2\d,\d{3} further log lines were left out", line) for line in told)
    assert any("it burns" in line and "in the cellar" in line for line in lab.logs("error"))


@pytest.mark.parametrize(
    ("failure_type", "retryable"), [("config_error", False), ("transient_error", True), ("system_error", False)]
)
@pytest.mark.parametrize("code", [0, 1])
def test_a_trace_error_is_the_syncs_error(lab: Lab, failure_type: str, retryable: bool, code: int) -> None:
    """With the connector's own message, its secret masked, and whether trying again may help; also at exit code 0."""
    error = failed(lab, "trace", "login with *** failed", failure_type, failure_type=failure_type, code=code,
                   password="${PASSWORD}")  # fmt: skip
    assert SECRET not in error
    assert (lab.ids(), lab.at()) == ([1], 1)
    entries = [entry for entry in lab.job.store.logs(LogQuery()) if "sync of c failed" in entry.msg]
    assert [entry.context["retryable"] for entry in entries] == [retryable]


def test_an_incomplete_stream_is_a_failure(lab: Lab) -> None:
    """Exit code 0 is not enough for a connector that tells statuses."""
    failed(lab, "incomplete", "without completing users (INCOMPLETE)")
    assert (lab.ids(), lab.at()) == ([1], 1)


def test_a_connector_deaf_to_sigterm_is_killed(lab: Lab) -> None:
    """SIGTERM first, SIGKILL when that does not help."""
    failed(lab, "deaf", "said nothing for 2 s", options={"idle_timeout": 2.0})
    assert lab.at() == 1


@pytest.mark.parametrize("hang", [False, True])
def test_what_a_connector_starts_ends_with_it(lab: Lab, hang: bool) -> None:
    """Also a grandchild in another session that ignores SIGTERM and holds the output open, after a good end or not."""
    if hang:
        failed(lab, "family", "said nothing for 2 s", hang=True, options={"idle_timeout": 2.0})
    else:
        assert lab.sync("family").status == "landed"
    assert len({pid for pid, _ in lab.pids()}) == 3, "discover, read and the grandchild"


def test_a_record_of_a_stream_that_nobody_asked_for_is_an_error(lab: Lab) -> None:
    """It belongs nowhere."""
    failed(lab, "stranger", "line 3 of the connector's output is of stream 'strangers', which was not asked for")
    assert (lab.ids(), lab.at()) == ([1], 1)


def test_a_failed_discover_is_told_with_its_reason(lab: Lab) -> None:
    """And the sync may be tried again."""
    failed(lab, "undiscovered", "the server is closed (transient_error)")


def test_no_secret_leaves_in_any_way(lab: Lab) -> None:
    """Not in LOG, stack trace, TRACE, text, stderr or a cut line; nor does the environment reach the connector."""
    report = lab.sync("secrets", password="${PASSWORD}", service="${SERVICE}")
    told = "\n".join([*lab.logs(), report.error or ""])
    for secret in (SECRET, "wörd/of", "w\\u00f6rd/of", "-----KEY-----", "abcdefgh", "p4"):
        assert secret not in told, secret
    assert "*** is wrong" in told
    (shown,) = [line for line in lab.logs() if "environment " in line]
    assert "TMPDIR" in shown
    assert "PASSWORD" not in shown
    assert "PYTEST" not in shown


def test_python_only_json_is_repaired(lab: Lab) -> None:
    """NaN and infinity are null, a lone surrogate is U+FFFD, an integer beyond 64 bits a float; the record stands."""
    assert lab.sync("python_json").status == "landed"
    (record,) = lab.landed()
    assert record == {"id": 1, "x": "\ufffd", "y": 2**70}


def test_a_stop_ends_the_connector_at_once(lab: Lab) -> None:
    """Asked to stop in mid-sync, also while nothing is said; what a state covers is kept."""
    stop = Event()
    connection = lab.connection("slow", until=3)
    journal = Journal(lab.job.store, "r")

    def ask() -> None:
        eventually((lab.folder / "pidsslow").exists)
        time.sleep(0.3)
        stop.set()

    asking = threading.Thread(target=ask)
    asking.start()
    access = Access(lab.job.settings.limits, lab.folder)
    report = sync_connection(lab.job.zone, connection, access, journal, SyncRequest(None, stop))
    asking.join()
    assert "was stopped" in (report.error or "")
    assert (lab.ids(), lab.at()) == ([1, 2], 2)
    assert lab.left() == []


def test_an_error_of_ours_ends_the_connector(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the landing zone refuses, or the program breaks, nobody goes on running."""

    def broken(self: object, record: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(write_module.StreamWriter, "add", broken)
    settings = replace(lab.job.settings, connections={"c": lab.connection("hang")})
    with pytest.raises(ZeroDivisionError):
        sync(replace(lab.job, settings=settings))
    assert lab.pids() != []
    assert lab.left() == []
