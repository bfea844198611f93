"""The journal: what the process log is shown of many rejections, and that secrets reach neither log."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Thread

import pytest

from barograph.logs import Masks
from barograph.model import Rejection
from barograph.pipeline.journal import TOLD_OF_A_KIND, Journal
from barograph.store import open_store
from barograph.store.base import LogQuery


def test_many_rejections(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The process log shows a bounded number of a kind and counts the rest; the store has every one."""
    store = open_store(f"sqlite:///{tmp_path / 'meteo.db'}")
    journal = Journal(store, "r")
    with caplog.at_level(logging.INFO):
        for line in range(100):
            journal.rejection(Rejection("a.csv", "not a number", line=line, column="temp"), "e")
        journal.count_rest("a.csv")
        journal.count_rest()
    journal.flush()
    assert len(store.logs(LogQuery())) == 100
    assert len(caplog.records) == TOLD_OF_A_KIND + 1
    assert f"{100 - TOLD_OF_A_KIND} more like these" in caplog.messages[-1]
    store.close()


def test_secrets_reach_neither_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Several threads tell a secret; the store's entries and the records are masked alike."""
    store = open_store(f"sqlite:///{tmp_path / 'meteo.db'}")
    journal = Journal(store, "r", Masks(["s3cret-token"]))
    with caplog.at_level(logging.INFO):
        threads = [Thread(target=journal.event, args=("info", "said s3cret-token"), kwargs={"url": "s3cret-token"})]
        threads += [Thread(target=journal.event, args=("info", "s3cret-token")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    journal.flush()
    entries = store.logs(LogQuery())
    assert len(entries) == len(caplog.records) == 5
    assert "s3cret" not in f"{entries}{[vars(record) for record in caplog.records]}"
    store.close()
