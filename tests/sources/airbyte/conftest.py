"""What the tests of connectors share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from barograph.sources.airbyte import process
from tests.sources.airbyte.lab import Lab, opened_lab
from tests.sources.airbyte.real import installed


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A job and the fake connector; one that is deaf to SIGTERM is killed after half a second."""
    monkeypatch.setattr(process, "GRACE", 0.5)
    with opened_lab(tmp_path) as lab:
        yield lab


@pytest.fixture(scope="session")
def source_file() -> Path:
    """The data folder in which airbyte-source-file is installed."""
    return installed("source-file==0.5.39")


@pytest.fixture(scope="session")
def source_faker() -> Path:
    """The data folder in which airbyte-source-faker is installed."""
    return installed("source-faker==7.2.1")
