"""The machine and the versions that a result belongs to."""

from __future__ import annotations

import os
import platform
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("polars", "pymongo", "orjson", "pandas", "openpyxl")


def describe(*more: str) -> list[str]:
    """Lines of text: when, on what, with which versions; `more` are further versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    versions += [f"{name} {version(name)}" for name in PACKAGES]
    versions += more
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, barograph {version('barograph')}",
        f"{cores} cores ({_processor()}), {_memory()} of memory, {platform.system()} {platform.machine()}",
        ", ".join(versions),
    ]


def load() -> str:
    """How busy the machine is: the load averages of 1 and 5 minutes."""
    one, five, _ = os.getloadavg()
    return f"{one:.1f} (5 min: {five:.1f})"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _memory() -> str:
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB"
