"""The image of deploy/container/Dockerfile, built for real where there is no container engine.

mmdebstrap makes a Debian with Python, which stands for the base image; buildah builds the Dockerfile on it, in a
chroot.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.certificates import Authority

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "deploy" / "container"
BASE: Final = "docker.io/library/python:3.11-slim-bookworm"
NAME: Final = "localhost/barograph"
BUNDLE: Final = "etc/ssl/certs/rds-global-bundle.pem"
BUILD_SECONDS: Final = 600.0

PACKAGES: Final = "python3,python3-venv,passwd"
UNUSED: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
PIP_KEYS: Final = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: its files, as a folder, and its configuration, as an engine would read it."""

    rootfs: Path
    config: Mapping[str, Any]
    history: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it sets."""
        return dict(line.split("=", 1) for line in self.config["Env"])


def needs(*programs: str) -> None:
    """Skip the test where one of these, or the right to use them, is missing."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a chroot and namespaces of its own")
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)} (the packages buildah, mmdebstrap, iproute2, wget)")


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """The target `aws`, which is the target `runtime` with a file more. Skips where no Debian can be had."""
    needs("buildah", "mmdebstrap")
    base = folder / "base.tar"
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in UNUSED]
    made = _call(["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", *options, "bookworm", str(base)], folder)
    if made.returncode:
        if any(told in made.stderr for told in ("Could not resolve", "Failed to fetch", "Could not connect")):
            pytest.skip(f"no Debian mirror answers: {made.stderr.strip().splitlines()[-1]}")
        pytest.fail(f"mmdebstrap: {made.stderr[-2000:]}")
    buildah = _Buildah(folder, _driver(folder))
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(base), "/")
    buildah("commit", "--quiet", "--rm", container, BASE)
    base.unlink()
    context = _context(folder)
    pip = _pip_settings(folder)
    # Docker's format, since OCI's knows no health check.
    buildah(
        *("bud", "--format=docker", "--pull-never", "--network=host", "--target=aws", f"--tag={NAME}"),
        *(f"--secret=id=pip.conf,src={pip / 'pip.conf'}", f"--volume={pip}:/mnt:ro"),
        *("--file", str(context / "deploy/container/Dockerfile"), str(context)),
    )
    told = json.loads(buildah("inspect", "--type=image", NAME))
    container = buildah("from", "--pull-never", NAME)
    try:
        rootfs = Path(buildah("mount", container))
        yield Image(rootfs, told["Docker"]["config"], json.dumps(told["Docker"]["history"]))
    finally:
        buildah("umount", container)


@dataclass(frozen=True, slots=True)
class _Buildah:
    """buildah with a storage of its own; what it prints."""

    folder: Path
    driver: str

    def __call__(self, *words: str) -> str:
        done = self.tried(*words)
        assert done.returncode == 0, f"buildah {' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()

    def tried(self, *words: str) -> subprocess.CompletedProcess[str]:
        storage = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        command = ["buildah", *storage, f"--storage-driver={self.driver}", *words]
        return _call(command, self.folder, BUILDAH_ISOLATION="chroot")


def _driver(folder: Path) -> str:
    """Layers over one another where the file system can; else each is a copy of the one before, which takes longer."""
    trial = folder / "trial"
    buildah = _Buildah(trial, "overlay")
    trial.mkdir()
    works = buildah.tried("from", "scratch").returncode == 0
    if works:
        buildah.tried("rm", "--all")
    return "overlay" if works else "vfs"


def _call(words: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder), **more}
    return subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False, cwd=folder
    )


def _context(folder: Path) -> Path:
    """The checkout's tracked files, with a bundle of certificates in the place of Amazon's, and a secret left about."""
    context = folder / "context"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not name.startswith(("tests/", "docs/", "benchmarks/")) and (ROOT / name).is_file():
            target = context / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    authority = folder / "authority"
    authority.mkdir()
    shutil.copy(Authority(authority, "meteo").ca_file, context / "deploy/container/global-bundle.pem")
    left = context / "deploy/container/secrets/BAROGRAPH_STORE"
    left.parent.mkdir()
    left.write_text("mongodb://left-about:secret@db/meteo\n", encoding="utf-8")
    return context


def _pip_settings(folder: Path) -> Path:
    """Where this machine's pip finds packages, as a folder with a pip.conf and its certificates."""
    settings = folder / "pip"
    settings.mkdir()
    words = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    lines = [f"{key} = {found[key]}" for key in PIP_KEYS if key in found and "file:" not in found[key]]
    if "cert" in found:
        shutil.copy(found["cert"], settings / "ca.pem")
        lines.append("cert = /mnt/ca.pem")
    (settings / "pip.conf").write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    return settings
