"""The connectors of a data folder: one folder each, with its virtual environment and a marker that was written last.

<data dir>/connectors/source-file/installed.json     which version, and where its executable is
<data dir>/connectors/source-file/<unique>/          the virtual environment
<data dir>/connectors/source-file/lock               shared while it runs, exclusive while old ones are removed
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from barograph.config import Connection
from barograph.errors import ConfigError, UsageError

FOLDER: Final = "connectors"
MARKER: Final = "installed.json"
PREFIX: Final = "airbyte-"
_NAME: Final = re.compile(r"[a-z0-9]+(?:[-._][a-z0-9]+)*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed connector. `executable` is an absolute path."""

    name: str
    version: str
    package: str
    executable: str
    python: str
    installed_at: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def split_name(text: str) -> tuple[str, str | None]:
    """Name and version: airbyte-source-file==0.5.39 -> source-file, 0.5.39. Raises UsageError for no such name."""
    name, equals, version = (part.strip() for part in text.partition("=="))
    name = name.lower().removeprefix(PREFIX)
    if not _NAME.fullmatch(name) or (equals and not re.fullmatch(r"[\w.!+-]+", version)):
        raise UsageError(f"{text!r} is no connector's name", hint='write it as "source-file" or "source-file==0.5.39"')
    return name, version or None


def folder_of(data_dir: Path, name: str) -> Path:
    """Where a connector of that name is, or would be, installed."""
    return data_dir.absolute() / FOLDER / name


def installed(data_dir: Path, name: str) -> Installed | None:
    """The connector of that name; None where it is not installed, or where that was broken off."""
    try:
        body = json.loads((folder_of(data_dir, name) / MARKER).read_bytes())
        found = Installed(**body)
    except (OSError, ValueError, TypeError):
        return None
    return found if os.access(found.executable, os.X_OK) else None


def all_installed(data_dir: Path) -> list[Installed]:
    """Every installed connector, by name."""
    folder = data_dir / FOLDER
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [found for name in names if (found := installed(data_dir, name)) is not None]


def executable_of(connector: str, data_dir: Path, where: str) -> tuple[str, Path, Path | None]:
    """A connector's name, its executable, and the lock to hold while it runs. Raises ConfigError where it is not there.

    A text with a slash is the path of an executable; anything else names an installed connector.
    """
    if "/" in connector:
        path = Path(connector)
        if not path.is_file() or not os.access(path, os.X_OK):
            reason = "is not executable" if path.is_file() else "does not exist"
            raise ConfigError(f"connector {connector} {reason}", where=where, hint="name a program that can be run")
        return path.name, path.absolute(), None
    try:
        name, version = split_name(connector)
    except UsageError as error:
        raise ConfigError(error.what, where=where, hint=error.hint) from None
    found = installed(data_dir, name)
    if found is None or version not in (None, found.version):
        state = "is not installed" if found is None else f"is installed as {found.version}"
        raise ConfigError(
            f"connector {connector} {state}", where=where, hint=f"barograph connector install {connector}"
        )
    return f"{name} {found.version}", Path(found.executable), folder_of(data_dir, name) / "lock"


def connector_of(connection: Connection, data_dir: Path) -> tuple[str, Path, Path | None]:
    """The connector of a connection, as `executable_of` gives it."""
    return executable_of(str(connection.options["connector"]), data_dir, f"connection {connection.name}")


@contextmanager
def held(lock: Path | None) -> Iterator[None]:
    """Keep an installation from being removed while it runs."""
    if lock is None:
        yield
        return
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def alone(lock: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock exclusively; False where others hold it and we do not wait."""
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
