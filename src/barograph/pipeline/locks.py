"""Locks over processes: what may be under way once only, on this machine.

A lock is held by an open file (flock), so it ends with its process, however that ends; the file stays and does no harm.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from barograph.errors import LandingError, SyncStopped

if TYPE_CHECKING:
    from io import BufferedRandom

FOLDER: Final = "locks"
_LONGEST_NAME: Final = 200
"""Bytes; a file's name may have 255."""


class Lock:
    """A lock, as a context manager. Raises SyncStopped where somebody has it, who is named by process id."""

    def __init__(self, path: Path, what: str) -> None:
        """`what` is under way while it is held."""
        self._path, self._what = path, what
        self._file: BufferedRandom | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
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
            raise self._unusable(error) from error
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _unusable(self, error: OSError) -> LandingError:
        return LandingError(
            f"the lock cannot be taken: {error.strerror}",
            where=str(self._path),
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
    return Lock(data_dir / FOLDER / "scheduler", "a scheduler of this data folder")


def _holder(file: BufferedRandom) -> str:
    """Who has it; between the taking and the writing of the id nothing is known."""
    file.seek(0)
    text = file.read(32).decode("ascii", "replace").strip()
    if text == str(os.getpid()):
        return "in this process"
    return f"process {text}" if text.isdecimal() else "in another process"
