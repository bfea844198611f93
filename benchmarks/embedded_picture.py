"""The picture of `embedded_curve`: two panels, in the colours of barograph's own plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from barograph.plot.draw import EMPTY, FONT, GRID, INK, MUTED, SMALL
from barograph.plot.panels import BLUE, NAVY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RED: Final = "#C1121F"
WIDTH: Final = 11.5
HEIGHT: Final = 5.4
DPI: Final = 150
LEFT, RIGHT, GAP = 0.62, 0.3, 0.75
BOTTOM, TOP = 1.05, 1.55
YEAR: Final = 365
LINES: Final = ((NAVY, "all reports in the station’s document"), (BLUE, "one document per day (barograph)"))


@dataclass(frozen=True, slots=True)
class Panel:
    """What one panel shows: a title, the columns of both designs, and of how many dots the lines are medians."""

    title: str
    embedded: str
    designed: str
    smooth: int


PANELS: Final = (
    Panel("Insert a day (288 reports), ms", "embedded_insert_ms", "day_insert_ms", 9),
    Panel("Read a day into a DataFrame, ms", "embedded_read_ms", "day_read_ms", 3),
)


def draw(frame: pl.DataFrame, notes: Sequence[str], path: Path) -> None:
    """Write the PNG."""
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    full = int(frame.filter(pl.col("embedded_insert_ms").is_not_null())["day"].max())  # type: ignore[arg-type]
    width = (WIDTH - LEFT - RIGHT - GAP) / 2
    for place, panel in enumerate(PANELS):
        box = ((LEFT + place * (width + GAP)) / WIDTH, BOTTOM / HEIGHT, width / WIDTH, 1 - (BOTTOM + TOP) / HEIGHT)
        _panel(figure.add_axes(box), panel, frame, full)
    _texts(figure, notes)
    figure.savefig(path, format="png", dpi=DPI)


def _panel(axes: Axes, panel: Panel, frame: pl.DataFrame, full: int) -> None:
    axes.set_xlim(0, YEAR)
    axes.axvspan(full + 0.5, YEAR, color=EMPTY, linewidth=0, zorder=0)
    for name, colour in ((panel.designed, BLUE), (panel.embedded, NAVY)):
        told = frame.select("day", pl.col(name).alias("ms")).drop_nulls()
        days, values = told["day"].to_list(), told["ms"].to_list()
        line = told["ms"].rolling_median(panel.smooth, center=True, min_samples=1).to_list()
        axes.scatter(days, values, s=4, color=colour, alpha=0.35, linewidths=0, zorder=2)
        axes.plot(days, line, color=colour, linewidth=1.6, solid_joinstyle="round", zorder=3)
    axes.set_ylim(0, None)
    axes.axvline(full + 0.5, color=RED, linewidth=1.2, zorder=4)
    _words(axes, full + 6, 0.96, f"day {full + 1} is refused:\nthe document would\nexceed 16 MiB", RED)
    axes.set_title(panel.title, loc="left", fontsize=10, color=INK, fontfamily=FONT, pad=30)
    _axes(axes, frame)


def _words(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    """Text at day `x`, at the share `y` of the height."""
    place = axes.get_xaxis_transform()
    axes.text(x, y, text, transform=place, fontsize=8.5, color=colour, va="top", fontfamily=FONT, linespacing=1.3)


def _axes(axes: Axes, frame: pl.DataFrame) -> None:
    """Days below, the size of the embedded document above."""
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#B8BEC6")
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.7)
    quiet: dict[str, Any] = {"colors": MUTED, "labelsize": SMALL, "labelfontfamily": FONT}
    axes.tick_params(length=0, **quiet)
    axes.set_xticks([0, 50, 100, 150, 200, 250, 300, 350])
    axes.set_xlabel("days in the record", fontsize=SMALL + 0.5, color=MUTED, fontfamily=FONT)
    sized = frame.select("day", "embedded_mb").drop_nulls()
    above = axes.secondary_xaxis("top")
    sizes = [4, 8, 12, 16]
    days = [float(sized.filter(pl.col("embedded_mb") <= size).height) for size in sizes]
    above.set_xticks(days, [f"{size} MB" for size in sizes])
    above.tick_params(length=3, color="#B8BEC6", pad=2, **quiet)
    above.spines["top"].set_visible(False)


def _texts(figure: Figure, notes: Sequence[str]) -> None:
    """Title, key, and how it was measured."""

    def write(x: float, y: float, text: str, size: float, colour: str, **more: Any) -> None:
        figure.text(x / WIDTH, y / HEIGHT, text, fontsize=size, color=colour, fontfamily=FONT, va="baseline", **more)

    title = "A station’s reports in one document, or in one document per day"
    write(LEFT, HEIGHT - 0.44, title, 16, INK, fontweight="bold")
    for place, (colour, text) in enumerate(LINES):
        x, y = LEFT + 3.2 * place, HEIGHT - 0.78
        swatch = [x / WIDTH, (x + 0.25) / WIDTH], [(y + 0.04) / HEIGHT] * 2
        figure.add_artist(Line2D(*swatch, color=colour, linewidth=2))
        write(x + 0.32, y, text, 8.5, INK)
    write(WIDTH - RIGHT, HEIGHT - 0.78, "above the panels: size of the station’s document", 8.5, MUTED, ha="right")
    how = (
        "Dots: an insert of each day, seven reads of every fifth day, medians of five rounds; lines: running medians. "
        "Majority writes, journaled, to a replica set of three members on one machine."
    )
    write(LEFT, 0.34, how, SMALL, MUTED)
    write(LEFT, 0.16, ", ".join(note for note in notes if note[:4].isdigit() or " cores " in note), SMALL, MUTED)
    write(WIDTH - RIGHT, 0.16, "barograph", SMALL, MUTED, ha="right")
