"""When a connection is due: "manual", "daily", or a cron expression of five fields, in the scheduler's timezone.

The calendar is APScheduler's, over wall-clock times; what it leaves wrong is done here. It numbers the days of the week
from Monday (cron: from Sunday), wants both of day and day-of-week to match where cron takes either, skips a day whose
midnight the clock jumps over (Cairo in April), and runs in circles in the hour that the clock repeats in autumn.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from barograph.errors import ConfigError

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

MANUAL: Final = "manual"
DAILY: Final = "daily"
HINT: Final = 'write "manual", "daily" (midnight) or five fields as in cron: "15 * * * *" is each hour at minute 15'

LONGEST_SLACK: Final = timedelta(hours=2)
SHORTEST_SLACK: Final = timedelta(minutes=10)
"""How long after its time a sync counts as late: the interval to the time after, within these bounds."""

_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS: Final = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_STEP: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five: its name, its bounds, and the names that stand for numbers."""

    name: str
    low: int
    high: int
    names: dict[str, int]

    def parse(self, text: str) -> frozenset[int]:
        """The numbers that match. Raises ConfigError."""
        return frozenset(number for part in text.split(",") for number in self._part(part))

    def _part(self, part: str) -> range:
        span, slash, step = part.partition("/")
        if slash and not (_is_number(step) and int(step) > 0):
            raise ConfigError(f"{self.name} {part!r}: the step is not a whole number above 0")
        if span == "*":
            low, high = self.low, self.high
        else:
            first, dash, last = span.partition("-")
            low = self._number(first, part)
            high = self._number(last, part) if dash else self.high if slash else low
        if low > high:
            raise ConfigError(f"{self.name} {part!r} runs backwards")
        return range(low, high + 1, int(step) if slash else 1)

    def _number(self, text: str, part: str) -> int:
        number = self.names.get(text.lower(), int(text) if _is_number(text) else None)
        if number is None:
            raise ConfigError(f"{self.name} {part!r} is not understood")
        if not self.low <= number <= self.high:
            raise ConfigError(f"{self.name} {part!r} is not within {self.low} and {self.high}")
        return number


_FIELDS: Final = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


@dataclass(frozen=True)
class Schedule:
    """Due times of a connection, from its checked text and a timezone (IANA)."""

    text: str
    timezone: str = "UTC"

    @staticmethod
    @lru_cache(maxsize=1024)
    def of(text: str, timezone: str = "UTC") -> Schedule | None:
        """The schedule that a setting means; None for "manual". Raises ConfigError."""
        if text == MANUAL:
            return None
        schedule = Schedule(text, timezone)
        try:
            schedule._check()
        except ConfigError as error:
            raise ConfigError(f"schedule = {text!r} is not known: {error.what}", hint=HINT) from error
        return schedule

    def next_after(self, instant: datetime) -> datetime:
        """The first due time behind an instant, in UTC.

        A wall-clock time that the clock jumps over is due when it has jumped. In the hour that the clock repeats, a
        schedule that names its hours is due the first time only; one that does not goes on as before.
        """
        return _next_after(self, instant)

    def _find_after(self, instant: datetime) -> datetime:
        zone = ZoneInfo(self.timezone)
        local = instant.astimezone(zone)
        wall, fold = local.replace(tzinfo=None), local.fold
        while True:
            wall = self._next_wall(wall)
            found = _instant(wall, zone, fold if self._every_hour else 0)
            if found > instant:
                break
        return min([found, *self._repeated(instant, found, zone)])

    def late_after(self, last: datetime) -> datetime:
        """When a connection that was synced last at `last` is late: its due time has passed, and some slack."""
        due = self.next_after(last)
        slack = min(LONGEST_SLACK, max(SHORTEST_SLACK, self.next_after(due) - due))
        # Whoever syncs daily with a clock of his own may do so at any hour.
        return max(due, last + timedelta(days=1)) + slack if self.text == DAILY else due + slack

    def _check(self) -> None:
        fields = self._sets
        if len(fields) != len(_FIELDS):
            raise ConfigError(f"it has {len(fields)} field{'s' * (len(fields) != 1)}, not five")
        _, _, days, months, _ = fields
        longest = max(calendar.monthrange(2024, month)[1] for month in months)
        if min(days) > longest and not self._either:
            raise ConfigError("there is no such day")

    @cached_property
    def _words(self) -> list[str]:
        return ["0", "0", "*", "*", "*"] if self.text == DAILY else self.text.split()

    @cached_property
    def _sets(self) -> list[frozenset[int]]:
        words = self._words
        if len(words) != len(_FIELDS):
            return [frozenset()] * len(words)
        return [field.parse(word) for field, word in zip(_FIELDS, words, strict=True)]

    @property
    def _every_hour(self) -> bool:
        return self._words[1].startswith("*")

    @property
    def _either(self) -> bool:
        """Whether the days of the month and of the week are both named: then cron takes the days of either."""
        return not (self._words[2].startswith("*") or self._words[4].startswith("*"))

    @cached_property
    def _triggers(self) -> list[CronTrigger]:
        from apscheduler.triggers.cron import CronTrigger

        def listed(numbers: frozenset[int]) -> str:
            return ",".join(map(str, sorted(numbers)))

        minute, hour, day, month, weekday = self._sets
        time = {"minute": listed(minute), "hour": listed(hour), "month": listed(month), "timezone": UTC}
        # Sunday is 0 or 7 here, and 6 there.
        days = {"day": listed(day)}
        weekdays = {"day_of_week": listed(frozenset((number - 1) % 7 for number in weekday))}
        if self._either:
            return [CronTrigger(**time, **days), CronTrigger(**time, **weekdays)]
        return [CronTrigger(**time, **days, **weekdays)]

    def _next_wall(self, wall: datetime) -> datetime:
        """The first wall-clock time behind `wall` that matches; the calendar counts it as if it were UTC."""
        moment = wall.replace(tzinfo=UTC) + _STEP
        found = [trigger.get_next_fire_time(None, moment) for trigger in self._triggers]
        first: datetime = min(time for time in found if time is not None)
        return first.replace(tzinfo=None)

    def _repeated(self, instant: datetime, found: datetime, zone: ZoneInfo) -> list[datetime]:
        """A due time between the two, in an hour that the clock repeats."""
        if not self._every_hour:
            return []
        before, after = (moment.astimezone(zone).utcoffset() or timedelta() for moment in (instant, found))
        wall = instant.astimezone(UTC).replace(tzinfo=None) + after
        while after < before:
            wall = self._next_wall(wall)
            candidate = (wall - after).replace(tzinfo=UTC)
            if candidate >= found:
                break
            if candidate.astimezone(zone).utcoffset() == after:
                return [candidate]
        return []


@lru_cache(maxsize=4096)
def _next_after(schedule: Schedule, instant: datetime) -> datetime:
    """Hundreds of connections are asked for at the same instant, most of them `daily`: 0.2 ms each."""
    return schedule._find_after(instant)  # noqa: SLF001 - its own method, outside of the class for the cache


def _instant(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """A wall-clock time as an instant; one that does not exist becomes the end of the gap."""
    earlier, later = sorted(wall.replace(tzinfo=zone, fold=which).astimezone(UTC) for which in (0, 1))
    if earlier.astimezone(zone).replace(tzinfo=None) == wall:
        return later if fold else earlier
    while later - earlier > _MINUTE:
        middle = earlier + timedelta(minutes=(later - earlier) // _MINUTE // 2)
        if middle.astimezone(zone).utcoffset() == earlier.astimezone(zone).utcoffset():
            earlier = middle
        else:
            later = middle
    return later


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
