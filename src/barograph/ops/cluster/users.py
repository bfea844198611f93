"""The users of a local replica set, and the rights of the job.

Making them is idempotent: what is missing is made, what differs is mended, and a password that the server does not
take is set again, so that an `up` which was killed at any instant is completed by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from barograph.errors import ClusterError
from barograph.ops.cluster.folder import ADMIN, JOB, READER, Member
from barograph.ops.cluster.talk import AUTHENTICATION_FAILED, Document, connect
from barograph.store import DEFAULT_DATABASE

UNAUTHORIZED: Final = 13
ROLE: Final = "barographJob"

DATABASE_ACTIONS: Final = (
    "find",
    "insert",
    "update",
    "remove",
    "createCollection",
    "createIndex",
    "dropIndex",
    "collMod",
    "listCollections",
    "listIndexes",
    "collStats",
    "dbStats",
)
"""What the job does in its database: documents, collections, views and their options, indexes, sizes. Not: dropping."""
CLUSTER_ACTIONS: Final = ("replSetGetStatus", "replSetGetConfig", "serverStatus")
"""What `replica status` asks the whole server for."""
PRIVILEGES: Final[list[Document]] = [
    # Collection "": every one of the database, but for system collections.
    {"resource": {"db": DEFAULT_DATABASE, "collection": ""}, "actions": list(DATABASE_ACTIONS)},
    {"resource": {"cluster": True}, "actions": list(CLUSTER_ACTIONS)},
]
ROLES: Final[dict[str, list[Document]]] = {
    JOB: [{"role": ROLE, "db": "admin"}],
    READER: [{"role": "read", "db": DEFAULT_DATABASE}],
}
"""Of every user but the admin, who has `root`."""
MECHANISMS: Final = ["SCRAM-SHA-256"]

SAFE: Final = {"writeConcern": {"w": "majority", "j": True}}


def make_users(primary: Member, passwords: Mapping[str, str], *, where: str) -> None:
    """Bring users and role up to date; `where` names the file with the passwords. Raises ClusterError."""
    if not accepts(primary, ADMIN, passwords[ADMIN]):
        _make_admin(primary, passwords[ADMIN], where)
    with connect(primary, passwords[ADMIN]) as client:
        admin = client.admin
        _make_role(admin)
        known = {user["user"]: user["roles"] for user in admin.command("usersInfo", 1)["users"]}
        for user, roles in ROLES.items():
            settings: Document = {"pwd": passwords[user], "roles": roles, "mechanisms": MECHANISMS, **SAFE}
            if user not in known:
                admin.command({"createUser": user, **settings})
            elif _named(known[user]) != _named(roles) or not accepts(primary, user, passwords[user]):
                admin.command({"updateUser": user, **settings})


def accepts(member: Member, user: str, password: str) -> bool:
    """Whether the member lets the user in."""
    try:
        with connect(member, password, user=user) as client:
            client.admin.command("ping")
    except OperationFailure as error:
        if error.code == AUTHENTICATION_FAILED:
            return False
        raise
    return True


def _make_admin(primary: Member, password: str, where: str) -> None:
    """Make the first user, as MongoDB allows it to anybody on its own machine while there is none."""
    nobody: MongoClient[Document] = connect(primary)
    try:
        nobody.admin.command(
            {"createUser": ADMIN, "pwd": password, "roles": ["root"], "mechanisms": MECHANISMS, **SAFE}
        )
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        raise ClusterError(
            f"the password of {ADMIN} is not the one that the members know",
            where=where,
            hint="put the file back as it was, or set the password in the file with mongosh",
        ) from error
    finally:
        nobody.close()


def _make_role(admin: Database[Document]) -> None:
    found = admin.command("rolesInfo", ROLE, showPrivileges=True)["roles"]
    settings: Document = {"privileges": PRIVILEGES, "roles": [], **SAFE}
    if not found:
        admin.command({"createRole": ROLE, **settings})
    elif _granted(found[0]["privileges"]) != _granted(PRIVILEGES) or found[0]["roles"]:
        admin.command({"updateRole": ROLE, **settings})


def _granted(privileges: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    return {str(sorted(item["resource"].items())): set(item["actions"]) for item in privileges}


def _named(roles: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(role["role"], role["db"]) for role in roles}
