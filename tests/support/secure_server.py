"""A real mongod as it stands in production: a replica set (of one member), TLS required, authorisation on."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote_plus, urlencode

from pymongo import MongoClient

from tests.support.certificates import Authority
from tests.support.replica_set import ReplicaSet

PASSWORD: Final = "s3cret/@:%"
"""Of every user; what has to be %-escaped in a URI stands in it."""


class SecureServer:
    """The server as a context manager, with an administrator `root`; `add_user` makes more."""

    def __init__(self, mongod: Path | None = None) -> None:
        self._mongod = mongod
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="barograph-secure-")))
        self.authority = Authority(self.folder, "meteo")
        key_file = self.folder / "key"
        key_file.write_text(secrets.token_hex(24), encoding="utf-8")
        key_file.chmod(0o600)
        options = {
            "--tlsMode": "requireTLS",
            "--tlsCertificateKeyFile": str(self.authority.issue("server", "servers")),
            "--tlsCAFile": str(self.authority.ca_file),
            "--tlsAllowConnectionsWithoutCertificates": "",
            "--keyFile": str(key_file),
        }
        client = {"tls": True, "tlsCAFile": str(self.authority.ca_file)}
        members = ReplicaSet(self._mongod, size=1, options=options, client=client)
        self.replica_set = self._stack.enter_context(members)
        with members._client(members.members[0]) as first:
            # The first user may be made without one, from the machine itself.
            first.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def uri(self, user: str | None, database: str = "meteo", password: str = PASSWORD, **options: str | None) -> str:
        """The URI for a user of the database admin; an option that is None is left out."""
        known: dict[str, str | None] = {
            "replicaSet": self.replica_set.name,
            "tls": "true",
            "tlsCAFile": str(self.authority.ca_file),
            "authSource": None if user is None else "admin",
            **options,
        }
        said = urlencode({name: value for name, value in known.items() if value is not None})
        who = "" if user is None else f"{user}:{quote_plus(password)}@"
        return f"mongodb://{who}{self.replica_set.hosts}/{database}?{said}"

    def admin(self) -> MongoClient[dict[str, Any]]:
        """A client that may do everything."""
        return MongoClient(self.uri("root"))

    def add_user(self, name: str, *roles: tuple[str, str], database: str = "admin") -> None:
        """A user with (role, database) pairs; one that exists already gets these."""
        given = [{"role": role, "db": where} for role, where in roles]
        with self.admin() as client:
            known = client[database].command("usersInfo", name)["users"]
            client[database].command("updateUser" if known else "createUser", name, pwd=PASSWORD, roles=given)
