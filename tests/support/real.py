"""The network's published export files, where this machine has them; they are never part of the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest


def _find() -> Path | None:
    """The folder that BAROGRAPH_REAL names, else ../shared/real beside the checkout."""
    named = os.environ.get("BAROGRAPH_REAL")
    if named:
        if not Path(named).is_dir():
            raise pytest.UsageError(f"BAROGRAPH_REAL={named} is not a folder")
        return Path(named).resolve()
    beside = Path(__file__).resolve().parents[3] / "shared" / "real"
    return beside if beside.is_dir() else None


REAL: Final = _find()

requires_real = pytest.mark.skipif(
    REAL is None,
    reason="the network's published exports are not on this machine: set BAROGRAPH_REAL to their folder",
)


def real_file(name: str) -> Path:
    """One of the files, in a test marked `requires_real`. A folder that lacks it fails the test."""
    if REAL is None:
        pytest.fail("a test that reads the published exports must be marked requires_real")
    path = REAL / name
    if not path.is_file():
        pytest.fail(f"{path} is missing")
    return path
