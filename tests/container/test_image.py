"""The image, built for real and run without rights: what is in it, what is not, and that it works."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import pytest

from tests.container.compose_file import Health, Service
from tests.container.engine import Engine
from tests.container.image import BUNDLE, FOLDER, ROOT, Image

USER: Final = 10001
PINNED: Final = re.compile(r"^([a-z0-9_.-]+)==([^ ]+)", re.MULTILINE)
OURS: Final = 350_000_000
"""Bytes that the image may add to its base; polars' runtime alone has 178 million."""

pytestmark = pytest.mark.timeout(460)  # less than faulthandler's, which would end the whole run


def service(**more: Any) -> Service:
    """The image as its own configuration runs it, on a read-only root."""
    given: dict[str, Any] = {
        "name": "one",
        "image": "barograph",
        "entrypoint": None,
        "command": None,
        "user": None,
        "environment": {},
        "mounts": (("state", "/var/lib/barograph", False),),
        "tmpfs": ("/tmp",),
        "working_dir": None,
        "health": None,
        "network_of": None,
        "depends_on": {},
        "stop_seconds": 30.0,
        "read_only": True,
        "raw": {},
    }
    return Service(**given | more)


def test_what_is_in_it(image: Image) -> None:
    """The lock's distributions and barograph, compiled; nothing that installs, nothing of the build or its machine."""
    packages = image.rootfs / "opt/barograph/lib"
    (site,) = packages.glob("python3.*/site-packages")
    found = dict(re.match(r"(.+)-([^-]+)\.dist-info", path.name).groups() for path in site.glob("*.dist-info"))  # type: ignore[union-attr, misc]
    installed = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found.items()}
    assert installed.pop("barograph")
    wanted = dict(PINNED.findall((ROOT / "deploy/runtime.lock").read_text(encoding="utf-8")))
    assert set(installed) <= set(wanted), "what is for another platform is left out, nothing is put in"
    assert {name: wanted[name] for name in installed} == installed
    assert {"polars", "pymongo", "obstore", "click"} <= set(installed)
    assert not list(packages.rglob("pip")), "nothing is installed into a running container"
    sources = list((site / "barograph").rglob("*.py"))
    assert len(sources) > 200
    assert all(list(source.parent.glob(f"__pycache__/{source.stem}.*.pyc")) for source in sources)
    for gone in ("build", "src", "etc/pip.conf", "run/secrets/pip.conf", "mnt/ca.pem"):
        assert not (image.rootfs / gone).exists(), gone
    assert "left-about" not in image.history
    for told in ("pip.conf:", "ca.pem", "--index-url", "_proxy="):
        assert told not in image.history, told
    size = sum(path.lstat().st_size for path in (image.rootfs / "opt").rglob("*"))
    assert size < OURS, f"{size:,} bytes"


def test_its_configuration(image: Image) -> None:
    """A user by number, a health check, the volumes that it writes to, and nothing secret."""
    config = image.config
    assert config["User"] == f"{USER}:{USER}"
    assert (config["Entrypoint"], config["Cmd"]) == (["barograph"], ["scheduler"])
    assert config["Healthcheck"]["Test"] == ["CMD", "barograph", "scheduler", "--check"]
    assert set(config["Volumes"]) == {"/tmp", "/var/lib/barograph"}
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert image.environment["CREDENTIALS_DIRECTORY"] == "/run/secrets"
    assert not [name for name in image.environment if re.search("PIP|PROXY|TOKEN|KEY|PASSWORD", name.upper())]


def test_its_user_owns_nothing_but_its_state(image: Image) -> None:
    """Who breaks into the program can change neither it nor its configuration, and finds nothing that gives rights."""
    ours, added = [], []
    for folder, _, files in os.walk(image.rootfs):
        for name in [".", *files]:
            path = Path(folder, name)
            found = path.lstat()
            if found.st_uid == USER or (stat.S_ISREG(found.st_mode) and found.st_mode & stat.S_IWOTH):
                ours.append(path.relative_to(image.rootfs).as_posix())
            if stat.S_ISREG(found.st_mode) and found.st_mode & stat.S_ISUID and "opt" in path.parts:
                added.append(path)
    assert ours == ["var/lib/barograph"]
    assert not added
    assert (image.rootfs / BUNDLE).stat().st_mode & 0o777 == 0o444, "Amazon's certificates, of the target aws"


def test_it_works_without_any_right(image: Image, tmp_path: Path) -> None:
    """The whole path of the data on a read-only root, as its user, without a capability: the demonstration."""
    with Engine({"one": service()}, {"barograph": image}, tmp_path) as engine:
        code, told = engine.run("one", "demo", "--dir", "/tmp/demo", seconds=300)
        assert code == 0, told
        assert "proven: 6,770 reports" in told
        code, told = engine.run("one", "-c", "id -u; cat /proc/self/status; touch /opt/x /etc/x", entrypoint="sh")
        assert told.startswith(f"{USER}\n")
        assert re.search(r"^CapBnd:\t0+$", told, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\t1$", told, re.MULTILINE)
        assert told.count("Read-only file system") == 2


def test_its_scheduler_starts_is_healthy_and_ends(image: Image, tmp_path: Path) -> None:
    """Its own command and health check, with a configuration put in; SIGTERM ends it with 0."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "barograph.toml").write_text('[scheduler]\ntimezone = "Europe/Paris"\n', encoding="utf-8")
    mounts = (("state", "/var/lib/barograph", False), (str(etc), "/etc/barograph", True))
    with Engine({"one": service(mounts=mounts)}, {"barograph": image}, tmp_path / "engine") as engine:
        engine.up("one")
        running = engine.running["one"]
        check = Health(tuple(image.config["Healthcheck"]["Test"][1:]), 10, 60)
        engine.until_healthy("one", check)
        assert engine.inside("one", *check.test)[1].startswith("at work: process ")
        assert engine.stop("one") == 0
        lines = running.told().splitlines()
        assert json.loads(lines[0])["msg"].startswith("scheduler started"), "JSON, one line an event"
        assert "stopped" in lines[-1]


def test_without_a_configuration_it_says_so(image: Image, tmp_path: Path) -> None:
    """A container without its configuration ends at once, with what to do."""
    with Engine({"one": service()}, {"barograph": image}, tmp_path) as engine:
        code, told = engine.run("one")
    assert code == 2
    assert "/etc/barograph/barograph.toml: no such configuration file" in told


def test_the_compose_file_builds_it(image: Image) -> None:
    """compose.yaml and the documentation name the same user and paths as the image."""
    text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    for path in image.config["Volumes"]:
        assert path in text
    assert f"uid={USER},gid={USER}" in text
