"""Makes the two database users, or gives them the passwords of their secrets: run by hand once, and after a rotation.

The text of this module is the command of the task `user` (`python3 -c`); pymongo is in the image. The job's user may
read and write one database and nothing else, the drill's may read it; the master user is used here only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from pymongo import MongoClient


def make_user(client: MongoClient[dict[str, Any]], name: str, password: str, role: str, database: str) -> str:
    """Create the user or change its password and roles; what was done.

    DocumentDB keeps users in `admin` and knows MongoDB's built-in roles.
    """
    admin = client["admin"]
    there = admin.command("usersInfo", name)["users"]
    command = "updateUser" if there else "createUser"
    admin.command(command, name, pwd=password, roles=[{"role": role, "db": database}])
    return f"{command} {name}: {role} on {database}"


def main(environ: Mapping[str, str]) -> int:
    """Connect as the master user and make the others."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        environ["DB_HOST"],
        int(environ["DB_PORT"]),
        username=environ["MASTER_USERNAME"],
        password=environ["MASTER_PASSWORD"],
        tls=True,
        tlsCAFile=environ["DB_CA_FILE"],
        replicaSet="rs0",
        retryWrites=False,
    )
    with client:
        for user, role in (("DB", "readWrite"), ("DRILL", "read")):
            name, password = (environ[f"{user}_{part}"] for part in ("USERNAME", "PASSWORD"))
            print(make_user(client, name, password, role, environ["DB_NAME"]))  # noqa: T201 - the task's log
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
