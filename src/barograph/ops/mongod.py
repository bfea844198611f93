"""The mongod that a local replica set runs on: where it is, and whether it runs here."""

from __future__ import annotations

import platform
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from barograph.config import mongod as named_mongod
from barograph.errors import ClusterError

OLDEST: Final = (5, 0)
"""`shutdownTimeoutMillisForSignaledShutdown`, without which each member takes 15 s to go down, came with 5.0."""
VERSION_SECONDS: Final = 60.0

GET_ONE: Final = (
    "on Linux x86-64 with OpenSSL 3 (Debian 12, Ubuntu 22.04 and later) `pip install 'barograph[mongod]'` brings one; "
    "elsewhere install MongoDB and put mongod on the PATH, or name it in BAROGRAPH_MONGOD"
)
# What the mongod of the extra is linked against beyond Debian's base system, and the packages that hold it.
PACKAGES: Final = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
    "libresolv.so.2": "libc6",
}


@dataclass(frozen=True, slots=True)
class Mongod:
    """A mongod that runs here."""

    path: Path
    version: tuple[int, ...]

    @property
    def release(self) -> str:
        """As 6.0.5."""
        return ".".join(map(str, self.version))


def find_mongod() -> Mongod:
    """The mongod that BAROGRAPH_MONGOD names, else the one on the PATH, else that of the `mongod` extra.

    It is started once, with --version. Raises ClusterError where there is none, or where it does not run.
    """
    found = _find()
    said = _version_text(found)
    number = re.search(r"^db version v(\d+(?:\.\d+)+)", said, re.MULTILINE)
    if number is None:
        raise ClusterError("does not say that it is a mongod", where=str(found), hint=GET_ONE)
    mongod = Mongod(found, tuple(map(int, number[1].split("."))))
    if mongod.version < OLDEST:
        raise ClusterError(f"MongoDB {mongod.release} is too old", where=str(found), hint="take 5.0 or later")
    return mongod


def _find() -> Path:
    if (named := named_mongod()) is not None:
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise ClusterError(
                "there is no such file", where=f"BAROGRAPH_MONGOD {path}", hint="name the mongod, or unset it"
            )
        return path
    if (on_path := shutil.which("mongod")) is not None:
        return Path(on_path).absolute()
    wheel = find_spec("fiftyone")
    for folder in (wheel.submodule_search_locations or ()) if wheel is not None else ():
        if (path := Path(folder) / "db" / "bin" / "mongod").is_file():
            return path
    raise ClusterError(f"there is no mongod on this machine ({_machine()})", hint=GET_ONE)


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}"


def _version_text(path: Path) -> str:
    """What `mongod --version` prints."""
    try:
        done = subprocess.run(  # noqa: S603 - the program that the operator chose
            [path, "--version"], capture_output=True, text=True, errors="replace", timeout=VERSION_SECONDS, check=False
        )
    except OSError as error:
        # ENOEXEC (another machine's binary), EACCES.
        raise ClusterError(f"cannot be run here: {error.strerror}", where=str(path), hint=GET_ONE) from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"--version takes longer than {VERSION_SECONDS:.0f} s", where=str(path)) from error
    if done.returncode == 0:
        return done.stdout
    what, hint = why_not(done.returncode, done.stderr + done.stdout)
    raise ClusterError(what, where=str(path), hint=hint)


def why_not(code: int, said: str) -> tuple[str, str]:
    """What keeps the program itself from running, and what to do; by its exit code and its words."""
    if (library := re.search(r"loading shared libraries: ([^:\s]+)", said)) is not None:
        package = PACKAGES.get(library[1])
        hint = f"apt-get install {package}" if package else "install the package that holds it"
        return f"the library {library[1]} is missing", hint
    if (symbol := re.search(r"version [`'](\w+_[\d.]+)' not found", said)) is not None:
        return f"it was built for a newer system (with {symbol[1]})", GET_ONE
    if code in (-signal.SIGILL, 128 + signal.SIGILL):
        return (
            "it uses instructions that this processor does not have",
            "MongoDB 5.0 and later need AVX on x86-64 and ARMv8.2-A on ARM; a virtual machine may hide it",
        )
    words = " ".join(said.split())[-300:]
    return f"does not run here: exit code {code}{f', {words}' if words else ''}", GET_ONE
