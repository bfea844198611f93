"""What the members say when they are asked, and making them a set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from barograph.errors import ClusterError
from barograph.ops.cluster.folder import ADMIN, SET_NAME, Member

Document = dict[str, Any]

PAUSE: Final = 0.1
ANSWER_MS: Final = 2_000
"""Bound for a member of this machine to answer; a loaded machine is asked again."""
COMMAND_MS: Final = 60_000

# The default of 10 s is for networks that lose and delay heartbeats. Between processes of one machine none is lost:
# who was silent for 5 s is dead or starved. A lower bound would call elections whenever the machine is busy.
SETTINGS: Final = {"electionTimeoutMillis": 5_000, "heartbeatIntervalMillis": 1_000}

AUTHENTICATION_FAILED: Final = 18
ALREADY_INITIALIZED: Final = 23

PRIMARY: Final = "PRIMARY"
SECONDARY: Final = "SECONDARY"
NO_SET: Final = "NO SET"
"""It runs, and does not know of the set: freshly made, or wiped and not yet found by the others."""
NO_ANSWER: Final = "NO ANSWER"
OTHER: Final = "OTHER"
"""Neither of them: replSetGetStatus tells which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A member's state, and the set it believes to be in."""

    state: str
    set_name: str | None = None


def connect(member: Member, password: str | None = None, *, user: str = ADMIN) -> MongoClient[Document]:
    """A client of one member alone; without a password, of nobody in particular."""
    return MongoClient(
        member.address,
        directConnection=True,
        serverSelectionTimeoutMS=ANSWER_MS,
        socketTimeoutMS=COMMAND_MS,
        appname="barograph",
        username=None if password is None else user,
        password=password,
        authSource="admin",
    )


def ask(member: Member) -> Answer:
    """Its state, as far as it tells everybody."""
    try:
        with connect(member) as client:
            said = client.admin.command("hello")
    except PyMongoError:
        return Answer(NO_ANSWER)
    name = said.get("setName")
    if said.get("isWritablePrimary"):
        return Answer(PRIMARY, name)
    if said.get("secondary"):
        return Answer(SECONDARY, name)
    return Answer(NO_SET if name is None else OTHER, name)


def states_seen(member: Member, password: str | None) -> dict[str, str]:
    """Address -> state of every member, as this one sees them; nothing where it does not tell."""
    try:
        with connect(member, password) as client:
            said = client.admin.command("replSetGetStatus")
    except PyMongoError:
        return {}
    return {str(item["name"]): str(item["stateStr"]) for item in said.get("members", [])}


def initiate(members: Sequence[Member]) -> None:
    """Make the members a set; they all run, and none knows of one."""
    config = {
        "_id": SET_NAME,
        "members": [{"_id": member.number, "host": member.address} for member in members],
        "settings": SETTINGS,
    }
    try:
        with connect(members[0]) as client:
            client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise _refused("the members cannot be made a set", members[0], error) from error
    except PyMongoError as error:
        raise _refused("the members cannot be made a set", members[0], error) from error


def primary_of(members: Sequence[Member]) -> Member | None:
    """The member that is the primary, if one is."""
    return next((member for member in members if ask(member).state == PRIMARY), None)


def until(ready: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is so; False where it is not within the seconds."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


def is_settled(answers: Mapping[int, Answer]) -> bool:
    """Whether every member is the primary or a secondary."""
    return all(answer.state in (PRIMARY, SECONDARY) for answer in answers.values())


def _refused(what: str, member: Member, error: PyMongoError) -> ClusterError:
    told = str(error.details.get("errmsg", error)) if isinstance(error, OperationFailure) and error.details else ""
    return ClusterError(f"{what}: {told or type(error).__name__}", where=member.address, hint=f"look into {member.log}")
