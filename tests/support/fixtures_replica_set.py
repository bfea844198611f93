"""Fixtures of the MongoDB replica set that tests talk to, as a pytest plugin."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.replica_set import MongodMissing, ReplicaSet, find_mongod
from tests.support.secure_server import SecureServer


@pytest.fixture(scope="session")
def mongod() -> Path:
    """A mongod that runs here."""
    try:
        return find_mongod()
    except MongodMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def replica_set(mongod: Path) -> Iterator[ReplicaSet]:
    """A real three-member MongoDB replica set, started when the first test asks for it."""
    with ReplicaSet(mongod) as running:
        yield running


@pytest.fixture(scope="session")
def secure_server(mongod: Path) -> Iterator[SecureServer]:
    """A real replica set of one member that wants TLS and passwords."""
    with SecureServer(mongod) as running:
        yield running


@pytest.fixture
def mongo_url(replica_set: ReplicaSet) -> Iterator[str]:
    """The URI of a fresh database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield replica_set.uri_of(name)
    replica_set.drop(name)
