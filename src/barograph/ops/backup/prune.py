"""Which backups stay: the newest of each of the last days, ISO weeks and months that have one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from barograph.config import Retention
from barograph.model import utc_now
from barograph.ops.backup.catalogue import MANIFEST, Backups, instant_of, is_whole

UNDER_WAY: Final = timedelta(days=1)
"""A backup without a manifest that is younger than this may still be being made."""

_PERIODS: Final[dict[str, Callable[[datetime], object]]] = {
    "daily": lambda instant: instant.date(),
    "weekly": lambda instant: instant.isocalendar()[:2],
    "monthly": lambda instant: (instant.year, instant.month),
}
"""Of UTC."""


def kept(whole: Sequence[str], retention: Retention) -> set[str]:
    """The ids that stay of whole backups: per period the newest of the last so many; the newest of all in any case."""
    newest_first = sorted(whole, reverse=True)
    stay = set(newest_first[:1])
    for name, period in _PERIODS.items():
        newest: dict[object, str] = {}
        for backup_id in newest_first:
            newest.setdefault(period(instant_of(backup_id)), backup_id)
        stay |= set(list(newest.values())[: getattr(retention, name)])
    return stay


def prune(backups: Backups, retention: Retention, *, dry_run: bool = False) -> tuple[list[str], list[str]]:
    """Remove what is not kept, and what was broken off more than a day ago; (removed, kept) ids, oldest first.

    The manifest goes first, so that a removal that is killed leaves what the next one takes for broken off.
    """
    contents = backups.contents()
    whole = [name for name, entries in contents.items() if is_whole(entries)]
    stay = kept(whole, retention)
    now = utc_now()
    stay |= {name for name in contents if name not in whole and now - instant_of(name) < UNDER_WAY}
    removed = [name for name in contents if name not in stay]
    for name in removed if not dry_run else ():
        keys = sorted((entry.key for entry in contents[name]), key=lambda key: not key.endswith(f"/{MANIFEST}"))
        backups.bucket.delete(keys)
    return removed, [name for name in contents if name in stay]
