"""The sheet: header, panels one under the other on one time axis, footer. Sizes in inches, so that nothing overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from matplotlib.collections import PolyCollection
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker
from matplotlib.ticker import FixedFormatter, FixedLocator

from barograph.plot import series
from barograph.plot.draw import EMPTY, FONT, GRID, INK, MUTED, SMALL, View, draw_panel
from barograph.plot.legend import draw_legends, grey, ring, triangle, words
from barograph.plot.paper import WIDTH, Paper
from barograph.plot.ticks import ticks

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from barograph.model import Station
    from barograph.plot.panels import Panel
    from barograph.query.spans import Span

LEFT: Final = 0.62
RIGHT: Final = 0.62
HEADER: Final = 1.42
FOOTER: Final = 0.95
BETWEEN: Final = 0.34
KEY: Final = 0.22
LINE: Final = 0.15
LICENCE_LINES: Final = 3


class Sheet(Paper):
    """One figure under construction."""

    def __init__(self, view: View, station: Station, span: Span, panels: Sequence[Panel]) -> None:
        super().__init__()
        self.view, self.station, self.span, self.panels = view, station, span, panels
        self.beyond = False
        self.licence = self._licence()
        self.header = HEADER if self._key() else HEADER - KEY
        self.footer = FOOTER + LINE * (len(self.licence) - 1)
        self.resize(self.header + self.footer + sum(panel.height + BETWEEN for panel in panels) - BETWEEN)

    def draw(self) -> Figure:
        """Everything, top to bottom."""
        top = self.height - self.header
        axes = []
        for panel in self.panels:
            axes.append(self._panel(panel, top))
            top -= panel.height + BETWEEN
        self._time_axis(axes)
        self._header()
        self._footer()
        return self.figure

    def _panel(self, panel: Panel, top: float) -> Axes:
        """One panel whose upper edge is `top` inches above the sheet's bottom."""
        box = (LEFT / WIDTH, (top - panel.height) / self.height, 1 - (LEFT + RIGHT) / WIDTH, panel.height / self.height)
        axes = self.figure.add_axes(box)
        axes.set_xlim(self.span.start.timestamp(), self.span.end.timestamp())
        right = axes.twinx() if any(trace.right for trace in panel.traces) else None
        self.beyond |= draw_panel(axes, right, panel, self.view)
        for side in (axes, right):
            if side is not None:
                _plain(side)
        self._shade(axes)
        axes.grid(axis="y", color=GRID, linewidth=0.7)
        draw_legends(axes, panel, self.view, WIDTH - LEFT - RIGHT)
        return axes

    def _shade(self, axes: Axes) -> None:
        """Grey where the record has no reports."""
        boxes = [
            [(a.timestamp(), 0), (a.timestamp(), 1), (b.timestamp(), 1), (b.timestamp(), 0)] for a, b in self._gaps()
        ]
        shade = PolyCollection(boxes, facecolors=EMPTY, linewidths=0, zorder=0, transform=axes.get_xaxis_transform())
        axes.add_collection(shade, autolim=False)

    def _gaps(self) -> list[tuple[datetime, datetime]]:
        times = self.view.frame.get_column("utc_time")
        step = series.cadence(times)
        return [] if step is None else series.gaps(times, self.span.start, self.span.end, step)

    def _time_axis(self, panels: Sequence[Axes]) -> None:
        """The same ticks in every panel, their labels under the last."""
        chosen = ticks(self.span)
        for axes in panels:
            axes.xaxis.set_major_locator(FixedLocator([instant.timestamp() for instant in chosen.major]))
            axes.xaxis.set_minor_locator(FixedLocator([instant.timestamp() for instant in chosen.minor]))
            axes.grid(axis="x", which="major", color=GRID, linewidth=0.7)
            axes.tick_params(axis="x", which="both", labelbottom=False)
        last = panels[-1]
        last.xaxis.set_major_formatter(FixedFormatter(list(chosen.labels)))
        last.tick_params(axis="x", which="major", labelbottom=True)
        self.text(WIDTH / 2, self.footer - 0.52, _clock(self.span), SMALL, MUTED, ha="center")

    def _header(self) -> None:
        station, span = self.station, self.span
        title = station.name or station.city or station.station_id
        place = [station.station_id, station.city if station.city != title else None, _position(station)]
        place += [None if station.elevation is None else f"{station.elevation} m"]
        rows = (
            (0.44, 16.0, "bold", title, 12.0, span.label),
            (0.72, 8.5, "normal", "  ·  ".join(part for part in place if part), 8.5, self._count()),
        )
        for down, size, weight, text, right_size, right_text in rows:
            y = self.height - down
            right = self.text(WIDTH - RIGHT, y, right_text, right_size, INK, ha="right")
            left = self.text(LEFT, y, text, size, INK if weight == "bold" else MUTED, weight=weight)
            self.fit(left, WIDTH - LEFT - RIGHT - self.width(right) - 0.3)
        if items := self._key():
            box = AnchoredOffsetbox(
                loc="center left",
                child=HPacker(children=items, align="center", pad=0, sep=7),
                pad=0,
                borderpad=0,
                frameon=False,
                bbox_to_anchor=(LEFT / WIDTH, 1 - 0.98 / self.height),
                bbox_transform=self.figure.transFigure,
            )
            self.figure.add_artist(box)

    def _count(self) -> str:
        """How many reports there are, and how many there should be."""
        times = self.view.frame.get_column("utc_time")
        count, step = f"{times.len():,}", series.cadence(times)
        if step is None:
            return f"{count} report" + ("s" if times.len() != 1 else "")
        expected = max(series.expected(self.span.start, self.span.end, step), times.len())
        # Cut, not rounded: one report that is missing must not read as 100 %.
        share = times.len() * 1000 // expected / 10
        minutes = step.total_seconds() / 60
        every = f"{minutes:g} min" if minutes < 120 else f"{minutes / 60:g} h"
        return f"{count} reports, {share:g} % of {expected:,} expected (every {every})"

    def _key(self) -> list[Artist]:
        """What the lines of a long span, the rings and the grey mean: a row under the header, if anything."""
        items: list[Artist] = []
        if self.view.bucket is not None:
            items.append(words(f"Line: mean of each {self.view.bucket[0]}; band: lowest to highest", MUTED))
        names = [trace.variable for panel in self.panels for trace in panel.traces]
        for flag, meaning in ((series.SUSPECT, "suspect (flag 3)"), (series.FAIL, "fail (flag 4)")):
            if any(not series.flagged(self.view.frame, name, flag).is_empty() for name in names):
                items += [ring(flag), words(meaning, INK)]
        if self.beyond:
            items += [triangle(), words("beyond the axis", INK)]
        if self._gaps():
            items += [grey(), words("no reports", INK)]
        return items

    def _licence(self) -> list[str]:
        """The licence and source of the data, in lines that fit; it must travel with the data, so it may take three."""
        if not self.station.license_info:
            return ["Licence of the data not stated"]
        text = self.text(0, 0, "", SMALL, MUTED)
        lines, width = [""], WIDTH - LEFT - RIGHT - 1.0
        for word in f"Data: {self.station.license_info}".split():
            text.set_text(f"{lines[-1]} {word}".strip())
            if self.width(text) <= width or len(lines) == LICENCE_LINES or not lines[-1]:
                lines[-1] = text.get_text()
            else:
                lines.append(word)
        text.set_text(lines[-1])
        self.fit(text, width)
        lines[-1] = text.get_text()
        text.remove()
        return lines

    def _footer(self) -> None:
        for index, line in enumerate(reversed(self.licence)):
            self.text(LEFT, 0.16 + LINE * index, line, SMALL, MUTED)
        self.text(WIDTH - RIGHT, 0.16, "barograph", SMALL, MUTED, ha="right")


def _plain(axes: Axes) -> None:
    """No box, quiet ticks."""
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#B8BEC6")
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", which="both", colors=MUTED, labelsize=SMALL, length=0, labelfontfamily=FONT)
    axes.tick_params(axis="x", which="major", length=4, color="#B8BEC6", pad=3)
    axes.tick_params(axis="x", which="minor", length=2, color="#B8BEC6")


def _position(station: Station) -> str | None:
    if station.latitude is None or station.longitude is None:
        return None
    north, east = "N" if station.latitude >= 0 else "S", "E" if station.longitude >= 0 else "W"
    return f"{abs(station.latitude):.3f}° {north}, {abs(station.longitude):.3f}° {east}"


def _clock(span: Span) -> str:
    """The timezone and its offsets from UTC in the span: "Local time, Europe/Paris (UTC+02:00 and UTC+01:00)"."""
    if span.timezone == "UTC":
        return "UTC"
    zone = ZoneInfo(span.timezone)
    length = span.end - span.start
    offsets = [(span.start + length * part / 64).astimezone(zone).strftime("%z") for part in range(65)]
    order = [f"UTC{offset[:3]}:{offset[3:]}" for offset in dict.fromkeys(offsets)]
    return f"Local time, {span.timezone} ({' and '.join(order)})"
