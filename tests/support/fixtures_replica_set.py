"""Fixtures of the MongoDB replica set that tests talk to, as a pytest plugin."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support.replica_set import MongodMissing, ReplicaSet, find_mongod


@pytest.fixture(scope="session")
def replica_set() -> Iterator[ReplicaSet]:
    """A real three-member MongoDB replica set, started when the first test asks for it."""
    try:
        mongod = find_mongod()
    except MongodMissing as error:
        pytest.skip(str(error))
    with ReplicaSet(mongod) as running:
        yield running


@pytest.fixture
def mongo_url(replica_set: ReplicaSet) -> Iterator[str]:
    """The URI of a fresh database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield replica_set.uri_of(name)
    replica_set.drop(name)
