"""The image of deploy/container/Dockerfile, built for real where there is no container engine.

mmdebstrap makes a Debian with Python, which stands for the base image; buildah builds the Dockerfile on it, in a
chroot.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.bare_root import CERTIFICATES, NoMirror, ask_index, make_root, pip_conf
from tests.support.certificates import Authority
from tests.support.release import tracked_files

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "deploy" / "container"
BASE: Final = "docker.io/library/python:3.11-slim-bookworm"
NAME: Final = "localhost/barograph"
BUNDLE: Final = "etc/ssl/certs/rds-global-bundle.pem"
BUILD_SECONDS: Final = 600.0

PACKAGES: Final = "python3,python3-venv,passwd"
UNUSED: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")


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
    needs("buildah", "mmdebstrap", "unshare", "apt-config")
    buildah = _Buildah(folder, _driver(folder))
    container = buildah("from", "scratch")
    try:
        ask_index(folder)
        make_root(Path(buildah("mount", container)), PACKAGES, *(f"--dpkgopt=path-exclude={each}" for each in UNUSED))
    except NoMirror as error:
        pytest.skip(str(error))
    finally:
        buildah("umount", container)
    buildah("commit", "--quiet", "--rm", container, BASE)
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
    for name in tracked_files():
        if not name.startswith(("tests/", "docs/", "benchmarks/")):
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
    if CERTIFICATES.is_file():
        shutil.copy(CERTIFICATES, settings / "ca.pem")
    (settings / "pip.conf").write_text(pip_conf("/mnt/ca.pem"), encoding="utf-8")
    return settings
