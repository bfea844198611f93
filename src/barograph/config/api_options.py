"""The settings of the sources that are servers' interfaces, and the bounds of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from barograph.config.tables import Option, Secret

_STATIONS: Final = Option(list, None, "the stations to ask for")
_START: Final = Option(date, None, "first day to ask for, where nothing was asked for yet")
_OVERLAP: Final = "past days that every sync asks for again, because late data comes in"

# fmt: off
INFOCLIMAT_API: Final[dict[str, Option]] = {
    "stations": _STATIONS,
    "token": Option(Secret, None, "the token, which is bound to one IPv4 address"),
    "start": _START,
    "overlap_days": Option(int, 3, _OVERLAP),
    "batch": Option(int, 50, "stations per request, at most 100"),
    "window_days": Option(int, 30, "days per request, at most 365"),
    "pause": Option(float, 1.0, "seconds between the beginnings of two requests"),
}
WUNDERGROUND_PWS: Final[dict[str, Option]] = {
    "stations": Option(list, None, "the stations to ask for; each needs [stations.ID] with its timezone"),
    "api_key": Option(Secret, None, "the key of the API"),
    "start": Option(date, None, "first local day to ask for, where nothing was asked for yet"),
    "overlap_days": Option(int, 1, "past days, beside yesterday, that every sync asks for again"),
    "pause": Option(float, 0.5, "seconds between the beginnings of two requests"),
    "requests_per_minute": Option(int, 30, "most requests within any minute"),
    "requests_per_day": Option(int, 1500, "most requests on a UTC day; the sync stops there and the next goes on"),
}
METEOFRANCE_SYNOP: Final[dict[str, Option]] = {
    "stations": Option(list, (), "WMO numbers of the stations to take, as 07015; default all"),
    "start": _START,
    "overlap_days": Option(int, 3, "days before the newest report that are landed again when a file changed"),
    "pause": Option(float, 1.0, "seconds between the beginnings of two requests"),
}
IEM_ASOS: Final[dict[str, Option]] = {
    "stations": Option(list, None, "the airports to ask for, as the archive names them (LFQQ)"),
    "start": _START,
    "overlap_days": Option(int, 2, _OVERLAP),
    "batch": Option(int, 10, "stations per request, at most 50"),
    "window_days": Option(int, 31, "days per request, at most 366"),
    "pause": Option(float, 5.0, "seconds between the beginnings of two requests"),
}
# fmt: on

BOUNDS: Final[dict[str, dict[str, tuple[int, int]]]] = {
    "infoclimat-api": {"batch": (1, 100), "window_days": (2, 365)},
    "wunderground-pws": {"requests_per_minute": (1, 30), "requests_per_day": (1, 1500)},
    "iem-asos": {"batch": (1, 50), "window_days": (1, 366)},
}
"""Kind -> setting -> what it may be: what the server takes, or more than would be polite."""


def problem(source: str, url: str, options: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with the settings of one of these kinds, and what to do; None where nothing is."""
    return next(_problems(source, url, options), None)


def _problems(source: str, url: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if source in BOUNDS and "?" in url:
        yield "url must be the address alone, without a ? and what follows it", "the settings say what to ask for"
    for key, (low, high) in BOUNDS.get(source, {}).items():
        if not low <= options[key] <= high:
            yield f"{key} = {options[key]} is not between {low} and {high}", ""
    stations = options.get("stations", ())
    if source in BOUNDS and not stations:
        yield "stations names no station", 'write stations = ["ID", "ID"]'
    for name in stations if source in BOUNDS else ():
        if stations.count(name) > 1:
            yield f"stations names {name!r} twice", "leave one out"
    for name in stations if source == "meteofrance-synop" else ():
        if not name.isdecimal():
            yield f"stations: {name!r} is no WMO number", 'write it as "07015"'
    if source in (*BOUNDS, "meteofrance-synop") and options["start"].year < 1900:
        yield f"start = {options['start']} is before 1900", "name the first day that you want"
