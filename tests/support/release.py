"""A release as it is brought to a machine: the tracked files of this tree in a tarball."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def version() -> str:
    """The version of this tree."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def tracked_files() -> list[str]:
    """The paths that git knows and that stand in the working tree, in their order."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return sorted(name for name in listed.decode().split("\0") if name and (ROOT / name).is_file())


def make_release(folder: Path, number: str, changes: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """Write `barograph-NUMBER.tar.gz`: as `git archive` makes it, of the files as they stand in the working tree.

    `changes` maps a path to a text that stands there once, and what it becomes: for a version that is still to come.
    """
    left = dict(changes or {})
    target = folder / f"barograph-{number}.tar.gz"
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for name in tracked_files():
            path = ROOT / name
            entry = archive.gettarinfo(path, f"barograph-{number}/{name}")
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            data = path.read_bytes()
            if (change := left.pop(name, None)) is not None:
                assert data.count(change[0].encode()) == 1, (name, change)
                data = data.replace(change[0].encode(), change[1].encode())
                entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    assert not left, f"no such files: {left}"
    return target
