"""What the tests of the pipeline share."""

from __future__ import annotations

import pytest

from barograph.pipeline import syncing
from tests.pipeline.network import Network


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """In place of the sources of every connection."""
    made = Network()
    monkeypatch.setattr(syncing, "open_source", made.open)
    return made
