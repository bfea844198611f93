"""Installing a connector: a virtual environment beside the one that may be there, and a marker written last.

Virtual environments cannot be moved, so each is built in a folder of its own, for good; the marker, which is replaced
atomically, tells which one counts. What a broken-off installation left is removed by the next.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from barograph.config import child_environment
from barograph.errors import SourceRefused, SourceUnavailable, UsageError
from barograph.model import iso, utc_now
from barograph.sources.airbyte.installed import MARKER, PREFIX, Installed, alone, folder_of, installed, split_name

TESTED: Final = {"source-file": "0.5.39", "source-faker": "7.2.1"}
"""Versions that barograph is tested with; a later source-file pins what cannot be installed together."""

_LOOK: Final = """
import json, sys
from importlib.metadata import distribution
found = distribution(sys.argv[1])
scripts = [entry.name for entry in found.entry_points if entry.group == "console_scripts"]
print(json.dumps([found.version, scripts, "%d.%d.%d" % sys.version_info[:3]]))
"""
_UNRESOLVED: Final = ("No matching distribution", "ResolutionImpossible", "conflicting dependencies", "too-deep")


def install(
    data_dir: Path, text: str, *, python: str | None = None, tell: Callable[[str], None] = lambda _: None
) -> tuple[Installed, bool]:
    """Install a connector ("source-file", "airbyte-source-file==0.5.39"); with it, whether anything was to be done.

    `python` makes its virtual environment; default the one that runs barograph. Without a version the newest that pip
    can install is taken, and one that is there already is kept. `tell` hears each step.

    Raises UsageError for what is no connector's name, SourceRefused where pip cannot install it, SourceUnavailable
    where no registry answers or the disk is full.
    """
    name, version = split_name(text)
    folder = folder_of(data_dir, name)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / "installing", wait=True):
        there = installed(data_dir, name)
        if there is not None and version in (None, there.version):
            _sweep(folder, there)
            return there, False
        made = _build(folder, name, version, python or sys.executable, tell)
        _sweep(folder, made)
    return made, True


def _build(folder: Path, name: str, version: str | None, python: str, tell: Callable[[str], None]) -> Installed:
    package = f"{PREFIX}{name}"
    wanted = package if version is None else f"{package}=={version}"
    place = Path(tempfile.mkdtemp(prefix="venv-", dir=folder))
    tell(f"making a virtual environment in {place}")
    _run([python, "-m", "venv", str(place)], wanted)
    inside = place / "bin" / "python"
    tell(f"installing {wanted}; this takes a minute or two")
    pip = [str(inside), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    _run([*pip, wanted], wanted)
    found, scripts, exact = json.loads(_run([str(inside), "-I", "-c", _LOOK, package], wanted))
    script = name if name in scripts else next(iter(scripts), name)
    made = Installed(name, found, package, str(place / "bin" / script), exact, iso(utc_now()))
    if not os.access(made.executable, os.X_OK):
        raise SourceRefused("brings no program", where=wanted, hint="is it a connector? their names begin with source-")
    scratch = place / MARKER
    scratch.write_text(json.dumps(made.as_dict(), indent=2) + "\n", encoding="utf-8")
    scratch.replace(folder / MARKER)
    return made


def _run(command: list[str], wanted: str) -> str:
    """A step's stdout. Raises the error that its stderr tells of."""
    try:
        done = subprocess.run(  # noqa: S603 - python and pip, with a name that was checked
            command, env=child_environment(installing=True), capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise UsageError(
            f"{command[0]} cannot be run: {error.strerror}", hint="give a Python with its venv module: --python PATH"
        ) from error
    if done.returncode == 0:
        return done.stdout
    said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    raise _refused(said, wanted)


def _refused(said: list[str], wanted: str) -> Exception:
    text = "\n".join(said)
    errors = [line.strip().removeprefix("ERROR: ") for line in said if line.lstrip().startswith("ERROR")]
    what = " ".join((errors or said or ["it gave no reason"])[-1].split())[:500]
    if "NewConnectionError" in text or "Temporary failure in name resolution" in text or "Read timed out" in text:
        return SourceUnavailable(
            "no package registry answers", where=wanted, hint="a connector is installed with pip, over the network"
        )
    if "No space left" in text:
        return SourceUnavailable("the disk is full", where=wanted, hint="a connector takes up to 1 GB")
    hint = "what it said is above all a matter of the connector's own pins; try another version, or --python"
    tested = TESTED.get(wanted.removeprefix(PREFIX).partition("==")[0])
    if any(sign in text for sign in _UNRESOLVED) and tested:
        hint = f"version {tested} can be installed: {wanted.removeprefix(PREFIX).partition('==')[0]}=={tested}"
    elif "No matching distribution" in text:
        hint = "is the name right, and is there a version for this Python? another one: --python PATH"
    return SourceRefused(f"pip cannot install it: {what}", where=wanted, hint=hint)


def _sweep(folder: Path, kept: Installed) -> None:
    """Remove the other virtual environments, unless a sync is running out of one."""
    others = list(_others(folder, kept))
    if not others:
        return
    with alone(folder / "lock", wait=False) as free:
        if free:
            for path in others:
                shutil.rmtree(path, ignore_errors=True)


def _others(folder: Path, kept: Installed) -> Iterator[Path]:
    inside = Path(kept.executable)
    yield from (path for path in folder.glob("venv-*") if path not in inside.parents)
