"""Free space where a folder is, or will be."""

from __future__ import annotations

import shutil
from pathlib import Path


def nearest(folder: Path) -> Path:
    """The folder, or the first above it that exists and that this user may know of."""
    return next(path for path in (folder, *folder.parents) if _is_seen(path))


def free_bytes(folder: Path) -> int:
    """Free space for this user."""
    return shutil.disk_usage(nearest(folder)).free


def _is_seen(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False
