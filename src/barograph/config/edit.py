"""Changing barograph.toml in place: what a person wrote there, comments and order, stays as it is."""

from __future__ import annotations

import copy
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from barograph.errors import ConfigError

if TYPE_CHECKING:
    from tomlkit.items import Item

HINT: Final = "edit it by hand, or as the user to whom it belongs"


_LONE: Final = re.compile(r"(?<!\r)\n")


def set_enabled(path: Path, names: Sequence[str], *, enabled: bool) -> list[str]:
    """Set `enabled` of connections; those that were changed. Without any the file is not touched.

    The file is replaced as a whole, by one of the same mode and owner. Raises ConfigError.
    """
    # A link stays a link.
    path = path.resolve()
    text = _read(path)
    before = tomllib.loads(text)
    expected = copy.deepcopy(before)
    tables = expected.get("connections", {})
    if unknown := [name for name in names if name not in tables]:
        raise ConfigError(f"no connection {unknown[0]!r}", where=str(path), hint=f"there are {', '.join(tables)}")
    changed = [name for name in dict.fromkeys(names) if tables[name].get("enabled", True) is not enabled]
    if not changed:
        return []
    for name in changed:
        tables[name]["enabled"] = enabled
    edited = _edited(text, changed, enabled=enabled)
    if not _says(edited, expected):
        raise ConfigError("cannot be changed without harm to the rest of it", where=str(path), hint="edit it by hand")
    _replace(path, edited)
    return changed


def _edited(text: str, names: Sequence[str], *, enabled: bool) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    tables: Any = document["connections"]
    for name in names:
        _put(tables[name], tomlkit.item(enabled))
    edited = tomlkit.dumps(document)
    # tomlkit ends the lines that it adds in its own way.
    return _LONE.sub("\r\n", edited) if "\r\n" in text and not _LONE.search(text) else edited


def _put(table: Any, value: Item) -> None:
    from tomlkit.items import Table

    if "enabled" not in table and type(table) is Table and not table.is_super_table():
        # At the end of its keys; `append` would go behind a comment that belongs to the next table.
        keys = [key for key, item in table.value.body if key is not None and not isinstance(item, Table)]
        table.value._insert_after(keys[-1], "enabled", value)  # noqa: SLF001 - there is no public way
    else:
        # tomlkit keeps the comment behind an old value.
        table["enabled"] = value


def _says(text: str, expected: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == expected
    except tomllib.TOMLDecodeError:
        return False


def _read(path: Path) -> str:
    try:
        # Line endings as they are.
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error


def _replace(path: Path, text: str) -> None:
    try:
        known = path.stat()
        # Root may write a file that nobody is meant to write.
        if not known.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(path, os.W_OK):
            raise ConfigError("is read-only", where=str(path), hint=HINT)
        with _beside(path) as (descriptor, made):
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fchmod(file.fileno(), stat.S_IMODE(known.st_mode))
                if (known.st_uid, known.st_gid) != (os.geteuid(), os.fstat(file.fileno()).st_gid):
                    os.fchown(file.fileno(), known.st_uid, known.st_gid)
                os.fsync(file.fileno())
            made.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot be changed: {error.strerror}", where=str(path), hint=HINT) from error


@contextmanager
def _beside(path: Path) -> Iterator[tuple[int, Path]]:
    """A temporary file in the same folder, gone at the end unless it took the other's place."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        yield descriptor, Path(name)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
