"""Fixtures of the MongoDB replica set that tests talk to, as a pytest plugin."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Final

import pytest

from barograph.config import cluster_port
from barograph.errors import ClusterError
from barograph.ops.mongod import Mongod, find_mongod
from tests.support.replica_set import ReplicaSet
from tests.support.secure_server import SecureServer

PORTS_OF_A_WORKER: Final = 200


def pytest_configure(config: pytest.Config) -> None:
    """Each process of tests (pytest-xdist) makes its local sets on ports of its own: they go down and come up again."""
    if (worker := getattr(config, "workerinput", {}).get("workerid")) is not None:
        number = int(worker.removeprefix("gw"))
        os.environ["BAROGRAPH_CLUSTER_PORT"] = str(cluster_port({}) + (number + 1) * PORTS_OF_A_WORKER)


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
