"""Spans of time as people type them: a local day, a month, a year, or FROM and TO. Pure; everything in UTC comes out.

A day asked by a person is the station's local day, which lasts 23, 24 or 25 hours. Where a wall clock says a time
twice (autumn) or never (spring), FROM is the earlier and TO the later of its two readings, so that nothing which
could have been meant is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from barograph.errors import UsageError

FIRST_YEAR: Final = 1800
LAST_YEAR: Final = 2200
EXAMPLES: Final = 'for example "2024-10-01", "2024-10", "2024", or FROM and TO like "2024-10-01" "2024-10-07T12:00Z"'

_PERIOD: Final = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
_DATETIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")


@dataclass(frozen=True, slots=True)
class Span:
    """Instants with start <= t < end (aware, UTC), and the IANA timezone whose days it was asked in."""

    start: datetime
    end: datetime
    timezone: str = "UTC"

    @property
    def label(self) -> str:
        """The span as a person writes it: "Tuesday 1 October 2024", "October 2024", "1 – 7 October 2024", two times."""
        zone = ZoneInfo(self.timezone)
        first, after = self.start.astimezone(zone), self.end.astimezone(zone)
        if self.start == _midnight(first.date(), zone) and self.end == _midnight(after.date(), zone):
            return _days_label(first.date(), after.date() - timedelta(days=1))
        end = f"{after:%H:%M}" if first.date() == after.date() else _time_label(after)
        return f"{_time_label(first)} – {end}"


def local_day(day: date, timezone: str) -> tuple[datetime, datetime]:
    """UTC bounds [start, end) of a local day: 23, 24 or 25 hours in today's zones, 0 where a zone skipped the day.

    A day starts at the first instant whose local date is `day` or later, so consecutive days tile the time line.
    Raises UsageError when the timezone is unknown or the year is outside 1800 to 2200.
    """
    zone = _zone(timezone)
    _check_year(day.year, day.isoformat())
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def parse_span(
    first: str | date, last: str | date | None = None, *, timezone: str | None = None, utc: bool = False
) -> Span:
    """The span that `first` and `last` name, in the days of `timezone` (None, or `utc`: UTC days).

    `first` alone is a day ("2024-10-01"), a month ("2024-10") or a year ("2024"). With `last`, each is one of these
    (`last` included whole) or an ISO 8601 datetime (`last` excluded): with an offset or Z an instant, without one the
    station's wall clock. Dates and datetimes may be passed as such. Raises UsageError.
    """
    name = "UTC" if utc or timezone is None else timezone
    zone = _zone(name)
    start = _bounds(first, zone)[0]
    if last is None:
        if not _is_period(first):
            raise UsageError(f"{first} is an instant, not a span", where="FROM", hint=f"give a TO as well; {EXAMPLES}")
        end = _bounds(first, zone)[1]
    else:
        end = _bounds(last, zone)[1]
        if end <= start:
            raise UsageError(f"the span from {first} to {last} is empty", where="FROM TO", hint="FROM comes first")
    return Span(start, end, name)


def _is_period(value: str | date) -> bool:
    if isinstance(value, str):
        return _PERIOD.fullmatch(value.strip()) is not None
    return not isinstance(value, datetime)


def _bounds(value: str | date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First instant of what `value` names, and the instant after it (the same for an instant)."""
    if isinstance(value, str):
        text = value.strip()
        period = _PERIOD.fullmatch(text)
        if period is None and _DATETIME.fullmatch(text) is None:
            raise UsageError(f"{text!r} is not a date or a time", where="FROM TO", hint=EXAMPLES)
        try:
            value = datetime.fromisoformat(text) if period is None else date.fromisoformat((text + "-01-01")[:10])
        except ValueError as error:
            raise UsageError(f"{text!r} is not a date or a time: {error}", where="FROM TO", hint=EXAMPLES) from error
        if period is not None:
            _check_year(value.year, text)
            return _midnight(value, zone), _midnight(_after(value, period), zone)
    _check_year(value.year, str(value))
    if not isinstance(value, datetime):
        return _midnight(value, zone), _midnight(value + timedelta(days=1), zone)
    if value.tzinfo is not None:
        instant = value.astimezone(UTC)
        return instant, instant
    readings = [value.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(readings), max(readings)


def _after(day: date, period: re.Match[str]) -> date:
    """The first day after the year, month or day that `period` matched and `day` starts."""
    if period[2] is None:
        return date(day.year + 1, 1, 1)
    if period[3] is None:
        return date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day + timedelta(days=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) whose local date is `day` or later."""
    wall = datetime.combine(day, time(), zone)
    early, late = sorted(wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).date() >= day:
        return early
    # The clock jumped over midnight (Toronto 1919: 23:30 to 00:30): the day starts at the jump, which lies between.
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        early, late = (early, middle) if middle.astimezone(zone).date() >= day else (middle, late)
    return late


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"{name!r} is not an IANA timezone", hint='for example "Europe/Paris"') from error


def _check_year(year: int, text: str) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise UsageError(f"{text!r} is outside the years {FIRST_YEAR} to {LAST_YEAR}", where="FROM TO", hint=EXAMPLES)


def _days_label(first: date, last: date) -> str:
    if first >= last:
        return f"{first:%A} {first.day} {first:%B %Y}"
    tomorrow = last + timedelta(days=1)
    if first.day == 1 and tomorrow.day == 1 and (first.year, first.month) == (last.year, last.month):
        return f"{first:%B %Y}"
    if (first.month, first.day, tomorrow.month, tomorrow.day) == (1, 1, 1, 1):
        return str(first.year) if first.year == last.year else f"{first.year} – {last.year}"
    if first.year != last.year:
        return f"{first.day} {first:%B %Y} – {last.day} {last:%B %Y}"
    if first.month != last.month:
        return f"{first.day} {first:%B} – {last.day} {last:%B %Y}"
    return f"{first.day} – {last.day} {last:%B %Y}"


def _time_label(local: datetime) -> str:
    return f"{local.day} {local:%B %Y %H:%M}"
