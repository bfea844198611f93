"""The real connectors from their registry, installed by `barograph connector install` into a folder that is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
CACHE: Final = Path(os.environ.get("CONNECTORS_CACHE") or ROOT / ".cache" / "connectors")
"""The data folder of the tests' connectors; CONNECTORS_CACHE names another, which outlives a checkout."""

INSTALL_SECONDS: Final = 420
MAIN: Final = (sys.executable, "-c", "from barograph.faces.cli.main import main; main()")


def installed(connector: str) -> Path:
    """The data folder with the connector in it; the test is skipped where no registry can be reached."""
    command = [*MAIN, "--data-dir", str(CACHE), "connector", "install", connector]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, cwd=ROOT)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{connector} could not be installed within {INSTALL_SECONDS} s")
    if "no package registry answers" in done.stderr:
        pytest.skip(f"{connector} cannot be installed: no package registry answers")
    assert done.returncode == 0, done.stderr
    return CACHE


def version_of(data_dir: Path, name: str) -> str | None:
    """Which version of a connector `barograph connector list` shows."""
    command = [*MAIN, "--data-dir", str(data_dir), "connector", "list", "--json"]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    return next((one["version"] for one in listed if one["name"] == name), None)
