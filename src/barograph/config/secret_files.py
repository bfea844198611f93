"""Which files hold secrets, by the configuration and the environment: nobody else should be able to read them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from barograph.config.credentials import FOLDER


def secret_files(config_file: Path | None, environ: Mapping[str, str] | None = None) -> list[tuple[str, Path]]:
    """What names each of them, and where it is; none is read but the configuration, which may be broken."""
    env = os.environ if environ is None else environ
    found = []
    if config_file is not None:
        try:
            table = tomllib.loads(config_file.read_text(encoding="utf-8")).get("store", {})
        except (OSError, ValueError):
            table = {}
        if isinstance(table, dict) and isinstance(name := table.get("url_file"), str):
            found.append(("[store] url_file", config_file.resolve().parent / Path(name).expanduser()))
    if name := env.get("BAROGRAPH_STORE_FILE"):
        found.append(("BAROGRAPH_STORE_FILE", Path(name).expanduser()))
    if (folder := env.get(FOLDER)) and Path(folder).is_dir():
        found += [(FOLDER, path) for path in sorted(Path(folder).iterdir()) if path.is_file()]
    return found
