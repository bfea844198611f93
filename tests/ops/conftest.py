"""What the tests of the local replica set share: folders whose members are ended with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from barograph.ops.mongod import Mongod
from tests.support.local_set import LocalSet


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration of this machine reaches a test; only its mongod may."""
    for name in ("CONFIG", "DATA_DIR", "LANDING", "STORE", "STORE_FILE", "BACKUPS", "DEBUG"):
        monkeypatch.delenv(f"BAROGRAPH_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def empty(mongod: Mongod, tmp_path: Path) -> Iterator[LocalSet]:
    """A data folder without a set."""
    made = LocalSet(tmp_path / "data")
    yield made
    made.end()


@pytest.fixture(scope="module")
def three(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSet]:
    """A set of three, up; a test leaves it as it found it.

    The command that was to make it was killed when the members had just been told that they are a set.
    """
    made = LocalSet(tmp_path_factory.mktemp("three") / "data")
    try:
        made.killed("after", "replSetInitiate", "up")
        made("up")
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def single(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSet]:
    """A set of one, up; a test leaves it as it found it."""
    made = LocalSet(tmp_path_factory.mktemp("single") / "data")
    try:
        made("up", "--members", "1")
        yield made
    finally:
        made.end()
