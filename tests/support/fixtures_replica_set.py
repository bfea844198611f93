"""Fixtures of the MongoDB replica set that tests talk to, as a pytest plugin."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from barograph.errors import ClusterError
from barograph.ops.mongod import Mongod, find_mongod
from tests.support.replica_set import ReplicaSet
from tests.support.secure_server import SecureServer


@pytest.fixture(scope="session")
def mongod() -> Mongod:
    """A real mongod, where this machine has one."""
    try:
        return find_mongod()
    except ClusterError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def replica_set(mongod: Mongod) -> Iterator[ReplicaSet]:
    """A real three-member MongoDB replica set, started when the first test asks for it."""
    with ReplicaSet(mongod.path) as running:
        yield running


@pytest.fixture(scope="session")
def secure_server(mongod: Mongod) -> Iterator[SecureServer]:
    """A real replica set of one member that wants TLS and passwords."""
    with SecureServer(mongod.path) as running:
        yield running


@pytest.fixture
def mongo_url(replica_set: ReplicaSet) -> Iterator[str]:
    """The URI of a fresh database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield replica_set.uri_of(name)
    replica_set.drop(name)
