"""Fresh processes and what they cost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process said and cost: wall-clock and CPU seconds (user + system, its children included)."""

    output: str
    wall: float
    cpu: float


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def run(command: Sequence[str], settings: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end; RuntimeError where it fails.

    `settings` are the BAROGRAPH_* variables that it sees: a store's URL may carry a password, and a command line is
    there for all to read.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BAROGRAPH_")}
    environment |= settings or {}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"[-3000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(done.stdout, wall, cpu)


def run_module(name: str, *arguments: str, settings: Mapping[str, str] | None = None) -> Usage:
    """Run `python -m name` with this interpreter."""
    return run([sys.executable, "-m", name, *arguments], settings)


def peak_memory() -> int:
    """The largest resident size of this process, in bytes.

    Linux keeps `ru_maxrss` over exec, so a child begins with its parent's peak; VmHWM begins anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
