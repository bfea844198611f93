"""Other programs that read a workbook, each in a virtual environment of its own under a cache folder.

The folder is BAROGRAPH_BENCH_CACHE, else `barograph-bench` in the user's cache folder. What cannot be installed is
skipped, with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.process import ROOT, Usage, run, say

_INSTALL_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Other:
    """A program: what is installed, and how a workbook is read with its environment's `bin` folder."""

    name: str
    requirements: tuple[str, ...]
    read: Callable[[Path, Path, Path], tuple[Usage, int]]

    def environment(self) -> Path:
        """Its virtual environment."""
        return _cache() / self.name.partition(" ")[0]


def prepared(other: Other, *, install: bool) -> Path | str:
    """The `bin` folder of its environment, or why there is none."""
    folder = other.environment()
    made = folder / "installed"
    wanted = "\n".join(other.requirements)
    if made.is_file() and made.read_text(encoding="utf-8") == wanted:
        return folder / "bin"
    if not install:
        return "not installed, and a quick run installs nothing"
    say(f"(f) installing {' '.join(other.requirements)} into {folder}")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    try:
        for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, *other.requirements]):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return f"cannot be installed: {lines[-1] if lines else error}"
    made.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def _cache() -> Path:
    named = os.environ.get("BAROGRAPH_BENCH_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else base / "barograph-bench"


def _connector(binaries: Path, workbook: Path, folder: Path) -> tuple[Usage, int]:
    """`read` alone: its records on stdout, which somebody would still have to land."""
    config = folder / "config.json"
    told = {"dataset_name": "t", "format": "excel", "url": str(workbook), "provider": {"storage": "local"}}
    config.write_text(json.dumps(told), encoding="utf-8")
    program = str(binaries / "source-file")
    found = _messages(run([program, "discover", "--config", str(config)]).output, "CATALOG")
    (stream,) = found[0]["catalog"]["streams"]
    chosen = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}
    catalog = folder / "catalog.json"
    catalog.write_text(json.dumps({"streams": [chosen]}), encoding="utf-8")
    usage = run([program, "read", "--config", str(config), "--catalog", str(catalog)])
    return usage, len(_messages(usage.output, "RECORD"))


def _messages(output: str, kind: str) -> list[dict[str, dict[str, list[object]]]]:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [line for line in lines if line["type"] == kind]


def _dlt(binaries: Path, workbook: Path, folder: Path) -> tuple[Usage, int]:
    program = [str(binaries / "python"), str(ROOT / "benchmarks" / "dlt_load.py"), str(workbook), str(folder)]
    usage = run(program, {"RUNTIME__DLTHUB_TELEMETRY": "false"})
    return usage, int(usage.output.split()[-1])


OTHERS: Final = (
    Other("airbyte-source-file 0.5.39 (read only)", ("airbyte-source-file==0.5.39",), _connector),
    Other("dlt 1 (to JSON lines in a folder)", ("dlt[filesystem]>=1,<2", "openpyxl>=3.1"), _dlt),
)
