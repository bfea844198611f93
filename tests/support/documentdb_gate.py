"""The gate: every command that barograph sends during the tests is held against what Amazon DocumentDB 5.0 supports.

`install` puts a command listener into every MongoClient that barograph's own code makes, whichever module that is;
clients of the tests, and of modules that talk to a mongod of their own (`[local]` in the list), are left alone.
Processes that the tests start are gated by tests/support/gated/sitecustomize.py and write what they saw to a folder
that `Gate.settle` reads; a line for each command, at once, because many of them are killed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, Final

from pymongo import monitoring
from pymongo.synchronous.mongo_client import MongoClient

from tests.support.documentdb_list import ALLOWED
from tests.support.documentdb_rules import violations

FOLDER: Final = "DOCUMENTDB_GATE_FOLDER"
"""The environment variable that tells a process where to write; only sitecustomize.py reads it."""
SITE: Final = Path(__file__).parent / "gated"
"""On the PYTHONPATH of every process that the tests start."""
COMMAND: Final = "command"
OPTIONAL: Final = "optional"
VIOLATION: Final = "violation"


class Gate:
    """What was seen so far, in the process that made it and in those whose files are in `folder`.

    In a process that a test has started (`child`), and in a fork of this one, it writes to a file of its own instead.
    """

    def __init__(self, folder: Path | None = None, *, child: bool = False) -> None:
        self.folder = folder
        self.commands: Counter[str] = Counter()
        self.optional: Counter[str] = Counter()
        self.processes = 0
        self._owner = None if child else os.getpid()
        self._token = uuid.uuid4().hex
        self._pending: list[str] = []
        self._read: dict[Path, int] = {}
        self._lock = threading.Lock()

    def saw(self, name: str, command: Mapping[str, Any]) -> None:
        """A command is about to be sent."""
        self.note(COMMAND, name)
        try:
            found = violations(name, command)
        except Exception as error:  # noqa: BLE001 - the driver swallows what a listener raises; this must be seen
            self.note(VIOLATION, f"{name}: the gate cannot read it ({error!r})")
            return
        for violation in found:
            if violation.optional is None:
                self.note(VIOLATION, str(violation))
        for what in {violation.optional.what for violation in found if violation.optional is not None}:
            self.note(OPTIONAL, what)

    def note(self, kind: str, text: str) -> None:
        """Count a command, or something that may be tried, or keep a violation for the next `settle`."""
        if os.getpid() != self._owner and self.folder is not None:
            self._tell(self.folder, kind, text)
            return
        with self._lock:
            if kind == VIOLATION:
                self._pending.append(text)
            else:
                (self.commands if kind == COMMAND else self.optional)[text] += 1

    def settle(self) -> list[str]:
        """The violations since the last time, of this process and of those it has started."""
        for path in sorted(self.folder.iterdir()) if self.folder else ():
            ended = not _runs(int(path.name.partition("-")[0]))
            self._collect(path)
            if ended:
                path.unlink()
                del self._read[path]
        with self._lock:
            pending, self._pending = self._pending, []
        return pending

    def _collect(self, path: Path) -> None:
        """What a process has written since the last time."""
        if path not in self._read:
            self._read[path] = 0
            self.processes += 1
        with path.open("rb") as file:
            file.seek(self._read[path])
            # Of a process that was killed in the middle of a line the last command was not sent.
            whole = file.read().rpartition(b"\n")[0]
        for line in whole.splitlines():
            self.note(*json.loads(line))
        self._read[path] += len(whole) + 1 if whole else 0

    def _tell(self, folder: Path, kind: str, text: str) -> None:
        """A line for the process that started this one."""
        if kind == VIOLATION:
            text = f"{text} (in: {' '.join(sys.orig_argv)[:200]})"
        with (folder / f"{os.getpid()}-{self._token}").open("ab", buffering=0) as file:
            file.write(json.dumps([kind, text]).encode() + b"\n")

    def counts(self) -> dict[str, Any]:
        """What `add` takes in another process."""
        return {"commands": dict(self.commands), "optional": dict(self.optional), "processes": self.processes}

    def add(
        self, commands: Mapping[str, int] | None = None, optional: Mapping[str, int] | None = None, processes: int = 0
    ) -> None:
        """Count what another gate has seen."""
        self.commands.update(commands or {})
        self.optional.update(optional or {})
        self.processes += processes

    def summary(self) -> str:
        """One line."""
        total, kinds = sum(self.commands.values()), len(self.commands)
        names = ", ".join(f"{name} {count:,}" for name, count in self.commands.most_common())
        tried = ", ".join(f"{what} ({count:,})" for what, count in self.optional.most_common())
        where = f"{self.processes:,} processes besides this one"
        line = f"DocumentDB 5.0 gate: {total:,} commands of {kinds} names, in {where}: {names}"
        return f"{line}; tried, and not needed: {tried}" if tried else line


class Listener(monitoring.CommandListener):
    """Hands what a client sends to the gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.gate.saw(event.command_name, event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def install(gate: Gate) -> Callable[[], None]:
    """Let every client that barograph makes from now on carry the gate; returns what undoes it."""
    original: Any = MongoClient.__init__
    listener = Listener(gate)

    @wraps(original)
    def gated(self: Any, *args: Any, **options: Any) -> None:
        if made_by_barograph(sys._getframe(1)):
            options["event_listeners"] = [*(options.get("event_listeners") or ()), listener]
        original(self, *args, **options)

    def undo() -> None:
        setattr(MongoClient, "__init__", original)  # noqa: B010 - mypy forbids the assignment

    setattr(MongoClient, "__init__", gated)  # noqa: B010 - as above
    return undo


def made_by_barograph(frame: FrameType | None, local: tuple[str, ...] = ALLOWED.local_modules) -> bool:
    """Whether the call comes from barograph's code; a caller that cannot be told (another thread) is taken for it."""
    nearest = ""
    while frame is not None:
        name: str = frame.f_globals.get("__name__", "")
        if any(name == module or name.startswith(f"{module}.") for module in local):
            return False
        if (root := name.partition(".")[0]) in ("barograph", "tests", "benchmarks"):
            nearest = nearest or root
        frame = frame.f_back
    return nearest in ("", "barograph")


def _runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"
