"""The stand-in for DocumentDB refuses what is not on the list, as DocumentDB says it, and passes on the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from bson.binary import Binary
from pymongo import InsertOne, MongoClient, ReplaceOne, WriteConcern
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure

from tests.support.documentdb_server import DocumentDBServer
from tests.support.replica_set import ReplicaSet

Document = dict[str, Any]


@contextmanager
def database_at(url: str, **options: Any) -> Iterator[Database[Document]]:
    with MongoClient[Document](url, **options) as client:
        yield client.get_default_database()


@pytest.fixture
def database(documentdb_url: str) -> Iterator[Database[Document]]:
    """A fresh database behind the stand-in, through the plain driver."""
    with database_at(documentdb_url) as found:
        yield found


SORTED: Final = {"$sort": {"_id": 1}}
REFUSED: Final[list[tuple[Document, int, str]]] = [
    ({"create": "a", "capped": True, "size": 1000}, 303, "Feature not supported: capped:true"),
    ({"create": "a", "viewOn": "b", "pipeline": []}, 303, "Field 'viewOn' is currently not supported"),
    ({"getParameter": "*"}, 303, "Feature not supported: getParameter"),
    ({"mapReduce": "a"}, 303, "Feature not supported: mapReduce"),
    ({"aggregate": "a", "pipeline": [{"$facet": {}}], "cursor": {}}, 304, "Aggregation stage not supported: '$facet'"),
    (
        {"aggregate": "a", "pipeline": [{"$project": {"b": "$$REMOVE"}}, SORTED], "cursor": {}},
        303,
        "Feature not supported: $$REMOVE",
    ),
    (
        {"aggregate": "a", "pipeline": [{"$project": {"b": {"$round": "$c"}}}, SORTED], "cursor": {}},
        303,
        "Aggregation project operator not supported: '$round'",
    ),
    (
        {"update": "a", "updates": [{"q": {}, "u": [{"$set": {"b": 1}}]}]},
        9,
        "Failed to parse update: field must be of BSON type object",
    ),
    ({"find": "a", "filter": {"b": {"$type": ["int"]}}}, 303, "Feature not supported: array for $type filter"),
    (
        {"createIndexes": "a", "indexes": [{"key": {"b": 1}, "name": "b", "collation": {"locale": "fr"}}]},
        303,
        "Field 'collation' is currently not supported",
    ),
]


@pytest.mark.parametrize(("command", "code", "text"), REFUSED, ids=lambda value: str(value)[:40])
def test_refusals_are_documentdbs(database: Database[Document], command: Document, code: int, text: str) -> None:
    """Code and text as AWS or users of a cluster have published them; the real mongod never sees the command."""
    with pytest.raises(OperationFailure) as caught:
        database.command(command)
    assert (caught.value.code, caught.value.details) == (code, {"ok": 0, "code": code, "errmsg": text})


def test_retryable_writes_are_refused(documentdb_url: str) -> None:
    """What a driver does by default, and AWS's text about it."""
    url = documentdb_url.replace("retryWrites=false", "retryWrites=true")
    with database_at(url) as database, pytest.raises(OperationFailure, match="Unrecognized field: 'txnNumber'"):
        database.a.insert_one({})


def test_causal_consistency_is_refused_at_the_second_read(database: Database[Document]) -> None:
    """A driver's sessions are causally consistent unless told otherwise, and say so from the second read on."""
    with database.client.start_session() as session:
        database.a.find_one({"_id": 1}, session=session)
        with pytest.raises(OperationFailure, match="Feature not supported: 'causal consistency'"):
            database.a.find_one({"_id": 1}, session=session)
    with database.client.start_session(causal_consistency=False) as session:
        for _ in range(2):
            database.a.find_one({"_id": 1}, session=session)


def test_transactions_work(database: Database[Document]) -> None:
    """Without cursors beyond the first batch, as AWS says."""
    database.create_collection("a")
    with database.client.start_session(causal_consistency=False) as session:
        with session.start_transaction():
            database.a.insert_many([{"_id": number} for number in range(10)], session=session)
        assert database.a.count_documents({}, session=session) == 10
        with session.start_transaction(), pytest.raises(OperationFailure, match="Feature not supported: getMore"):
            list(database.a.find({}, session=session).sort("_id").batch_size(2))


def test_an_index_needs_its_collection(database: Database[Document]) -> None:
    """DocumentDB does not create a collection for an index."""
    with pytest.raises(OperationFailure, match="Implicit collection creation not supported"):
        database.a.create_index("b")
    database.create_collection("a")
    database.a.create_index("b")


def test_the_rest_reaches_the_server(database: Database[Document], mongo_url: str, replica_set: ReplicaSet) -> None:
    """Document sequences, batches, large documents, errors and unacknowledged writes pass as they are."""
    large = Binary(bytes(5_000_000))
    database.a.bulk_write([InsertOne({"_id": number, "large": large}) for number in range(3)])
    database.a.bulk_write([ReplaceOne({"_id": number}, {"n": number}, upsert=True) for number in range(200)])
    database.a.with_options(write_concern=WriteConcern(w=0)).insert_one({"_id": -1})
    found = list(database.a.find({"_id": {"$gte": 0}}).sort("_id", 1).batch_size(7))
    assert [document["n"] for document in found] == list(range(200))
    with pytest.raises(OperationFailure) as caught:
        database.a.insert_one({"_id": 1})
    assert caught.value.code == 11000
    with database_at(replica_set.uri_of(database.name)) as behind:
        assert behind.a.count_documents({}) == 201


def test_it_looks_like_a_cluster_of_5_0(database: Database[Document]) -> None:
    """What was seen on clusters: names, versions, options of collections, versions of indexes, no cluster time."""
    database.create_collection("a")
    hello = database.client.admin.command("hello")
    assert (hello["setName"], hello["maxWireVersion"], hello["isWritablePrimary"]) == ("rs0", 13, True)
    assert hello["hosts"] == [hello["me"]] == [hello["primary"]]
    assert "$clusterTime" not in hello
    assert "operationTime" in hello
    assert database.client.server_info()["versionArray"] == [5, 0, 0, 0]
    (collection,) = database.list_collections()
    assert collection["options"] == {
        "autoIndexId": True,
        "capped": False,
        "storageEngine": {"documentDB": {"compression": {"enable": False}}},
    }
    assert collection["info"] == {"readOnly": False}
    (index,) = database.a.list_indexes()
    assert dict(index) == {"v": 4, "key": {"_id": 1}, "name": "_id_", "ns": f"{database.name}.a"}


def test_the_uri_of_a_cluster_works(documentdb_server: DocumentDBServer, database: Database[Document]) -> None:
    """replicaSet=rs0 and secondaryPreferred: the client finds the endpoint as the only member, which is primary."""
    with database_at(documentdb_server.cluster_uri_of(database.name)) as through:
        through.a.insert_one({"_id": 1})
        assert through.a.find_one({"_id": 1}) == {"_id": 1}
        assert through.client.primary == through.client.address
        assert through.client.nodes == {through.client.address}


def test_more_can_be_refused(replica_set: ReplicaSet, mongo_url: str) -> None:
    """For the tests of what barograph does without: any option of any command."""
    name = mongo_url.rpartition("/")[2].partition("?")[0]
    with DocumentDBServer(replica_set.uri, lacking=["create.validator"]) as server:
        with database_at(server.uri_of(name)) as database:
            with pytest.raises(OperationFailure, match="Field 'validator' is currently not supported"):
                database.create_collection("a", validator={"$jsonSchema": {}})
            database.create_collection("a")
        assert server.refused[0] == "create.validator"
        assert server.commands["create"] == 2


def test_it_ends(replica_set: ReplicaSet) -> None:
    """After it has stopped its connections are closed and new ones refused."""
    with DocumentDBServer(replica_set.uri) as server:
        client: MongoClient[Document] = MongoClient(server.uri_of("x"), serverSelectionTimeoutMS=500, retryReads=False)
        client.admin.command("ping")
    with client, pytest.raises(AutoReconnect):
        client.admin.command("ping")
