"""Names, colours and signs: the row of names above each panel, and what the key under the header is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea, HPacker, TextArea
from matplotlib.patches import Rectangle

from barograph.plot import series
from barograph.plot.draw import EMPTY, FLAG_COLOURS, FONT, INK, MUTED, RING, SMALL, Summed, View, amounts, plain

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from barograph.plot.panels import Panel, Trace


def draw_legends(axes: Axes, panel: Panel, view: View, width: float) -> None:
    """The names of the panel's traces above it, in `width` inches; with their ranges if there is room.

    Those on the right axis stand at the right.
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        return
    for ranges in (True, False):
        rows = [_row(figure, axes, panel, view, on_right=on_right, ranges=ranges) for on_right in (False, True)]
        boxes = [row for row in rows if row is not None]
        taken = sum(box.get_window_extent().width for box in boxes) / figure.dpi
        if taken < width - 0.2 or not ranges:
            for box in boxes:
                axes.add_artist(box)
            return


def _row(
    figure: Figure, axes: Axes, panel: Panel, view: View, *, on_right: bool, ranges: bool
) -> AnchoredOffsetbox | None:
    items: list[Artist] = []
    for trace in reversed(panel.traces):
        if trace.right is on_right:
            summed = amounts(trace, view)
            items += [_swatch(trace, bars=summed is not None), words(_name(trace, summed), INK)]
            items += [words(_range(trace, view) if ranges else trace.unit, MUTED), words("", INK)]
    if not items:
        return None
    box = AnchoredOffsetbox(
        loc="lower right" if on_right else "lower left",
        child=HPacker(children=items[:-1], align="center", pad=0, sep=5),
        pad=0,
        borderpad=0.3,
        frameon=False,
        bbox_to_anchor=(1.0 if on_right else 0.0, 1.0),
        bbox_transform=axes.transAxes,
    )
    box.set_figure(figure)
    return box


def _name(trace: Trace, summed: Summed | None) -> str:
    if summed is None:
        return trace.label
    source = "running total" if trace.style == "running" else f"{trace.hours} h amounts"
    return f"Precipitation per {summed[1][0]}, from {source}"


def _range(trace: Trace, view: View) -> str:
    """Unit and range, "°C, 9.1 to 18.3"; of the wind direction how often it is calm."""
    if trace.style == "compass":
        moving, calm = series.moving(view.frame).height, series.moving(view.frame, calm=True).height
        share = f"{calm * 100 / max(moving + calm, 1):.0f} % calm"
        if view.bucket is not None:
            return f"darker: more often; {share}" if calm else "darker: more often"
        return f"light: {share}" if calm else ""
    summed = amounts(trace, view)
    values = series.segments(view.frame, trace.variable)["value"] if summed is None else summed[0]["total"]
    if values.is_empty():
        return trace.unit
    low, high = (plain(value) for value in (min(values), max(values)))
    text = low if low == high else f"{low} to {high}"
    return f"{trace.unit}, {text}" if trace.unit else text


def words(text: str, colour: str) -> TextArea:
    """A piece of text in a row; names from a feed are no mathematics."""
    return TextArea(text, textprops={"color": colour, "fontsize": SMALL + 0.5, "fontfamily": FONT, "parse_math": False})


def ring(flag: int) -> DrawingArea:
    """The ring of a flag."""
    area = DrawingArea(9, 9, 0, 0)
    sign = Line2D([4.5], [4.5], marker="o", markersize=RING[flag] ** 0.5, color="none")
    sign.set_markeredgecolor(FLAG_COLOURS[flag])
    sign.set_markeredgewidth(1.3)
    area.add_artist(sign)
    return area


def triangle() -> DrawingArea:
    """The sign of a failing value beyond the axis."""
    area = DrawingArea(9, 9, 0, 0)
    colour = FLAG_COLOURS[series.FAIL]
    area.add_artist(Line2D([4.5], [4.5], marker="^", markersize=6, color=colour, markeredgewidth=0))
    return area


def grey() -> DrawingArea:
    """The ground of a gap."""
    area = DrawingArea(14, 8, 0, 0)
    area.add_artist(Rectangle((0, 0), 14, 8, facecolor=EMPTY, edgecolor="#C9CDD2", linewidth=0.6))
    return area


def _swatch(trace: Trace, *, bars: bool) -> DrawingArea:
    area = DrawingArea(16, 8, 0, 0)
    if bars or trace.style in ("area", "bars"):
        alpha = 0.35 if trace.style == "area" else 1
        area.add_artist(Rectangle((0, 0), 16, 8, color=trace.colour, alpha=alpha, linewidth=0))
    if trace.style in ("compass", "dots"):
        area.add_artist(Line2D([4, 12], [4, 4], color=trace.colour, marker="o", markersize=3, linestyle="none"))
    elif not bars and trace.style != "bars":
        y = 8 if trace.style == "area" else 4
        area.add_artist(Line2D([0, 16], [y, y], color=trace.colour, linewidth=1.8))
    return area
