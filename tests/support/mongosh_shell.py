"""MongoDB's official shell, `mongosh`, of the version in `mongosh/package-lock.json`.

It is installed once, by npm, into the virtual environment that runs the tests (395 packages, 147 MB; 15 to 28 s here),
without running any package's install scripts. Its settings and logs go to a folder of the test, with telemetry off.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).with_name("mongosh")
VENV: Final = Path(__file__).resolve().parents[2] / ".venv"
FILES: Final = ("package.json", "package-lock.json")
INSTALL_SECONDS: Final = 400
RUN_SECONDS: Final = 100
UNREACHABLE: Final = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED")
"""What npm says where there is no network."""


class MongoshMissing(RuntimeError):
    """mongosh cannot be had on this machine; the text says why."""


def find_mongosh() -> Path:
    """The program, installed if it is not yet. Raises MongoshMissing, and RuntimeError where npm fails otherwise."""
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in FILES)).hexdigest()[:12]
    folder = (Path(sys.prefix) if sys.prefix != sys.base_prefix else VENV) / "mongosh" / digest
    program = folder / "node_modules" / ".bin" / "mongosh"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            raise MongoshMissing("no npm on the PATH, which installs mongosh")
        _install(npm, folder)
    return program


def _install(npm: str, folder: Path) -> None:
    """Install beside `folder` and rename: what is there is whole, and of two test runs at once either may win."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="installing-", dir=folder.parent) as name:
        scratch = Path(name) / "mongosh"
        scratch.mkdir()
        for file in FILES:
            shutil.copy(SOURCE / file, scratch)
        command = [npm, "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--prefer-offline"]
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode != 0:
            if (code := next((code for code in UNREACHABLE if code in done.stderr), None)) is not None:
                raise MongoshMissing(f"npm, which installs mongosh, reaches no registry: {code}")
            raise RuntimeError(f"npm could not install mongosh: {done.stderr.strip()[-2000:]}")
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.exists():
                raise


@dataclass(frozen=True, slots=True)
class Mongosh:
    """The shell, connected to one database for each call."""

    program: Path
    home: Path
    url: str

    def __call__(self, script: str) -> str:
        """What the last expression of the script shows on a terminal."""
        return self._run(script)

    def json(self, script: str) -> Any:
        """The value of an expression, the documents of a cursor, as relaxed Extended JSON says it."""
        whole = f"const told = ({script}); told.toArray ? told.toArray() : told"
        return json.loads(self._run(whole, "--json=relaxed"))

    def _run(self, script: str, *options: str) -> str:
        settings = self.home / ".mongodb" / "mongosh" / "config"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text('{"enableTelemetry": false}', encoding="utf-8")
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        command = [str(self.program), self.url, "--quiet", "--norc", *options, "--eval", script]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"mongosh ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout
