"""Ticks of a time axis in the station's local time: at wall-clock hours, days, months or years, across DST. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from barograph.query.spans import Span

Unit = Literal["hour", "day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Ticks for spans of up to `days`: labelled every `major` `unit`, bare every `minor` `minor_unit`."""

    days: float
    major: int
    unit: Unit
    minor: int
    minor_unit: Unit


SCALES: Final = (
    Scale(0.3, 1, "hour", 1, "hour"),
    Scale(1.2, 3, "hour", 1, "hour"),
    Scale(2.5, 6, "hour", 3, "hour"),
    Scale(10, 1, "day", 6, "hour"),
    Scale(16, 1, "day", 12, "hour"),
    Scale(34, 2, "day", 1, "day"),
    Scale(70, 7, "day", 1, "day"),
    Scale(140, 14, "day", 7, "day"),
    Scale(500, 1, "month", 1, "month"),
    Scale(1200, 3, "month", 1, "month"),
    Scale(4500, 1, "year", 3, "month"),
    Scale(36500, 10, "year", 1, "year"),
    Scale(float("inf"), 50, "year", 10, "year"),
)


@dataclass(frozen=True, slots=True)
class Ticks:
    """Instants (UTC) of labelled ticks with their labels, of bare ticks, and of local midnights in between."""

    major: tuple[datetime, ...]
    labels: tuple[str, ...]
    minor: tuple[datetime, ...]


def ticks(span: Span) -> Ticks:
    """Ticks of a span: local wall-clock times that exist, each once; a label says the day where the day is new."""
    zone = ZoneInfo(span.timezone)
    length = (span.end - span.start) / timedelta(days=1)
    scale = next(scale for scale in SCALES if length <= scale.days)
    major = list(_walls(span, zone, scale.major, scale.unit))
    minor = [instant for instant, _ in _walls(span, zone, scale.minor, scale.minor_unit)]
    walls = [wall for _, wall in major]
    labels = [_label(wall, scale, before) for wall, before in zip(walls, [None, *walls], strict=False)]
    bare = set(minor) - {instant for instant, _ in major}
    return Ticks(tuple(instant for instant, _ in major), tuple(labels), tuple(sorted(bare)))


def _walls(span: Span, zone: ZoneInfo, step: int, unit: Unit) -> Iterator[tuple[datetime, datetime]]:
    """(instant, wall clock) of every `step`th `unit` in the span, both ends included."""
    day = span.start.astimezone(zone).date()
    last = span.end.astimezone(zone).date()
    while day <= last:
        for hour in range(0, 24, step) if unit == "hour" else (0,):
            wall = datetime.combine(day, time(hour))
            instant = wall.replace(tzinfo=zone).astimezone(UTC)
            exists = instant.astimezone(zone).replace(tzinfo=None) == wall
            if exists and span.start <= instant <= span.end and _on_step(day, step, unit):
                yield instant, wall
        day += timedelta(days=1)


def _on_step(day: date, step: int, unit: Unit) -> bool:
    if unit == "hour":
        return True
    if unit == "day":
        # Within a month from its first day; weeks start on Mondays.
        return day.toordinal() % step == 1 if step % 7 == 0 else (day.day - 1) % step == 0 and day.day < 31
    if unit == "month":
        return day.day == 1 and (day.month - 1) % step == 0
    return day.day == 1 and day.month == 1 and day.year % step == 0


def _label(wall: datetime, scale: Scale, before: datetime | None) -> str:
    """The label of a tick: what is new since the tick `before` it on a second line."""
    new_month = before is None or (before.year, before.month) != (wall.year, wall.month)
    if scale.unit == "hour":
        new_day = before is None or before.date() != wall.date()
        return f"{wall:%H:%M}\n{wall:%a} {wall.day} {wall:%b}" if new_day else f"{wall:%H:%M}"
    if scale.unit == "day":
        if scale.major == 1:
            return f"{wall:%a}\n{wall.day} {wall:%b}"
        return f"{wall.day}\n{wall:%b}" if new_month else str(wall.day)
    if scale.unit == "month":
        return f"{wall:%b}\n{wall.year}" if before is None or before.year != wall.year else f"{wall:%b}"
    return str(wall.year)
