"""Writing the units of a machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from barograph.errors import UsageError
from barograph.ops.systemd.unit import Unit


@dataclass(frozen=True, slots=True)
class Written:
    """A unit file, and whether it was made, changed, or stands as it was ("new", "changed", "unchanged")."""

    path: Path
    state: str


def install(units: Sequence[Unit], folder: Path) -> list[Written]:
    """Write unit files, each whole or not at all. Raises UsageError where the folder cannot be written."""
    written = []
    for unit in units:
        path, text = folder / unit.name, unit.text()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            old = path.read_text(encoding="utf-8") if path.exists() else None
            if old != text:
                draft = path.with_name(f".{path.name}.new")
                draft.write_text(text, encoding="utf-8")
                draft.chmod(0o644)
                os.replace(draft, path)  # noqa: PTH105 - atomic
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "holds something else than text"
            raise UsageError(
                f"cannot be written: {reason}", hint="run it as root, or name another folder with --to"
            ) from error
        written.append(Written(path, "new" if old is None else "unchanged" if old == text else "changed"))
    return written
