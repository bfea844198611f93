"""Which names are timezones."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@cache
def is_timezone(name: str) -> bool:
    """Whether `name` is an IANA timezone that this machine knows."""
    try:
        ZoneInfo(name).utcoffset(None)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
