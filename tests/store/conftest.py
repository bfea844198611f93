"""A fresh, empty store of each engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from barograph.store import open_store
from barograph.store.base import Store


@pytest.fixture(params=["sqlite", "mongodb", "documentdb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, once for each engine; "documentdb" is a stand-in for it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'meteo.db'}"
    url: str = request.getfixturevalue("mongo_url" if request.param == "mongodb" else "documentdb_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """That store, opened."""
    with closing(open_store(store_url)) as opened:
        yield opened
