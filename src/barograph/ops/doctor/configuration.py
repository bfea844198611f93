"""The configuration file, the variables that it refers to, and who may read the files that hold secrets."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from barograph.config.credentials import FOLDER
from barograph.config.secrets import references
from barograph.ops.doctor.finding import Finding

if TYPE_CHECKING:
    from barograph.config import Settings


def configuration_file(settings: Settings) -> Finding:
    """That there is one; it was read, and every key in it is known, or there would be no settings."""
    if settings.config_file is None:
        return Finding(
            "configuration",
            "warning",
            "there is no barograph.toml here: no connection is configured",
            "`barograph init` writes one; or name it with --config or BAROGRAPH_CONFIG",
        )
    count = len(settings.connections)
    return Finding(
        "configuration",
        "ok",
        f"{settings.config_file}: {count} connection{'s' * (count != 1)}, {len(settings.stations)} described stations",
    )


def variables(settings: Settings) -> Iterator[Finding]:
    """Every `${VARIABLE}` of the connections must be set."""
    for connection in settings.connections.values():
        named = sorted(set(references((connection.url, connection.options))))
        name = f"secrets of {connection.name}"
        missing = [variable for variable in named if not connection.environ.get(variable)]
        if missing:
            yield Finding(
                name,
                "failed" if connection.enabled else "warning",
                f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
                f"export {missing[0]}=… before barograph starts, or give it to the service as a credential",
            )
        elif named:
            yield Finding(name, "ok", f"{', '.join(named)} {'is' if len(named) == 1 else 'are'} set")


def readers(files: Iterable[tuple[str, Path]]) -> Iterator[Finding]:
    """A file that holds a secret is readable to its owner, and at most to its group.

    Credentials that are mounted read-only have the modes that an engine or systemd gives them, in a place of this
    process's own.
    """
    for setting, path in files:
        name = f"permissions of {setting}"
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            mounted = setting == FOLDER and os.statvfs(path).f_flag & os.ST_RDONLY
        except OSError as error:
            yield Finding(name, "failed", f"{path}: {error.strerror}", f"write the file, or correct {setting}")
            continue
        if mode & stat.S_IROTH and mounted:
            yield Finding(name, "ok", f"{path} is mounted read-only into this place (mode {mode:03o})")
        elif mode & stat.S_IROTH:
            yield Finding(name, "warning", f"{path} can be read by everybody (mode {mode:03o})", f"chmod 600 {path}")
        else:
            yield Finding(name, "ok", f"{path} is kept from others (mode {mode:03o})")
