"""Locks over processes: what may be under way once only, on this machine.

A lock is held by an open file (flock), so it ends with its process, however that ends; the file stays and does no harm.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, Self
from urllib.parse import quote

from barograph.errors import LandingError, SyncStopped

if TYPE_CHECKING:
    from io import BufferedRandom

FOLDER: Final = "locks"
_LONGEST_NAME: Final = 200
"""Bytes; a file's name may have 255."""


class Lock:
    """A lock, as a context manager. Raises SyncStopped where somebody has it, who is named by process id."""

    def __init__(self, path: Path, what: str, patience: float = 0.0) -> None:
        """`what` is under way while it is held; it is tried for `patience` seconds."""
        self.path, self._what, self._patience = path, what, patience
        self._file: BufferedRandom | None = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        except OSError as error:
            raise self.unusable(error) from error
        try:
            self._take(file)
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
            file.flush()
        except BlockingIOError as error:
            holder = _holder(file)
            file.close()
            raise SyncStopped(
                f"{self._what} is under way already ({holder})", hint="wait for it, or end that process"
            ) from error
        except OSError as error:
            file.close()
            raise self.unusable(error) from error
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _take(self, file: BufferedRandom) -> None:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)

    def beat(self) -> None:
        """Say that its holder still works: the file's time is now. It needs no space, so a full disk is no obstacle."""
        if self._file is not None:
            os.utime(self._file.fileno())

    def unusable(self, error: OSError) -> LandingError:
        """What to raise where its file refuses."""
        return LandingError(
            f"the lock cannot be taken: {error.strerror}",
            where=str(self.path),
            hint="the data folder must be writable, and on a file system that knows locks",
        )


def connection_lock(data_dir: Path, name: str) -> Lock:
    """What one connection's sync holds, so that it never overlaps itself."""
    safe = quote(name, safe="")
    if len(safe) > _LONGEST_NAME:
        safe = hashlib.sha256(name.encode()).hexdigest()
    return Lock(data_dir / FOLDER / f"{safe}.lock", f"the sync of {name}")


def scheduler_lock(data_dir: Path) -> Lock:
    """What a scheduler holds."""
    # It may meet one that asks for an instant whether it is taken (`scheduler_holder`).
    return Lock(data_dir / FOLDER / "scheduler", "a scheduler of this data folder", patience=1.0)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lock, and for how many seconds nothing was heard of it (`Lock.beat`)."""

    name: str
    silent: float


def scheduler_holder(data_dir: Path) -> Holder | None:
    """The scheduler that works on this data folder; None where there is none.

    It takes the lock for an instant to find out. Raises LandingError where the file cannot be read.
    """
    lock = scheduler_lock(data_dir)
    try:
        with lock.path.open("rb") as file:
            try:
                # A shared one: another that asks at the same moment sees no scheduler in us.
                fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Holder(_holder(file), max(0.0, time.time() - os.fstat(file.fileno()).st_mtime))
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise lock.unusable(error) from error


def _holder(file: BinaryIO) -> str:
    """Who has it; between the taking and the writing of the id nothing is known."""
    file.seek(0)
    text = file.read(32).decode("ascii", "replace").strip()
    if text == str(os.getpid()):
        return "in this process"
    return f"process {text}" if text.isdecimal() else "in another process"
