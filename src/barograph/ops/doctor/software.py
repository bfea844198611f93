"""Python, the libraries, and the timezones that they know."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from barograph.ops.doctor.finding import Finding

OLDEST: Final = (3, 11)
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)((?:[<>=!~]=?[\w.]+,?)*)$")
_SUMMER: Final = datetime(2024, 7, 1, tzinfo=UTC)


def python() -> Finding:
    """The interpreter's version."""
    told = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST:
        return Finding("Python", "failed", f"{told} is too old", "install Python 3.11 or newer")
    return Finding("Python", "ok", told)


def libraries(distribution: str = "barograph") -> Iterator[Finding]:
    """Every library in a version that is asked for."""
    try:
        wanted = [text for text in requires(distribution) or () if ";" not in text]
        mine = version(distribution)
    except PackageNotFoundError:
        yield Finding("libraries", "warning", "barograph runs without being installed", "pip install barograph")
        return
    wrong = [problem for text in wanted if (problem := _wrong(text))]
    if wrong:
        yield Finding("libraries", "failed", "; ".join(wrong), "pip install --upgrade barograph")
    else:
        yield Finding("libraries", "ok", f"barograph {mine}, {len(wanted)} libraries in the versions it asks for")


def _wrong(requirement: str) -> str:
    match = _REQUIREMENT.match(requirement.replace(" ", ""))
    if match is None:
        return ""
    name, bounds = match[1], match[2]
    try:
        there = version(name)
    except PackageNotFoundError:
        return f"{name} is not installed"
    least = re.search(r">=([\d.]+)", bounds)
    below = re.search(r"<([\d.]+)", bounds)
    if (least and _numbers(there) < _numbers(least[1])) or (below and _numbers(there) >= _numbers(below[1])):
        return f"{name} is {there}, asked for is {bounds}"
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.match(r"[\d.]*\d", text)[0].split("."))  # type: ignore[index]


def timezones() -> Finding:
    """The rules of the timezones are there, and are rules."""
    try:
        summer = ZoneInfo("Europe/Paris").utcoffset(_SUMMER.replace(tzinfo=None))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        summer = None
    if summer != timedelta(hours=2):
        return Finding("timezone data", "failed", "Europe/Paris is not known", "install tzdata: pip install tzdata")
    try:
        package = f"package tzdata {version('tzdata')}"
    except PackageNotFoundError:
        package = "no package tzdata"
    return Finding("timezone data", "ok", f"of the system ({TZPATH[0]}) first, {package}" if TZPATH else package)
