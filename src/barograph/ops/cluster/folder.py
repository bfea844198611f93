"""The folder of a local replica set: what it holds, who may read it, and one command at a time in it.

    <data dir>/cluster/         mode 0700
        cluster.json            the set's name, its members' ports, whether it asks for passwords; its format's version
        keyfile                 by which members know each other
        credentials             the users' passwords, as JSON
        uri, uri.admin, uri.reader
                                the URI of each user, password included, as the first line
        member0/ …              data/, mongod.log, mongod.pid
        lock                    held while a command changes anything

Files that hold a secret have mode 0600. No path of this machine stands in any of them: the folder may be moved while
the set is down.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from barograph.errors import ClusterError
from barograph.store import DEFAULT_DATABASE

FOLDER: Final = "cluster"
"""Under the data folder."""
FORMAT: Final = 1
"""Of cluster.json."""
SET_NAME: Final = "barograph"
HOST: Final = "127.0.0.1"
PATIENCE: Final = 600.0
"""Seconds for which a command waits for another one; the longest `up` gives up before."""

ADMIN: Final = "admin"
JOB: Final = "barograph"
READER: Final = "reader"
URI_FILES: Final = {JOB: "uri", ADMIN: "uri.admin", READER: "uri.reader"}
"""User -> the file with its URI."""

Tell = Callable[[str], None]
"""Takes a line about what is being done."""


@dataclass(frozen=True, slots=True)
class Member:
    """One mongod of the set, and its files."""

    number: int
    port: int
    folder: Path

    @property
    def name(self) -> str:
        """As member0; its folder, too."""
        return self.folder.name

    @property
    def address(self) -> str:
        """As the set's configuration has it."""
        return f"{HOST}:{self.port}"

    @property
    def data(self) -> Path:
        """The dbpath."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Its JSON log."""
        return self.folder / "mongod.log"

    @property
    def pid_file(self) -> Path:
        """Written by mongod when it starts."""
        return self.folder / "mongod.pid"

    @property
    def has_data(self) -> bool:
        """Whether a storage engine was ever opened there."""
        return (self.data / "WiredTiger").exists()


@dataclass(frozen=True, slots=True)
class Plan:
    """What cluster.json says. The ports stand in the set's own configuration, too, so they are kept for life."""

    ports: tuple[int, ...]
    auth: bool = True
    initiated: bool = False
    """Whether the members know that they are a set; from then on they have something to lose."""


class ClusterFolder:
    """The folder, whether or not there is a set in it."""

    def __init__(self, path: Path) -> None:
        # Resolved: a process is known as ours by the path of its data.
        self.path = path.resolve()
        self._plan_file = self.path / "cluster.json"
        self._lock = self.path / "lock"
        self.key_file = self.path / "keyfile"
        self._credentials = self.path / "credentials"

    @property
    def exists(self) -> bool:
        """Whether there is a set."""
        return self._plan_file.exists()

    def plan(self) -> Plan | None:
        """What cluster.json says; None where there is no set. Raises ClusterError for what it cannot be."""
        try:
            text = self._plan_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            said = json.loads(text)
            version = said["format"]
            if version != FORMAT:
                raise ClusterError(
                    f"its format is {version!r}, this barograph knows {FORMAT}",
                    where=str(self._plan_file),
                    hint="a newer barograph made this set; upgrade",
                )
            ports = tuple(int(item["port"]) for item in said["members"])
            return Plan(ports, auth=bool(said["auth"]), initiated=bool(said["initiated"]))
        except (ValueError, TypeError, KeyError) as error:
            raise ClusterError(
                "is not what `cluster up` wrote",
                where=str(self._plan_file),
                hint="put it back as it was; it names the members' ports, which stand in their log files, too",
            ) from error

    def save(self, plan: Plan) -> None:
        """Write cluster.json."""
        members = [{"name": f"member{number}", "port": port} for number, port in enumerate(plan.ports)]
        said = {"format": FORMAT, "set": SET_NAME, "auth": plan.auth, "initiated": plan.initiated, "members": members}
        self._write(self._plan_file, json.dumps(said, indent=2) + "\n")

    def initiated(self, plan: Plan) -> Plan:
        """Note that the members are a set."""
        plan = replace(plan, initiated=True)
        self.save(plan)
        return plan

    def members(self, plan: Plan) -> list[Member]:
        """The members, in the order of their numbers."""
        return [Member(number, port, self.path / f"member{number}") for number, port in enumerate(plan.ports)]

    def claim(self) -> None:
        """Raises ClusterError where something lies in the folder that is not a set's."""
        ours = {self._lock.name, f".{self._plan_file.name}"}
        if not self.exists and any(entry.name not in ours for entry in self.path.iterdir()):
            raise ClusterError(
                "is not empty, and no `cluster up` made it",
                where=str(self.path),
                hint="move it away, or choose another --data-dir",
            )

    def write_key(self) -> None:
        """Make the key file; one that is there stays."""
        if not self.key_file.exists():
            # mongod takes 6 to 1024 characters of the base64 set.
            self._write(self.key_file, base64.b64encode(secrets.token_bytes(756)).decode() + "\n")

    def write_passwords(self) -> None:
        """Make the users' passwords; those that are there stay."""
        if not self._credentials.exists():
            made = {user: secrets.token_urlsafe(24) for user in URI_FILES}
            self._write(self._credentials, json.dumps(made, indent=2) + "\n")

    def passwords(self) -> dict[str, str]:
        """User -> password."""
        try:
            said: dict[str, Any] = json.loads(self._credentials.read_text(encoding="utf-8"))
            return {user: str(said[user]) for user in URI_FILES}
        except FileNotFoundError as error:
            raise ClusterError(
                "is missing, and the members do not tell passwords",
                where=str(self._credentials),
                hint="put it back; uri, uri.admin and uri.reader hold the same passwords",
            ) from error
        except (ValueError, TypeError, KeyError) as error:
            # Not the error's own words: they may quote the file.
            raise ClusterError(
                "is not what `cluster up` wrote", where=str(self._credentials), hint="put it back as it was"
            ) from error

    def uri(self, plan: Plan, user: str, password: str | None) -> str:
        """The URI of a user; of nobody where the set asks for no password."""
        hosts = ",".join(member.address for member in self.members(plan))
        # token_urlsafe needs no escaping.
        who = "" if password is None else f"{user}:{password}@"
        options = f"replicaSet={SET_NAME}" + ("" if password is None else "&authSource=admin")
        return f"mongodb://{who}{hosts}/{DEFAULT_DATABASE}?{options}"

    def write_uris(self, plan: Plan) -> None:
        """Bring the files with the URIs up to date."""
        passwords = self.passwords() if plan.auth else {}
        for user in URI_FILES:
            path, text = self.uri_file(user), self.uri(plan, user, passwords.get(user)) + "\n"
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                self._write(path, text)

    def uri_file(self, user: str) -> Path:
        """Where the URI of a user stands."""
        return self.path / URI_FILES[user]

    def remove(self) -> None:
        """Remove what is ours but the members' folders; cluster.json last, so that it can be done again when killed."""
        for path in (*map(self.uri_file, URI_FILES), self._credentials, self.key_file):
            path.unlink(missing_ok=True)
        self._plan_file.unlink(missing_ok=True)
        self._lock.unlink()
        with suppress(OSError):
            # Something of somebody else's lies in it.
            self.path.rmdir()

    @contextmanager
    def locked(self, tell: Tell) -> Iterator[None]:
        """One command at a time. Makes the folder; a command that waits says so. Raises ClusterError after 10 min."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + PATIENCE
        waited = False
        while True:
            with ExitStack() as held:
                if self._lock_now(held):
                    yield
                    return
            if not waited:
                tell("another `barograph cluster` command is at work; waiting for it")
                waited = True
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"another `barograph cluster` command has kept it locked for {PATIENCE:.0f} s",
                    where=str(self._lock),
                    hint="see what it waits for",
                )
            time.sleep(0.1)

    def _lock_now(self, held: ExitStack) -> bool:
        """Take the lock if it is free; whether it was."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        try:
            file = held.enter_context(self._lock.open("a", encoding="utf-8"))
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever waits through a `destroy` has locked a file that is no longer there.
            return os.path.samestat(self._lock.stat(), os.fstat(file.fileno()))
        except (BlockingIOError, FileNotFoundError):
            return False

    def _write(self, path: Path, text: str) -> None:
        """Replace a file as a whole, with mode 0600, so that it survives whatever happens next."""
        made = path.with_name(f".{path.name}")
        made.unlink(missing_ok=True)
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
