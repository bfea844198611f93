"""The replica set that MongoDB is measured on: one started here, or one that the caller names."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import MongoClient

from barograph.errors import ClusterError
from barograph.ops.mongod import find_mongod
from benchmarks.process import say
from tests.support.replica_set import ReplicaSet


class MongoDatabases:
    """Databases of one server, each under a name of its own."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        base, _, options = uri.partition("?")
        self._base, self._options = base.rstrip("/"), options
        self._where = "/".join(self._base.split("/")[:3])

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URI of an empty database, which is dropped afterwards."""
        name = f"barograph_bench_{uuid.uuid4().hex[:8]}"
        uri = f"{self._where}/{name}" + (f"?{self._options}" if self._options else "")
        try:
            yield uri
        finally:
            with MongoClient[dict[str, object]](uri) as client:
                client.drop_database(name)

    def version(self) -> str:
        """The server's version."""
        with MongoClient[dict[str, object]](self._uri) as client:
            return str(client.server_info()["version"])


def version(databases: MongoDatabases | None) -> str:
    """What is measured."""
    return "no mongod" if databases is None else f"mongod {databases.version()}"


@contextmanager
def servers(uri: str | None) -> Iterator[MongoDatabases | None]:
    """Databases of the server at `uri`, or of a replica set started for the run; None where there is no mongod."""
    if uri is not None:
        yield MongoDatabases(uri)
        return
    try:
        mongod = find_mongod().path
    except ClusterError as missing:
        say(f"MongoDB is left out: {missing}")
        yield None
        return
    say("starting a replica set of three members")
    with ReplicaSet(mongod) as members:
        yield MongoDatabases(members.uri)
