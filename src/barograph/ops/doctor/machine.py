"""This machine: space, clock, timers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from barograph.ops.disk import free_bytes, nearest
from barograph.ops.doctor.finding import Finding

if TYPE_CHECKING:
    from barograph.config import Settings

LITTLE: Final = 2_000_000_000
"""As the alert rule on free space."""
NOTHING: Final = 100_000_000
OFF: Final = 60.0
FAR_OFF: Final = 900.0
"""Seconds. S3 refuses requests that are a quarter of an hour off (RequestTimeTooSkewed)."""
TIMERS: Final = ("barograph-run.timer", "barograph-scheduler.service")
SECONDS: Final = 5.0


def space(settings: Settings) -> Iterator[Finding]:
    """Where the data is, and where files are put while they are worked at."""
    yield folder("data folder", settings.data_dir, "free space, or `barograph backup prune`; or use another --data-dir")
    yield folder("temporary folder", Path(tempfile.gettempdir()), "free space there, or set TMPDIR to another folder")


def folder(name: str, path: Path, cure: str) -> Finding:
    """Room, and the right to write."""
    there = nearest(path)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding(name, "failed", f"{there} cannot be written", f"give this user the folder: {there}")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding(name, "failed", f"{there} cannot be written: {error.strerror}", "remount it, or use another")
    free = free_bytes(there)
    told = f"{path}: {free / 1e9:,.1f} GB are free"
    if free < NOTHING:
        return Finding(name, "failed", told, cure)
    return Finding(name, "warning" if free < LITTLE else "ok", told, cure if free < LITTLE else "")


def clock(ahead: Mapping[str, float]) -> Iterator[Finding]:
    """Against the servers that told the time: how far each is ahead of this machine, in seconds."""
    if not ahead:
        return
    # One server may be wrong; that whose clock is nearest to ours speaks for it.
    name, seconds = min(ahead.items(), key=lambda item: abs(item[1]))
    if abs(seconds) < OFF:
        yield Finding("clock", "ok", f"within {max(2.0, abs(seconds)):.0f} s of that of {name}")
        return
    way = "behind" if seconds > 0 else "ahead of"
    yield Finding(
        "clock",
        "failed" if abs(seconds) >= FAR_OFF else "warning",
        f"this machine is {abs(seconds):,.0f} s {way} the clock of {name}",
        "set it, and keep it by NTP: timedatectl set-ntp true",
    )


def ntp() -> Iterator[Finding]:
    """Whether something keeps the clock; nothing where this machine does not tell."""
    told = _ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if told == "yes":
        yield Finding("NTP", "ok", "the clock is synchronized")
    elif told == "no":
        yield Finding("NTP", "warning", "the clock is not synchronized", "timedatectl set-ntp true, or install chrony")


def timers() -> Iterator[Finding]:
    """Whether the job is scheduled by systemd; nothing where there is none, or none of our units."""
    states: dict[str, str] = {}
    for unit in TIMERS:
        told = _ask("systemctl", "show", "--property=LoadState,ActiveState", unit)
        found = dict(line.split("=", 1) for line in (told or "").splitlines() if "=" in line)
        if found.get("LoadState") == "loaded":
            states[unit] = found.get("ActiveState", "")
    if not states:
        return
    active = [unit for unit, state in states.items() if state == "active"]
    if active:
        yield Finding("systemd", "ok", f"{', '.join(active)} is active")
        return
    unit = next(iter(states))
    yield Finding(
        "systemd", "warning", f"{unit} is {states[unit]}: no run is scheduled", f"systemctl enable --now {unit}"
    )


def _ask(*words: str) -> str | None:
    """What a program of the system says; None where it is not there or does not know."""
    program = shutil.which(words[0])
    if program is None:
        return None
    try:
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - the system's own
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
