"""What the units of one machine depend on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from barograph.errors import UsageError

STATE: Final = Path("/var/lib")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MEMORY: Final = re.compile(r"[1-9]\d*[KMGT]?")
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where barograph, its configuration and its data are, who runs it, and when (times of day in `timezone`)."""

    program: Path = Path("/opt/barograph/bin/barograph")
    config: Path = Path("/etc/barograph/barograph.toml")
    data_dir: Path = Path("/var/lib/barograph")
    credentials: Path = Path("/etc/barograph/credentials")
    user: str = "barograph"
    timezone: str = "Europe/Paris"
    run_at: str = "00:00"
    backup_at: str = "02:30"
    drill_at: str = "04:00"
    memory: str = "2G"

    def __post_init__(self) -> None:
        """Raises UsageError for what systemd would misread."""
        for name in ("program", "config", "data_dir", "credentials"):
            path: Path = getattr(self, name)
            if not path.is_absolute() or re.search(r"[\s%'\"\\$]", str(path)):
                raise UsageError(f"{path} cannot stand in a unit file", hint="give an absolute path without blanks")
        if not _USER.fullmatch(self.user):
            raise UsageError(f"{self.user!r} is no user name", hint="lower case, as `useradd --system` takes it")
        for name in ("run_at", "backup_at", "drill_at"):
            if not _TIME.fullmatch(getattr(self, name)):
                raise UsageError(f"{getattr(self, name)!r} is no time of day", hint='write it as "00:00"')
        if not _MEMORY.fullmatch(self.memory):
            raise UsageError(f"{self.memory!r} is no amount of memory", hint='write it as "2G" or "512M"')
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UsageError(f"{self.timezone!r} is not an IANA timezone", hint='for example "Europe/Paris"') from None
