"""Secrets that systemd hands over as files (LoadCredential), as variables of this process's environment."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from barograph.errors import ConfigError

FOLDER: Final = "CREDENTIALS_DIRECTORY"
"""What systemd calls the folder (systemd.exec(5))."""
_NAME: Final = re.compile(r"(?:barograph_)?([A-Z][A-Z0-9_]*)")


def adopt_credentials(environ: MutableMapping[str, str] | None = None) -> list[str]:
    """Set a variable for each credential that is named like one, unless it is set; the names that were.

    A credential `NAME`, or `barograph_NAME` where a whole folder was loaded under that id, becomes NAME, with the first
    line of the file as its value. Files of other names are left alone. Raises ConfigError for one that cannot be read.
    """
    env = os.environ if environ is None else environ
    folder = env.get(FOLDER)
    if not folder or not Path(folder).is_dir():
        return []
    adopted = []
    for path in sorted(Path(folder).iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] in env:
            continue
        try:
            value = path.read_text(encoding="utf-8").split("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(
                f"the credential cannot be read: {reason}", where=str(path), hint="check LoadCredential in the unit"
            ) from error
        if value:
            env[match[1]] = value
            adopted.append(match[1])
    return adopted
