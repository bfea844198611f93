"""Completeness as a calendar: a row for each station, a cell for each day, filled by what came and why not the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from matplotlib import rc_context
from matplotlib.collections import PolyCollection
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea, HPacker
from matplotlib.patches import Rectangle

from barograph.plot.draw import FONT, INK, MUTED, SMALL
from barograph.plot.legend import words
from barograph.plot.panels import BLUE, PLUM, SAND
from barograph.plot.paper import WIDTH, Paper
from barograph.query.causes import HAD_NONE, LATE, REJECTED, SYNC_FAILED
from barograph.query.completeness import percent, totals

if TYPE_CHECKING:
    from typing import BinaryIO

    import polars as pl
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from barograph.model import Station

LEFT: Final = 2.35
RIGHT: Final = 2.1
EDGE: Final = 0.45
HEADER: Final = 1.3
FOOTER: Final = 0.78
MOST_STATIONS: Final = 1000
MOST_CELLS: Final = 400
"""Days beyond this many share a cell, so that a cell stays three pixels wide."""
LEAST: Final = 0.16
"""Whatever occurs on a day fills this part of its cell at least: one report of 288 that is missing must be seen."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a part of a cell is filled. The colours differ in lightness, and the hatches tell them apart without any."""

    title: str
    fill: str
    ink: str
    hatch: str = ""


RECEIVED: Final = "received"
LOOKS: Final[Mapping[str, Look]] = {
    RECEIVED: Look("received", BLUE, BLUE),
    HAD_NONE: Look("source had none", "#D3D8DE", "#D3D8DE"),
    SYNC_FAILED: Look("sync failed", PLUM, "#FFFFFF", "////"),
    REJECTED: Look("rejected", SAND, "#5C4A00", "xxxx"),
    LATE: Look("late: not asked for yet", "#FFFFFF", "#6B7280", "...."),
}
"""From the bottom of a cell to its top."""


def draw_calendar(frame: pl.DataFrame, stations: Sequence[Station], out: BinaryIO, form: str) -> None:
    """Write the picture of a completeness frame, in which each of `stations` has rows; `form` is png or svg."""
    with rc_context({"hatch.linewidth": 0.7, "svg.hashsalt": "barograph"}):
        figure = Calendar(frame, stations).draw().figure
        figure.savefig(out, format=form, metadata={"Date": None} if form == "svg" else None)


class Calendar(Paper):
    """One picture under construction."""

    def __init__(self, frame: pl.DataFrame, stations: Sequence[Station]) -> None:
        super().__init__()
        self.stations = stations
        self.days: list[date] = frame.get_column("day").unique().sort().to_list()
        self.width_in_days = -(-len(self.days) // MOST_CELLS)
        self.row = 0.4 if len(stations) <= 25 else 0.24
        self.sums = {row["station_id"]: row for row in totals(frame).iter_rows(named=True)}
        self.cells = _cells(frame, self.days, self.width_in_days)
        self.resize(HEADER + FOOTER + self.row * max(len(stations), 1))

    def draw(self) -> Calendar:
        """Everything, top to bottom."""
        axes = self._axes()
        shapes: dict[str, list[list[tuple[float, float]]]] = {kind: [] for kind in LOOKS}
        bare: list[list[tuple[float, float]]] = []
        for place, station in enumerate(self.stations):
            for number, parts in self.cells.get(station.station_id, {}).items():
                if not parts:
                    bare.append(self._box(number, place, 0.46, 0.54))
                low = 0.0
                for kind, share in _visible(parts).items():
                    shapes[kind].append(self._box(number, place, low, low + share))
                    low += share
            self._label(place, station)
        for kind, boxes in shapes.items():
            look = LOOKS[kind]
            axes.add_collection(
                PolyCollection(boxes, facecolors=look.fill, edgecolors=look.ink, linewidths=0, hatch=look.hatch or None)
            )
        outlines = [
            self._box(number, place, 0, 1)
            for place, station in enumerate(self.stations)
            for number, parts in self.cells.get(station.station_id, {}).items()
            if parts.get(LATE)
        ]
        if len(self.days) <= 100:
            axes.add_collection(PolyCollection(outlines, facecolors="none", edgecolors="#AEB4BC", linewidths=0.6))
        axes.add_collection(PolyCollection(bare, facecolors="#E3E6EA", linewidths=0))
        self._scale(axes)
        self._header()
        self._footer()
        return self

    def _axes(self) -> Axes:
        """One unit is a day to the right, and a station downwards."""
        box = (LEFT / WIDTH, FOOTER / self.height, 1 - (LEFT + RIGHT) / WIDTH, 1 - (HEADER + FOOTER) / self.height)
        axes = self.figure.add_axes(box)
        axes.set_xlim(0, len(self.days))
        axes.set_ylim(max(len(self.stations), 1), 0)
        axes.set_yticks([])
        for side in ("top", "left", "right", "bottom"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="x", which="both", colors=MUTED, labelsize=SMALL, length=0, labelfontfamily=FONT, pad=3)
        return axes

    def _box(self, number: int, place: int, low: float, high: float) -> list[tuple[float, float]]:
        """A part of a cell, from `low` to `high` of its height; between cells is air where they are wide enough."""
        air = 0.06 if len(self.days) <= 100 else 0.0
        left = number * self.width_in_days
        right = min(left + self.width_in_days, len(self.days)) - air
        bottom, top = place + 0.92 - 0.84 * low, place + 0.92 - 0.84 * high
        return [(left + air, bottom), (right, bottom), (right, top), (left + air, top)]

    def _label(self, place: int, station: Station) -> None:
        y = self.height - HEADER - self.row * (place + 0.5)
        small = self.row < 0.3
        sums = self.sums.get(station.station_id)
        name = station.name or station.city or ""
        ident = self.text(EDGE, y - 0.045 if small or not name else y + 0.025, station.station_id, 8.5, INK)
        self.fit(ident, LEFT - EDGE - 0.15)
        if name and not small:
            self.fit(self.text(EDGE, y - 0.12, name, SMALL, MUTED), LEFT - EDGE - 0.15)
        if sums is None:
            return
        x = WIDTH - RIGHT + 0.15
        if sums["interval_minutes"] is None:
            self.text(x, y - 0.045, "too few reports", SMALL, MUTED)
        elif not sums["expected"]:
            self.text(x, y - 0.045, "no reports yet", SMALL, MUTED)
        else:
            share = percent(sums["received"], sums["expected"])
            every = f"every {sums['interval_minutes']:g} min"
            self.text(x, y - 0.045 if small else y + 0.025, share, 8.5, INK)
            if not small:
                told = self.text(x, y - 0.12, f"{sums['received']:,} of {sums['expected']:,}, {every}", 6.3, MUTED)
                self.fit(told, RIGHT - 0.15 - EDGE)

    def _scale(self, axes: Axes) -> None:
        """Days under the rows, the month where it is new; of a longer span Mondays, of a long one months."""
        count = len(self.days)
        if count <= 34:
            marks = list(range(count))
        elif count <= 140:
            marks = [place for place, day in enumerate(self.days) if day.weekday() == 0]
        else:
            every = 1 if count <= 500 else 3 if count <= 1500 else 12
            marks = [place for place, day in enumerate(self.days) if day.day == 1 and (day.month - 1) % every == 0]
        labels, before = [], None
        for place in marks:
            day = self.days[place]
            labels.append(_label(day, before, months=count > 140))
            before = day
        axes.set_xticks([place + (0.5 if count <= 140 else 0) for place in marks], labels)
        if count > 140:
            axes.tick_params(axis="x", length=4, color="#B8BEC6")

    def _header(self) -> None:
        top = self.height
        right = self.text(WIDTH - EDGE, top - 0.44, _span(self.days), 12, INK, ha="right")
        title = self.text(EDGE, top - 0.44, "Completeness", 16, INK, weight="bold")
        self.fit(title, WIDTH - 2 * EDGE - self.width(right) - 0.3)
        expected = sum(row["expected"] for row in self.sums.values())
        received = sum(row["received"] for row in self.sums.values())
        if expected:
            told = f"{received:,} of {expected:,} reports that were due ({percent(received, expected)})"
            self.text(WIDTH - EDGE, top - 0.7, told, 8.5, INK, ha="right")
        many = f"{len(self.stations)} station" + ("s" if len(self.stations) != 1 else "")
        cell = "a local day" if self.width_in_days == 1 else f"{self.width_in_days} local days"
        self.text(EDGE, top - 0.7, f"{many}; a cell is {cell}", 8.5, MUTED)
        items: list[Artist] = []
        for kind, look in LOOKS.items():
            if any(kind in parts for row in self.cells.values() for parts in row.values()):
                items += [_swatch(look), words(look.title, INK), words("", INK)]
        if items:
            box = AnchoredOffsetbox(
                loc="center left",
                child=HPacker(children=items[:-1], align="center", pad=0, sep=6),
                pad=0,
                borderpad=0,
                frameon=False,
                bbox_to_anchor=(EDGE / WIDTH, 1 - 1.0 / self.height),
                bbox_transform=self.figure.transFigure,
            )
            self.figure.add_artist(box)

    def _footer(self) -> None:
        told = f"Whatever occurs in a cell fills {LEAST:.0%} of it at least".replace("%", " %")
        self.text(EDGE, 0.16, told, SMALL, MUTED)
        self.text(WIDTH - EDGE, 0.16, "barograph", SMALL, MUTED, ha="right")


def _cells(frame: pl.DataFrame, days: Sequence[date], width: int) -> dict[str, dict[int, dict[str, int]]]:
    """Station id -> number of the cell -> how many reports of each kind; nothing where none was due."""
    places = {day: place // width for place, day in enumerate(days)}
    found: dict[str, dict[int, dict[str, int]]] = {}
    for row in frame.select("station_id", "day", "received", "gaps").iter_rows(named=True):
        cell = found.setdefault(row["station_id"], {}).setdefault(places[row["day"]], {})
        amounts = [(RECEIVED, row["received"] or 0), *((gap["cause"], gap["expected"]) for gap in row["gaps"])]
        for kind, amount in amounts:
            if amount:
                cell[kind] = cell.get(kind, 0) + amount
    return found


def _visible(parts: Mapping[str, int]) -> dict[str, float]:
    """The parts as shares of a cell, in the order of LOOKS, none of them too small to be seen."""
    whole = sum(parts.values())
    shares = {kind: max(parts[kind] / whole, LEAST) for kind in LOOKS if parts.get(kind)}
    if shares:
        largest = max(shares, key=lambda kind: shares[kind])
        shares[largest] += 1 - sum(shares.values())
    return shares


def _swatch(look: Look) -> DrawingArea:
    area = DrawingArea(16, 9, 0, 0)
    hatch = look.hatch or None
    area.add_artist(Rectangle((0, 0), 16, 9, facecolor=look.fill, edgecolor=look.ink, hatch=hatch, linewidth=0))
    if look.fill == "#FFFFFF":
        area.add_artist(Rectangle((0, 0), 16, 9, facecolor="none", edgecolor="#AEB4BC", linewidth=0.6))
    return area


def _label(day: date, before: date | None, *, months: bool) -> str:
    if months:
        return f"{day:%b}\n{day.year}" if before is None or before.year != day.year else f"{day:%b}\n"
    # An empty second line keeps all days on one height.
    return f"{day.day}\n{day:%b}" if before is None or before.month != day.month else f"{day.day}\n"


def _span(days: Sequence[date]) -> str:
    if not days:
        return ""
    first, last = days[0], days[-1]
    if last == first:
        return f"{first:%A} {first.day} {first:%B %Y}"
    begin = f"{first.day} {first:%B}" if first.month != last.month or first.year != last.year else str(first.day)
    begin += f" {first.year}" if first.year != last.year else ""
    return f"{begin} – {last.day} {last:%B %Y}"
