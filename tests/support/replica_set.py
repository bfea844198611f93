"""A real three-member MongoDB replica set on 127.0.0.1, for tests.

Members run on free ports in a temporary folder. Only processes started here are ever signalled, each by its own
handle; should the test process itself be killed, the kernel ends them (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from barograph.ops.mongod import find_mongod
from tests.support.tcp_proxy import TcpProxy

MEMBERS: Final = 3
START_SECONDS: Final = 60.0
"""Bound for a member to answer and for a primary to be elected; 3 s is usual, a loaded machine needs more."""

PR_SET_PDEATHSIG: Final = 1
NOT_YET_INITIALIZED: Final = 94


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Member:
    """One mongod: where it listens, where its data is, its process (None while it is down), and a proxy before it."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    proxy: TcpProxy | None = None

    @property
    def address(self) -> str:
        """By which the set and its clients know the member."""
        return f"127.0.0.1:{self.port if self.proxy is None else self.proxy.port}"


class ReplicaSet:
    """Three members as a context manager: started and elected on entry, terminated and removed on exit.

    With `proxied` the address of each in the set's configuration is that of a TcpProxy before it. `options` are given
    to every mongod (an empty text: a flag), `client` to every client of ours, which talks to the members directly.
    Other kinds are a member that waits to be initiated, and a server that is no member at all.
    """

    name: Final = "barograph"

    def __init__(
        self,
        mongod: Path | None = None,
        *,
        kind: Literal["set", "uninitiated", "standalone"] = "set",
        size: int = MEMBERS,
        proxied: bool = False,
        options: Mapping[str, str] | None = None,
        client: Mapping[str, Any] | None = None,
    ) -> None:
        self.mongod = mongod or find_mongod().path
        self.kind, self.size, self.proxied = kind, size, proxied
        self.options, self.client_options = dict(options or {}), dict(client or {})
        self.folder = Path(tempfile.mkdtemp(prefix="barograph-replica-set-"))
        self.members: list[Member] = []

    @property
    def hosts(self) -> str:
        """The seed list."""
        return ",".join(member.address for member in self.members)

    @property
    def uri(self) -> str:
        """The URI of the set; `&option=value` may be appended."""
        return self.uri_of("")

    def uri_of(self, database: str) -> str:
        """The URI of one database of the set."""
        return f"mongodb://{self.hosts}/{database}?replicaSet={self.name}"

    def drop(self, database: str) -> None:
        """Remove a database."""
        with MongoClient[dict[str, Any]](self.uri) as client:
            client.drop_database(database)

    def __enter__(self) -> Self:
        try:
            for number in range(self.size):
                self.members.append(member := Member(free_port(), self.folder / f"member{number}"))
                if self.proxied:
                    member.proxy = TcpProxy(member.port).__enter__()
                self.restart(number)
            if self.kind == "set":
                self._initiate()
                self.wait_for_primary()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every member that runs and remove the folder."""
        for number in range(len(self.members)):
            self.kill(number, wait=False)
        for number, member in enumerate(self.members):
            self.kill(number)
            if member.proxy is not None:
                member.proxy.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, number: int, sign: signal.Signals = signal.SIGKILL, *, wait: bool = True) -> None:
        """Send one member a signal (SIGKILL: no farewell to the others) and wait until it is gone."""
        process = self.members[number].process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(sign)
        if wait:
            process.wait(timeout=START_SECONDS)
            self.members[number].process = None

    def kill_all(self, numbers: Iterable[int]) -> None:
        """SIGKILL for several at once."""
        for number in numbers:
            self.kill(number)

    def restart(self, number: int) -> None:
        """Start a member that is down, on its own port and data."""
        member = self.members[number]
        member.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "--dbpath": member.folder,
            "--port": member.port,
            "--bind_ip": "127.0.0.1",
            "--logpath": member.folder / "mongod.log",
            "--wiredTigerCacheSizeGB": 0.25,
            "--oplogSize": 512,
            "--networkMessageCompressors": "snappy,zstd",
            **({} if self.kind == "standalone" else {"--replSet": self.name}),
            **self.options,
        }
        command = [str(self.mongod), *(str(part) for option in options.items() for part in option if part != "")]
        command += ["--logappend", "--nounixsocket", "--setParameter", "diagnosticDataCollectionEnabled=false"]
        # For configureFailPoint; and a second in the place of a minute between two looks for what has expired.
        for parameter in ("enableTestCommands=1", "ttlMonitorSleepSecs=1"):
            command += ["--setParameter", parameter]
        # Asked to end, a member would first wait 15 s for others to notice.
        command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]
        member.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock that a thread could hold
        )
        self.until(lambda: self._answers(member), f"mongod on {member.address} does not answer")

    @contextmanager
    def failing(self, number: int, commands: list[str], *, times: int = 0, **how: Any) -> Iterator[None]:
        """Let a member answer the next `times` (0: all) of these commands of barograph with an error.

        `how` is what the server's fail point failCommand takes.
        """
        data = {"failCommands": commands, "appName": "barograph", **how}
        with self._client(self.members[number]) as client:
            mode = {"times": times} if times else "alwaysOn"
            client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})
            try:
                yield
            finally:
                client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})

    def _told(self) -> str:
        """What is to be known of the members when something went wrong: state, exit code, end of the log."""
        lines = []
        for number, member in enumerate(self.members):
            code = "down" if member.process is None else member.process.poll()
            log = (member.folder / "mongod.log").read_text(encoding="utf-8", errors="replace")
            lines.append(f"{number} {member.address} exit {code}, hello {self.state_of(number)}\n{log[-1500:]}")
        return "\n".join(lines)

    def state_of(self, number: int) -> dict[str, Any]:
        """What a member says of itself in `hello`; {} while it cannot answer."""
        return self._command(self.members[number], "hello")

    def wipe(self, number: int) -> None:
        """Empty the folder of a member that is down: it will have to copy everything from another."""
        shutil.rmtree(self.members[number].folder)

    def primary(self) -> int | None:
        """The number of the member that is the writable primary, if there is one."""
        for number, member in enumerate(self.members):
            if member.process is not None and self._command(member, "hello").get("isWritablePrimary"):
                return number
        return None

    def wait_for_primary(self) -> int:
        """Wait until a primary is elected and every running member is primary or secondary; its number.

        The primary knows of it as well then, which takes it a heartbeat more.
        """
        self.until(lambda: self.primary() is not None, "no primary was elected")
        self.until(self._all_settled, "a member did not become a secondary")
        self.until(self._all_seen, "the primary did not hear of all members")
        number = self.primary()
        return self.wait_for_primary() if number is None else number

    def _all_settled(self) -> bool:
        replies = [self._command(member, "hello") for member in self.members if member.process is not None]
        return all(reply.get("isWritablePrimary") or reply.get("secondary") for reply in replies)

    def _all_seen(self) -> bool:
        number = self.primary()
        status = {} if number is None else self._command(self.members[number], "replSetGetStatus")
        states = {told["name"]: told["stateStr"] for told in status.get("members", ())}
        running = [member.address for member in self.members if member.process is not None]
        return all(states.get(address) in ("PRIMARY", "SECONDARY") for address in running)

    def _initiate(self) -> None:
        members = [{"_id": number, "host": member.address} for number, member in enumerate(self.members)]
        # Elections within about a second: the default of 10 s would make every failover test wait for it.
        settings = {"electionTimeoutMillis": 1500, "heartbeatIntervalMillis": 300, "heartbeatTimeoutSecs": 2}
        config = {"_id": self.name, "members": members, "settings": settings}
        with self._client(self.members[0]) as client:
            client.admin.command("replSetInitiate", config)

    def _answers(self, member: Member) -> bool:
        process = member.process
        if process is not None and process.poll() is not None:
            log = (member.folder / "mongod.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"mongod on {member.address} ended with {process.returncode}:\n{log[-2000:]}")
        return bool(self._command(member, "ping"))

    def _command(self, member: Member, name: str) -> dict[str, Any]:
        """The reply of one member, or {} while it cannot answer."""
        try:
            with self._client(member) as client:
                return client.admin.command(name)
        except OperationFailure as error:
            if error.code == NOT_YET_INITIALIZED:
                return {}
            raise
        except PyMongoError:
            return {}

    def _client(self, member: Member) -> MongoClient[dict[str, Any]]:
        options: dict[str, Any] = {"directConnection": True, "serverSelectionTimeoutMS": 1000}
        return MongoClient("127.0.0.1", member.port, socketTimeoutMS=20_000, **options, **self.client_options)

    def until(self, ready: Callable[[], bool], failure: str) -> None:
        """Wait, within START_SECONDS, until `ready()`; RuntimeError with `failure` otherwise."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{failure} within {START_SECONDS:.0f} s\n{self._told()}")
            time.sleep(0.05)


def die_with_parent() -> None:
    """In the child, before exec: ask Linux to end it when the test process dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
