"""What the tests of connectors share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from barograph.sources.airbyte import process
from tests.sources.airbyte.lab import Lab, opened_lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A job and the fake connector; one that is deaf to SIGTERM is killed after half a second."""
    monkeypatch.setattr(process, "GRACE", 0.5)
    with opened_lab(tmp_path) as lab:
        yield lab
