"""A bare Debian 12 in a folder: what a fresh machine has, and this machine's way to Debian's and Python's packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

SUITE: Final = "bookworm"
FRESH: Final = "systemd,systemd-sysv"
"""Of what a new machine has, the part that is not essential to Debian and that an operator needs."""
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
KEPT: Final = "/etc/host-certificates.pem"
"""What the authorities that this machine trusts are called in the root: its own bundle is made by its packages."""
PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check")
ROOM: Final = 8_000_000_000
"""Bytes of free memory: a root with two versions of barograph and a replica set takes 3 GB."""
_DEBIAN: Final = re.compile(r"(?<![\w#])([a-z][a-z+]*://\S+?/debian(?:-security)?)/?(?=\s|$)")
_PIP_SETTINGS: Final = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout", "timeout")
_APT: Final = re.compile(r"Acquire::(?:https?|Check-Valid-Until|Check-Date|Retries|ForceIPv)\S* .*")
_UNREACHED: Final = re.compile(
    r"Could not resolve|Temporary failure resolving|Could not connect|Unable to connect|Cannot initiate the connection"
)


class NoMirror(Exception):
    """Packages of Debian or Python are not to be had from here."""


def place() -> str | None:
    """A folder in memory for roots, which take half of the time there; None where it lacks room, or device files."""
    memory = "/dev/shm"
    try:
        flags = os.statvfs(memory).f_flag
        room = min(shutil.disk_usage(memory).free, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except OSError:
        return None
    return memory if room > ROOM and not flags & (os.ST_NODEV | os.ST_NOEXEC | os.ST_NOSUID) else None


def make_root(root: Path, packages: str = FRESH, *options: str) -> None:
    """Fill a folder with a bare Debian and these packages; `options` are mmdebstrap's.

    Raises NoMirror; AssertionError with what mmdebstrap said where it fails.
    """
    settings = root.with_name(f"{root.name}.apt")
    told = [line for line in _apt_settings().splitlines() if _APT.fullmatch(line)]
    settings.write_text("".join(f"{line}\n" for line in told), encoding="utf-8")
    asked = ("--mode=root", "--variant=minbase", f"--include={packages}", f"--aptopt={settings}", *options)
    # In namespaces of its own, so that its mounts end with it, however it ends.
    own = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    words = [*own, "mmdebstrap", *asked, SUITE, str(root), *_mirrors()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    said = f"mmdebstrap ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    if done.returncode and _UNREACHED.search(said):
        raise NoMirror(f"no mirror of Debian's packages answers: {said[-600:]}")
    assert done.returncode == 0, said


def connect(root: Path) -> None:
    """Give a root names, authorities and pip's index, as this machine has them."""
    for name in ("resolv.conf", "hosts"):
        if (source := Path("/etc", name)).is_file():
            shutil.copyfile(source, root / "etc" / name)
    if CERTIFICATES.is_file():
        shutil.copyfile(CERTIFICATES, root / KEPT[1:])
        if "Acquire::https::CaInfo" in _apt_settings():
            last = root / "etc/apt/apt.conf.d/zz-host"
            last.write_text(f'Acquire::https::CaInfo "{KEPT}";\n', encoding="utf-8")
    (root / "etc/pip.conf").write_text(pip_conf(KEPT), encoding="utf-8")


def ask_index(folder: Path) -> None:
    """Raises NoMirror where pip, told no more than `pip_conf`, finds no index: folders of this machine are none."""
    file = folder / "pip.conf"
    file.write_text(pip_conf(str(CERTIFICATES)), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    words = (*PIP, "index", "versions", "--retries=1", "--timeout=30", "hatchling")
    done = subprocess.run(
        words, env={**environment, "PIP_CONFIG_FILE": str(file)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoMirror(f"no index of Python's packages answers: {done.stderr[-600:]}")


def pip_conf(certificates: str) -> str:
    """A pip.conf by which packages are found as here; `certificates` is where this machine's authorities then are."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name, value = key.rpartition(".")[2], value.strip("'\"")
        if name in _PIP_SETTINGS and "file:" not in value:
            found[name] = value
    if CERTIFICATES.is_file():
        found["cert"] = certificates
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in found.items()), ""])


def _apt_settings() -> str:
    return subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout


def _mirrors() -> list[str]:
    """The mirrors of this machine as lines of a sources.list; none where it names none: mmdebstrap knows Debian's."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(
        line
        for path in files
        if path.suffix in (".list", ".sources") and path.is_file()
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#")
    )
    found = list(dict.fromkeys(_DEBIAN.findall(text)))
    main = next((url for url in found if not url.endswith("-security")), None)
    if main is None:
        return []
    lines = [f"deb {main} {SUITE} main", f"deb {main} {SUITE}-updates main"]
    return lines + [f"deb {url} {SUITE}-security main" for url in found if url.endswith("-security")][:1]
