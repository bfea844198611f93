"""Which faults exist, and where in a network each one asked for is put, so that no two meet."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Final, Literal

from barograph.errors import UsageError
from barograph.simulate.network import Kind, Site

Scope = Literal["station", "day", "row", "answer"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault takes for itself (a row, a day of a station, a station, a new array), and on which stations."""

    help: str
    scope: Scope
    kinds: tuple[Kind, ...] = ("personal",)


# fmt: off
FAULTS: Final[dict[str, FaultKind]] = {
    "unparsable": FaultKind("a temperature cell that is no number", "row"),
    "impossible": FaultKind("a temperature of 999.9 °F", "row"),
    "humidity": FaultKind("a relative humidity of 140 %", "row"),
    "time": FaultKind("a time of day that cannot be (25:61)", "row"),
    "blank-rows": FaultKind("three rows without any value", "row"),
    "duplicate": FaultKind("a row that stands there twice", "row"),
    "conflict": FaultKind("a second row of the same time with another temperature", "row"),
    "spike": FaultKind("a single temperature 6 °C too high", "row", ("personal", "static")),
    "missing-column": FaultKind("a sheet (a whole CSV) without the column Dew Point", "day"),
    "renamed-column": FaultKind("a sheet (a whole CSV) whose column Gust has another name", "day"),
    "sheet-title": FaultKind("a sheet whose title is no date (workbooks only)", "day"),
    "stuck": FaultKind("a thermometer that stands still for 6 hours", "day", ("personal", "static")),
    "clock": FaultKind("a clock that is 2 hours fast for a day", "day", ("personal", "static")),
    "gap": FaultKind("a day that is missing", "day", ("personal", "static", "synop")),
    "pressure-offset": FaultKind("a barometer 5 hPa too high", "station", ("personal", "static", "synop")),
    "unknown-station": FaultKind("rows of a station that the answer does not list", "answer", ("static", "synop")),
}
# fmt: on
PER_FILE: Final = ("missing-column", "renamed-column")
"""Faults of a header: of one sheet in a workbook, of the whole file in a CSV."""

_SHARES: Final = tuple(0.1 + 0.1 * step for step in range(9))
"""Where in a day row faults may stand: 28 rows of 5 minutes apart, so that no test of neighbours sees two."""
_ROOMS: Final[Mapping[Scope, int]] = {"answer": 0, "station": 0, "day": 1, "row": 2}


@dataclass(frozen=True, slots=True)
class Placed:
    """A fault and its place: `share` is how far into the day's rows it stands. `number` counts faults of its name."""

    name: str
    site: Site
    day: date
    share: float
    number: int


def check_names(names: Iterable[str], table_format: str) -> None:
    """Raises UsageError for a fault that does not exist, or not in this form of table."""
    for name in names:
        if name not in FAULTS:
            raise UsageError(f"there is no fault {name!r}", hint=f"known are {', '.join(FAULTS)}")
        if name == "sheet-title" and table_format != "xlsx":
            raise UsageError("fault 'sheet-title' needs workbooks", hint="ask for table_format xlsx")


def place(
    names: Sequence[str], sites: Sequence[Site], days: Callable[[Site], list[date]], *, seed: int, per_file: bool
) -> list[Placed]:
    """A place for each of `names`, in their order. `days` gives the whole days of a station.

    With `per_file` a fault of a header takes the station's whole file. Raises UsageError where the network is too
    small or too short.
    """
    chance = random.Random(f"{seed}\x1ffaults")  # noqa: S311 - where a made-up fault stands is no secret
    # A station cannot lose a day and a row of that day: what takes more is placed first.
    order = sorted(range(len(names)), key=lambda index: (_ROOMS[FAULTS[names[index]].scope], index))
    taken: set[object] = set()
    result: dict[int, Placed] = {}
    for index in order:
        name = names[index]
        kind = FAULTS[name]
        whole = kind.scope if not (per_file and name in PER_FILE) else "station"
        free = []
        for site in sites:
            if site.kind in kind.kinds:
                free += [(key, site, day, share) for key, day, share in _rooms(name, whole, site, days(site), taken)]
        if not free:
            raise UsageError(
                f"no room for fault {name!r} number {names[: index + 1].count(name)}",
                where=f"{len(sites)} stations",
                hint="simulate more stations or more days, or fewer faults",
            )
        key, site, day, share = chance.choice(free)
        taken.add(key)
        if whole == "row":
            taken.add((site.station_id, day, "rows"))
        result[index] = Placed(name, site, day, share, names[: index + 1].count(name))
    return [result[index] for index in range(len(names))]


def _rooms(
    name: str, scope: Scope, site: Site, days: list[date], taken: set[object]
) -> list[tuple[object, date, float]]:
    """The places that a fault may still take at one station: what it would occupy, the day, the share of the day.

    A station keeps at least one day: a gap needs two.
    """
    here = site.station_id
    if scope in ("station", "answer"):
        key: object = (here, name, "answer" if scope == "answer" else "station")
        # Any number of unlisted stations fits into an answer.
        return [(key, days[0], 0.0)] if days and (scope == "answer" or key not in taken) else []
    free = [day for day in days if (here, day) not in taken]
    if name == "gap" and len(days) < 2:
        return []
    if scope == "day":
        return [((here, day), day, 0.0) for day in free if (here, day, "rows") not in taken]
    rows = [((here, day, share), day, share) for day, share in product(free, _SHARES)]
    return [row for row in rows if row[0] not in taken]
