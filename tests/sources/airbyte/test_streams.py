"""Streams, sync modes and states of a well-behaved connector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from barograph.landing.manifest import newest_manifest
from barograph.pipeline import ingest
from barograph.store.base import LogQuery
from tests.sources.airbyte.lab import Lab

BOTH = {"streams": ("users", "days"), "stream_prefix": "fake_"}


def test_the_only_stream_needs_no_name(lab: Lab) -> None:
    """It is landed in the connection's folder, incrementally because it can; nulls are left out, keys in order."""
    assert lab.sync().status == "landed"
    assert [list(record) for record in lab.landed()] == [["id"]] * 6
    assert lab.at() == 6
    assert lab.sync().status == "unchanged"
    assert lab.ids() == [1, 2, 3, 4, 5, 6]


def test_streams_have_folders_and_modes_of_their_own(lab: Lab) -> None:
    """Incremental with a state beside a full refresh, whose states say nothing."""
    assert lab.sync(has=["users", "days"], options=BOTH).stream == "fake_users, fake_days"
    assert (lab.ids("fake_users"), lab.ids("fake_days")) == ([1, 2, 3, 4, 5, 6], [100])
    assert (lab.at("fake_users"), lab.at("fake_days")) == (6, None)
    assert lab.sync(has=["users", "days"], until=7, options=BOTH).status == "landed"
    assert (lab.ids("fake_users"), lab.ids("fake_days")) == ([1, 2, 3, 4, 5, 6, 7], [100])


def test_several_streams_must_be_chosen(lab: Lab) -> None:
    """The error lists them; so does one of a name that is not there."""
    error = lab.sync(has=["users", "days"]).error or ""
    assert "2 streams and streams is not set" in error
    assert "'days', 'users'" in error
    error = lab.sync(options={"streams": ("hours",)}).error or ""
    assert "no stream 'hours'" in error
    assert "it has 'users'" in error


def test_a_mode_that_a_stream_has_not_is_refused(lab: Lab) -> None:
    """And one that it has is taken in place of the default."""
    options = {"streams": ("days",), "sync_mode": "incremental"}
    assert "'days' cannot be read as incremental" in (lab.sync(has=["days"], options=options).error or "")
    assert lab.sync(options={"sync_mode": "full_refresh"}).status == "landed"
    manifest = newest_manifest(lab.job.zone, "s")
    assert manifest is not None
    assert (manifest.mode, manifest.state) == ("full_refresh", None)
    assert lab.sync(options={"sync_mode": "full_refresh"}).status == "unchanged"


def test_a_connector_of_the_first_years_keeps_its_one_state(lab: Lab) -> None:
    """No statuses, and a state without a stream: it goes back as it came."""
    for expected in (1, 2, 3):
        assert lab.sync("old").status == "landed"
        assert lab.at() == expected
    assert lab.ids() == [1, 2, 3]


def test_one_state_for_several_streams_is_refused(lab: Lab) -> None:
    """It could be ahead of one of them."""
    error = lab.sync("old", has=["users", "days"], options=BOTH).error or ""
    assert "one state for all its streams" in error
    assert "a connection for each stream" in error


def test_landed_only_is_landed_only(lab: Lab) -> None:
    """A stream that no decoder reads is no stranger, and ingested by nobody."""
    lab.sync()
    settings = replace(lab.job.settings, connections={"c": lab.connection()})
    report = ingest(replace(lab.job, settings=settings))
    assert (report.status, report.objects) == ("done", ())
    assert lab.job.store.logs(LogQuery(type="warning")) == []


@pytest.mark.parametrize(
    ("connector", "message"),
    [
        ("nowhere/fake", "does not exist"),
        ("source-fake", "connector source-fake is not installed"),
        ("source-fake==1.0", "barograph connector install source-fake==1.0"),
        ("so many words", "is no connector's name"),
    ],
)
def test_a_connector_that_is_not_there_is_told(lab: Lab, connector: str, message: str) -> None:
    """With the command that installs it."""
    assert message in (lab.sync(options={"connector": connector}).error or "")


def test_a_program_that_is_no_connector_is_told(lab: Lab) -> None:
    """With what it said; one that cannot even be started, too."""
    program = lab.folder / "other"
    program.write_text("#!/bin/sh\necho I am a calculator; exit 2\n", encoding="utf-8")
    program.chmod(0o755)
    error = lab.sync(options={"connector": str(program)}).error or ""
    assert "discover ended with exit code 2; it last said: I am a calculator" in error
    program.write_text("#!/nowhere/interpreter\n", encoding="utf-8")
    error = lab.sync(options={"connector": str(program)}).error or ""
    assert "cannot be started: No such file or directory" in error


def test_a_variable_that_is_not_set_is_told(lab: Lab) -> None:
    """Before anything runs."""
    assert "variable NOBODY is not set" in (lab.sync(password="${NOBODY}").error or "")
    assert lab.pids() == []


def test_the_private_folder_goes_with_the_sync(lab: Lab) -> None:
    """Configuration, catalogue, state and what the connector itself left in TMPDIR."""
    lab.sync()
    folders = {Path(folder) for _, folder in lab.pids()}
    assert len(folders) == 2
    assert not any(folder.exists() for folder in folders)
