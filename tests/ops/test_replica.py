"""replica_status: on real servers, whole and broken, and on scripted ones that answer as DocumentDB does."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from barograph.errors import StoreError
from barograph.faces.cli.replica import DEFAULT_MAX_LAG
from barograph.ops.mongod import Mongod
from barograph.ops.replica import MAX_LAG, Member, ReplicaStatus, replica_status
from barograph.store.mongo import MongoStore
from tests.support.days import day_of
from tests.support.replica_set import ReplicaSet, free_port
from tests.support.secure_server import SecureServer
from tests.support.tcp_proxy import TcpProxy
from tests.support.wire_server import WireServer

Document = dict[str, Any]
NOW = datetime(2024, 10, 1, 12, tzinfo=UTC)


def by_name(status: ReplicaStatus) -> dict[str, Member]:
    return {member.name: member for member in status.members}


def sources(servers: ReplicaSet) -> dict[str, str | None]:
    return {member.name: member.sync_source for member in replica_status(servers.uri).members}


def test_a_healthy_set(replica_set: ReplicaSet) -> None:
    """Every member with its state, health, uptime, lag, sync source and priority, as the primary sees it."""
    primary = replica_set.members[replica_set.wait_for_primary()].address
    following = [member.address for member in replica_set.members if member.address != primary]
    # A secondary chooses its source some moments after it has become one.
    replica_set.until(lambda: all(sources(replica_set).get(name) for name in following), "no source was chosen")
    found = replica_status(replica_set.uri, max_lag=60)
    assert (found.verdict, found.kind, found.set_name, found.asked) == (
        "healthy",
        "replica set",
        "barograph",
        primary,
    )
    assert found.unseen == ()
    assert "all 3 members answer" in found.reasons[0]
    assert abs(found.date - datetime.now(UTC)) < timedelta(minutes=1)
    members = by_name(found)
    assert members.keys() == {member.address for member in replica_set.members}
    assert members.pop(primary).state == "PRIMARY"
    for member in members.values():
        assert (member.state, member.healthy, member.priority) == ("SECONDARY", True, 1)
        assert member.uptime_s is not None
        assert member.lag_s is not None
    assert {member.sync_source for member in members.values()} & {primary}
    json.dumps(found.as_dict())


def test_one_member_is_enough_to_find_the_others(replica_set: ReplicaSet) -> None:
    """A URI that names a secondary only leads to the primary, and its view."""
    primary = replica_set.wait_for_primary()
    other = replica_set.members[(primary + 1) % 3].address
    found = replica_status(f"mongodb://{other}/?replicaSet=barograph", max_lag=60)
    assert (found.verdict, found.asked) == ("healthy", replica_set.members[primary].address)


@pytest.mark.parametrize("code", [13, 59, 115])
def test_a_refused_command_is_made_up_for(replica_set: ReplicaSet, code: int) -> None:
    """Unauthorized, CommandNotFound, CommandNotSupported: each member tells its state and lag; the rest is named."""
    primary = replica_set.wait_for_primary()
    with replica_set.failing(primary, ["replSetGetStatus"], errorCode=code):
        found = replica_status(replica_set.uri, max_lag=60)
    assert (found.verdict, found.set_name, found.asked) == ("healthy", "barograph", None)
    states = {member.name: member.state for member in found.members}
    assert states.pop(replica_set.members[primary].address) == "PRIMARY"
    assert list(states.values()) == ["SECONDARY", "SECONDARY"]
    assert all(member.lag_s is not None for member in found.members)
    (gap,) = found.unseen
    assert gap.startswith("uptime, sync source, priorities, hidden members: replSetGetStatus gave no answer (")


def test_without_its_configuration(replica_set: ReplicaSet) -> None:
    """replSetGetConfig refused costs the priorities only, and that is said."""
    with replica_set.failing(replica_set.wait_for_primary(), ["replSetGetConfig"], errorCode=13):
        found = replica_status(replica_set.uri, max_lag=60)
    assert found.verdict == "healthy"
    assert {member.priority for member in found.members} == {None}
    assert all(member.uptime_s is not None for member in found.members)
    assert [gap.partition(":")[0] for gap in found.unseen] == ["priorities, votes, delays"]


def test_a_uri_for_one_server_only(replica_set: ReplicaSet) -> None:
    """directConnection holds: the server's own view, or where it is refused, that server alone."""
    primary = replica_set.wait_for_primary()
    address = replica_set.members[primary].address
    uri = f"mongodb://{address}/?directConnection=true"
    assert replica_status(uri, max_lag=60).verdict == "healthy"
    with replica_set.failing(primary, ["replSetGetStatus"], errorCode=13):
        found = replica_status(uri)
    members = by_name(found)
    assert members.pop(address).state == "PRIMARY"
    assert {(member.state, member.healthy) for member in members.values()} == {("UNKNOWN", None)}
    assert found.unseen[-1].endswith("the URI asks for one server only")


def test_the_uri_names_another_set(replica_set: ReplicaSet) -> None:
    """Nothing can connect with a wrong replicaSet: the store says so at once, the status tells the right name."""
    uri = replica_set.uri.replace("replicaSet=barograph", "replicaSet=rs0")
    found = replica_status(uri, max_lag=60)
    assert found.verdict == "degraded"
    assert found.reasons == ("the URI asks for replicaSet=rs0, but the set is named barograph",)
    begun = time.monotonic()
    with closing(MongoStore(uri, patience=60)) as store, pytest.raises(StoreError, match="named rs0") as caught:
        store.save_days([day_of(temperature=[1.0])])
    assert not caught.value.retryable
    assert time.monotonic() - begun < 50


def test_a_secondary_that_does_not_keep_up(replica_set: ReplicaSet) -> None:
    """Replication stopped on a member that answers: it is behind, by more than --max-lag, hence degraded."""
    primary = replica_set.wait_for_primary()
    followed = sources(replica_set).values()
    # One that nobody copies from: writes go on with the majority of the others.
    late = next(m for n, m in enumerate(replica_set.members) if n != primary and m.address not in followed)
    with replica_set._client(late) as client, closing(MongoStore(replica_set.uri_of("lagging"), patience=20)) as store:
        client.admin.command({"configureFailPoint": "rsSyncApplyStop", "mode": "alwaysOn"})
        try:
            numbers = iter(range(10_000))

            def is_late() -> bool:
                store.save_days([day_of(f"S{next(numbers)}", temperature=[1.0])])
                found = replica_status(replica_set.uri, max_lag=1)
                lag = by_name(found)[late.address].lag_s
                if lag is None or lag <= 1:
                    return False
                assert found.verdict == "degraded"
                assert any(reason.startswith(f"{late.address} is ") for reason in found.reasons)
                return True

            replica_set.until(is_late, "the member is not behind")
        finally:
            client.admin.command({"configureFailPoint": "rsSyncApplyStop", "mode": "off"})
            replica_set.drop("lagging")
    assert replica_status(replica_set.uri, max_lag=3600).verdict == "healthy"


@pytest.fixture(scope="module", params=["standalone", "uninitiated"])
def single(request: pytest.FixtureRequest, mongod: Mongod) -> Iterator[ReplicaSet]:
    with ReplicaSet(mongod.path, kind=request.param, size=1) as running:
        yield running


def test_what_is_no_replica_set(single: ReplicaSet) -> None:
    """A standalone server, and a member whose set was never initiated, are said to be what they are."""
    address = single.members[0].address
    for uri in (f"mongodb://{address}/", f"mongodb://{address}/?replicaSet=barograph"):
        found = replica_status(uri)
        assert found.members == ()
        if single.kind == "standalone":
            assert (found.kind, found.verdict) == ("standalone", "degraded")
            assert "is a standalone server" in found.reasons[0]
        else:
            assert (found.kind, found.verdict) == ("replica set", "no primary")
            assert "rs.initiate" in found.reasons[0]


def test_nobody_answers() -> None:
    """Refused, or swallowed: unreachable within seconds, with a reason for each server and without the password."""
    refused = free_port()
    with TcpProxy(refused) as silent:
        silent.swallow()
        begun = time.monotonic()
        found = replica_status(f"mongodb://anna:s3cret@127.0.0.1:{refused},127.0.0.1:{silent.port}/", patience=1)
        assert time.monotonic() - begun < 30
    assert (found.verdict, found.kind) == ("unreachable", "unknown")
    assert found.reasons[0] == f"127.0.0.1:{refused} does not answer (Connection refused)"
    assert re.search(r"does not answer \(.*(timed out|no answer yet)\)", found.reasons[1])
    assert "s3cret" not in json.dumps(found.as_dict())
    assert "s3cret" not in repr(found)


def test_credentials_and_certificates(secure_server: SecureServer) -> None:
    """Wrong credentials are an error; without any, or without the right, `hello` must do; TLS faults are told."""
    secure_server.add_user("watcher", ("clusterMonitor", "admin"))
    secure_server.add_user("reader", ("read", "meteo"))
    whole = replica_status(secure_server.uri("watcher"))
    assert (whole.verdict, whole.unseen, whole.members[0].priority) == ("healthy", (), 1)
    assert whole.reasons == ("the only member is primary; nothing takes over when it stops",)
    with pytest.raises(StoreError, match="authentication failed") as caught:
        replica_status(secure_server.uri("watcher", password="s3cret2"))
    assert "s3cret" not in str(caught.value)
    partly = replica_status(secure_server.uri("reader"))
    assert (partly.verdict, partly.members[0].state, partly.members[0].priority) == ("healthy", "PRIMARY", None)
    assert "not authorized on admin to execute replSetGetStatus" in partly.unseen[0]
    assert "requires authentication" in replica_status(secure_server.uri(None)).unseen[0]
    plain = replica_status(secure_server.uri("watcher", tls=None, tlsCAFile=None), patience=0.5)
    assert plain.verdict == "unreachable"
    assert "accepts only TLS connections" in plain.reasons[0]
    assert "add tls=true" in plain.reasons[0]
    untrusted = replica_status(secure_server.uri("watcher", tlsCAFile=None), patience=0.5)
    assert "certificate is not trusted" in untrusted.reasons[0]
    assert "tlsCAFile" in untrusted.reasons[0]


# From here on: servers that answer from a script.


def hello(name: str, names: list[str], state: str, *, behind: float | None = 0) -> Document:
    """What a member says of itself; `behind` None: without lastWrite."""
    said: Document = {
        "setName": "rs0",
        "setVersion": 1,
        "hosts": names,
        "me": name,
        "isWritablePrimary": state == "PRIMARY",
        "secondary": state == "SECONDARY",
        "localTime": NOW,
    }
    if state == "PRIMARY":
        said["electionId"] = ObjectId()
    if behind is not None:
        said["lastWrite"] = {"lastWriteDate": NOW - timedelta(seconds=behind)}
    return said


class Script:
    """Servers whose replies are set once their addresses are known."""

    def __init__(self, stack: ExitStack, count: int) -> None:
        self.servers = [stack.enter_context(WireServer({})) for _ in range(count)]
        self.names = [server.address for server in self.servers]

    def say(self, number: int, command: str, reply: Document) -> None:
        self.servers[number].replies[command] = reply

    def greet(self, number: int, state: str, **more: Any) -> None:
        greeting = hello(self.names[number], self.names, state, **more)
        self.say(number, "hello", greeting)
        # The driver's own handshake.
        self.say(number, "ismaster", greeting | {"ismaster": state == "PRIMARY"})

    @property
    def uri(self) -> str:
        return f"mongodb://{self.names[0]}/"


@pytest.fixture
def script() -> Iterator[Script]:
    with ExitStack() as stack:
        yield Script(stack, 3)


REFUSED: list[Document] = [
    {"ok": 0.0, "code": 303, "errmsg": "Feature not supported: replSetGetStatus"},
    {"ok": 0.0, "code": 13, "errmsg": "Authorization failure", "codeName": "Unauthorized"},
    {"set": "rs0", "members": []},
]


@pytest.mark.parametrize("refused", REFUSED, ids=["303", "13", "empty"])
def test_documentdb_refuses(script: Script, refused: Document) -> None:
    """An unknown command, or an empty answer: states and lag come from each instance's own hello."""
    script.greet(0, "SECONDARY", behind=2)
    script.greet(1, "PRIMARY", behind=0)
    script.greet(2, "SECONDARY", behind=25)
    script.say(1, "replSetGetStatus", refused)
    found = replica_status(script.uri)
    assert (found.verdict, found.set_name, found.asked) == ("degraded", "rs0", None)
    assert [(member.state, member.lag_s) for member in found.members] == [
        ("SECONDARY", 2.0),
        ("PRIMARY", 0.0),
        ("SECONDARY", 25.0),
    ]
    assert found.reasons == (f"{script.names[2]} is 25 s behind, more than 10 s",)
    assert replica_status(script.uri, max_lag=25).verdict == "healthy"
    assert "replSetGetStatus gave no answer" in found.unseen[0]


def test_documentdb_tells_little(script: Script) -> None:
    """Without hello (only isMaster) and without lastWrite: the states stand, that the lag is not seen is said."""
    for number, state in enumerate(("PRIMARY", "SECONDARY", "SECONDARY")):
        script.greet(number, state, behind=None)
        del script.servers[number].replies["hello"]
    found = replica_status(script.uri)
    assert found.verdict == "healthy"
    assert [member.state for member in found.members] == ["PRIMARY", "SECONDARY", "SECONDARY"]
    assert {member.lag_s for member in found.members} == {None}
    assert found.reasons == ("all 3 members answer",)
    assert found.unseen[1].startswith(f"the lag of {', '.join(script.names)}: ")


def test_hellos_without_a_primary(script: Script) -> None:
    """Two instances answer, none is primary: lag counts from the fresher one, and the third is said to be silent."""
    script.greet(0, "SECONDARY", behind=5)
    script.greet(1, "SECONDARY", behind=1)
    script.servers[2].replies.clear()
    found = replica_status(script.uri, patience=0.5)
    assert found.verdict == "no primary"
    assert found.reasons[0] == "no member is primary; 2 of 3 answer, an election may be under way"
    assert [(member.state, member.healthy, member.lag_s) for member in found.members] == [
        ("SECONDARY", True, 4.0),
        ("SECONDARY", True, 0.0),
        ("UNKNOWN", False, None),
    ]


def told(name: str, state: int, *, behind: float | None = 0, **more: Any) -> Document:
    """A member in a reply to replSetGetStatus."""
    said: Document = {"name": name, "health": 1.0, "state": state, "uptime": 100, "syncSourceHost": "", **more}
    if behind is not None:
        said["optimeDate"] = NOW - timedelta(seconds=behind)
    return said


def test_every_state_is_judged(script: Script) -> None:
    """An arbiter, a delayed member, a rollback: what is configured to lag may; what neither leads nor follows not."""
    script.greet(0, "PRIMARY")
    names = [script.names[0], "b:1", "c:1", "d:1", "e:1"]
    members = [
        told(names[0], 1),
        told(names[1], 7, behind=None),
        told(names[2], 2, behind=3605, syncSourceHost="b:1"),
        told(names[3], 9, behind=7, infoMessage="rolling back"),
        told(
            names[4],
            8,
            health=0.0,
            lastHeartbeatMessage="no route to host",
            optimeDate=datetime(1970, 1, 1, tzinfo=UTC),
        ),
    ]
    configured: list[Document] = [{"host": name, "priority": 1.0, "votes": 1} for name in names]
    configured[2] |= {"priority": 0.0, "secondaryDelaySecs": 3600}
    script.say(0, "replSetGetStatus", {"set": "rs0", "date": NOW, "members": members})
    script.say(0, "replSetGetConfig", {"config": {"_id": "rs0", "members": configured}})
    found = replica_status(script.uri)
    assert (found.verdict, found.date, found.unseen) == ("degraded", NOW, ())
    assert found.reasons == (
        "d:1 is ROLLBACK, neither primary nor secondary (rolling back)",
        "e:1 does not answer (no route to host)",
    )
    shown = {member.name: (member.state, member.healthy, member.lag_s, member.priority) for member in found.members}
    assert shown == {
        names[0]: ("PRIMARY", True, 0.0, 1.0),
        "b:1": ("ARBITER", True, None, 1.0),
        "c:1": ("SECONDARY", True, 3605.0, 0.0),
        "d:1": ("ROLLBACK", True, 7.0, 1.0),
        "e:1": ("DOWN", False, None, 1.0),
    }
    assert by_name(found)["c:1"].sync_source == "b:1"


def test_votes_make_a_majority(script: Script) -> None:
    """Without a primary it is said how many of those who vote answer; lag counts from the freshest."""
    script.greet(0, "SECONDARY")
    names = [script.names[0], "b:1", "c:1", "d:1"]
    down = {"health": 0.0, "behind": None}
    members = [
        told(names[0], 2, behind=3),
        told(names[1], 2, behind=1),
        told(names[2], 8, **down),
        told(names[3], 8, **down),
    ]
    configured = [{"host": name, "priority": 1.0, "votes": int(name != "b:1")} for name in names]
    script.say(0, "replSetGetStatus", {"set": "rs0", "date": NOW, "members": members})
    script.say(0, "replSetGetConfig", {"config": {"members": configured}})
    found = replica_status(script.uri, patience=0.5)
    assert found.verdict == "no primary"
    assert found.reasons[0] == "no member is primary; 1 of 3 answer, an election needs 2"
    assert [member.lag_s for member in found.members] == [2.0, 0.0, None, None]


def test_a_partial_status(script: Script) -> None:
    """Members without optimeDate: the lag is not seen, and said not to be."""
    script.greet(0, "PRIMARY")
    members = [told(script.names[0], 1, behind=None), told("b:1", 2, behind=None)]
    script.say(0, "replSetGetStatus", {"set": "rs0", "members": members})
    found = replica_status(script.uri)
    assert (found.verdict, found.reasons) == ("healthy", ("all 2 members answer",))
    assert found.unseen[0].startswith("priorities, votes, delays: ")
    assert found.unseen[1].startswith(f"the lag of {script.names[0]}, b:1: ")


def test_a_router(script: Script) -> None:
    """mongos is no replica set."""
    for command in ("hello", "ismaster"):
        script.say(0, command, {"msg": "isdbgrid", "isWritablePrimary": True, "ismaster": True})
    found = replica_status(script.uri)
    assert (found.kind, found.verdict) == ("sharded cluster", "degraded")
    assert "ask its shards" in found.reasons[0]


@pytest.mark.parametrize(
    "uri", ["mongodb://anna:s3/cr?et@host/", "mongodb://h/?tlsCAFile=/nope.pem", "mongodb://h/?x=1"]
)
def test_a_uri_that_cannot_be_used(uri: str) -> None:
    """As everywhere: an error with a hint, without the password."""
    with pytest.raises(StoreError) as caught:
        replica_status(uri)
    assert caught.value.hint
    assert "s3" not in str(caught.value)


def test_the_command_line_has_the_same_default() -> None:
    """It is repeated there so that `--help` need not load the driver."""
    assert DEFAULT_MAX_LAG == MAX_LAG
