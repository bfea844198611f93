"""The Dockerfile as it stands: linted, pinned by the locks, and sent no more than it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.container.image import FOLDER, ROOT

DOCKERFILE: Final = FOLDER / "Dockerfile"


def test_hadolint_finds_nothing() -> None:
    """Neither in the instructions nor, by the shellcheck inside of it, in what they run."""
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("hadolint comes as a wheel for Linux x86-64 only")
    told = subprocess.run([program, "--no-color", str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr, told.returncode) == ("", "", 0)


def test_everything_is_installed_by_hash() -> None:
    """Each pip install takes a hashed lock, or what was made from this checkout without an index."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"pip\S* (?:--python \S+ )?install (.*?)(?: &&|\n)", text)
    assert len(installs) == 3
    for words in installs:
        assert "--require-hashes -r deploy/" in words or "--no-index --no-deps" in words, words


def test_its_defaults_are_those_of_the_project() -> None:
    """The version that is told, and a Python that the tests run on."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"ARG VERSION={project['version']}\n" in text
    assert f"Python :: {re.search(r'python:(3.[0-9]+)-slim', text)[1]}" in str(project["classifiers"])  # type: ignore[index]


def test_the_context_is_named_file_by_file() -> None:
    """What the build is sent is a list of what it takes; a secret or a record left about in the checkout is not."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    taken = {rule.removeprefix("!") for rule in rules[1:] if rule.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert taken == {word for words in copied for word in words.split()}
