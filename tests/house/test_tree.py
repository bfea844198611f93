"""What the project's files may not say, and how the Makefile speaks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

# Put together here, so that this file does not say them either.
REGISTRIES: Final = tuple(
    "".join(parts) for parts in (("pypi", ".org"), ("python", "hosted.org"), ("npmjs", ".org"), ("deb.", "debian.org"))
)
MACHINE_PATHS: Final = tuple("/" + name for name in ("work/", "root/", "tmp/lab", "opt/pypi", "opt/wheels"))
LOCAL_INDEX: Final = "file://" + "/opt"


def project_files() -> list[Path]:
    """Every file that is or would be committed."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is not a git checkout, so nothing tells the project's files from others")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    """A checkout builds anywhere: no package registry's host and no developer's path stands in any file."""
    outside_a_word = "|".join(re.escape(path) for path in MACHINE_PATHS)
    forbidden = re.compile(
        "|".join(
            [*(re.escape(name) for name in REGISTRIES), re.escape(LOCAL_INDEX), rf"(?<![\w.~-])(?:{outside_a_word})"]
        )
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in project_files()
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1)
        if (match := forbidden.search(line))
    ]
    assert found == []


def test_text_files_are_utf_8_with_unix_lines() -> None:
    """Every text file is UTF-8, ends its lines with LF and its last line, too."""
    binary = {".gz", ".parquet", ".png", ".xlsx"}
    wrong = []
    for path in project_files():
        data = path.read_bytes()
        if path.suffix in binary or not data:
            continue
        data.decode("utf-8")
        if b"\r\n" in data or not data.endswith(b"\n"):
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # Under `make test` this would be a sub-make, which speaks differently.
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=folder, env=alone, capture_output=True, text=True, check=False)


def test_make_alone_lists_every_target() -> None:
    """`make` does nothing but tell what it can do, and leaves no target out."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    told = make()
    assert told.returncode == 0
    assert {line.split()[1] for line in told.stdout.splitlines()} == set(phony.group(1).split())


@pytest.mark.parametrize(
    ("refuses", "hint"),
    [("version_info", "barograph needs Python 3.11 or later"), ("ensurepip", "apt-get install python3-venv")],
)
def test_make_says_in_one_line_what_the_machine_lacks(tmp_path: Path, refuses: str, hint: str) -> None:
    """An old Python, or Debian's without its venv package, ends in one line that says what to do, not in a trace."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\ncase "$2" in *{refuses}*) exit 1;; esac\n', encoding="utf-8")
    python.chmod(0o755)
    told = make("install", f"PYTHON={python}", folder=tmp_path)
    assert told.returncode == 2
    assert hint in told.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()
