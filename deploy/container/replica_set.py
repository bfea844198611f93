"""Makes a replica set of compose.yaml's members, with its users; run again, it sets their passwords to the secrets'.

Runs in barograph's image, in the network of the first member: as long as a mongod has no users, it lets itself be set
up from its own machine alone (MongoDB's localhost exception). Arguments: the members' addresses, that one first.
Exits with 1 when the set is not whole in time; it may be run again at any moment.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

SECRETS: Final = Path("/run/secrets")
NAME: Final = "barograph"
ROOT: Final = "root"
PATIENCE: Final = 120.0
"""Seconds for the whole; an election takes about 10, the copying to an empty member of a large set longer."""

NOT_INITIATED: Final = 94
UNAUTHORIZED: Final = (13, 18)
"""Unauthorized, AuthenticationFailed: an error code of its own each (MongoDB's error_codes.yml)."""

Client = MongoClient[dict[str, Any]]


class NotYetError(Exception):
    """What has to be waited for is not there."""


class RefusedError(Exception):
    """What waiting does not help."""


def main(members: Sequence[str]) -> int:
    """Initiate where it must be, then bring the users in line; the exit code."""
    password = (SECRETS / "mongo-root-password").read_text(encoding="utf-8").strip()
    uri = urlsplit((SECRETS / "BAROGRAPH_STORE").read_text(encoding="utf-8").strip())
    user, secret, database = unquote(uri.username or ""), unquote(uri.password or ""), uri.path.strip("/")
    if not (user and secret and database):
        print("BAROGRAPH_STORE must be mongodb://user:password@hosts/database?...: make-secrets.sh makes one")
        return 1
    deadline = time.monotonic() + PATIENCE
    try:
        until(deadline, lambda: initiate(members))
        until(deadline, lambda: first_user(password))
        until(deadline, lambda: settled(members, password))
        until(deadline, lambda: put_user(members, password, user, secret, database))
    except RefusedError as error:
        print(f"the set cannot be made: {error}")
        return 1
    except (NotYetError, PyMongoError) as error:
        print(f"the set is not ready after {PATIENCE:.0f} s: {error}")
        return 1
    print(f"the set {NAME} of {', '.join(members)} is whole; {user} may read and write {database}")
    return 0


def until(deadline: float, step: Callable[[], None]) -> None:
    """Try until it is done. Raises what it said last."""
    while True:
        try:
            return step()
        except (NotYetError, PyMongoError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def here(**who: Any) -> Client:
    """A client of the first member, on this machine."""
    return MongoClient("127.0.0.1", 27017, directConnection=True, serverSelectionTimeoutMS=5000, **who)


def initiate(members: Sequence[str]) -> None:
    """Write the set's configuration, once."""
    with here() as client:
        if client.admin.command("hello").get("setName"):
            return
        hosts = [{"_id": number, "host": address} for number, address in enumerate(members)]
        client.admin.command("replSetInitiate", {"_id": NAME, "members": hosts})
        print(f"initiated the set {NAME}")


def first_user(password: str) -> None:
    """The administrator. Made while there is no user at all, on the primary."""
    with here() as client:
        said = client.admin.command("hello")
    try:
        with here(username=ROOT, password=password) as client:
            client.admin.command("usersInfo", ROOT)
            return
    except OperationFailure as error:
        if error.code not in UNAUTHORIZED:
            raise
    if not said.get("isWritablePrimary"):
        raise NotYetError("the first member is not the primary yet")
    try:
        with here() as client:
            client.admin.command("createUser", ROOT, pwd=password, roles=["root"])
    except OperationFailure as error:
        if error.code in UNAUTHORIZED:
            raise RefusedError("the set has users, and mongo-root-password is not the administrator's") from error
        raise
    print(f"made the user {ROOT}")


def everywhere(members: Sequence[str], password: str) -> Client:
    """A client of the set, as its administrator."""
    return MongoClient(list(members), replicaSet=NAME, username=ROOT, password=password, serverSelectionTimeoutMS=5000)


def settled(members: Sequence[str], password: str) -> None:
    """Every member is the primary, or a secondary that has everything."""
    with everywhere(members, password) as client:
        states = {one["name"]: one["stateStr"] for one in client.admin.command("replSetGetStatus")["members"]}
    if sorted(states.values()) != ["PRIMARY", *["SECONDARY"] * (len(members) - 1)]:
        raise NotYetError(f"the members are {states}")


def put_user(members: Sequence[str], password: str, user: str, secret: str, database: str) -> None:
    """The user of the job, with the least of MongoDB's own roles that do (docs/mongodb-security.md)."""
    roles = [
        {"role": "readWrite", "db": database},
        {"role": "dbAdmin", "db": database},
        {"role": "clusterMonitor", "db": "admin"},
    ]
    with everywhere(members, password) as client:
        known = client.admin.command("usersInfo", user)["users"]
        client.admin.command("updateUser" if known else "createUser", user, pwd=secret, roles=roles)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
