"""Drawing one panel: its traces, its flags, its axes. Times on the axis are seconds since 1970 (UTC)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from matplotlib.transforms import offset_copy

from barograph.plot import series
from barograph.plot.panels import Panel, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

INK: Final = "#22262B"
MUTED: Final = "#6B7280"
GRID: Final = "#E3E6EA"
EMPTY: Final = "#F1F2F4"
CALM: Final = "#BCC2CB"
FLAG_COLOURS: Final = {series.SUSPECT: "#F28500", series.FAIL: "#C1121F"}
FONT: Final = "DejaVu Sans"
RING: Final = {series.FAIL: 46.0, series.SUSPECT: 30.0}
SMALL: Final = 7.5

Bucket = tuple[str, str, timedelta]
Summed = tuple[pl.DataFrame, Bucket]


@dataclass(frozen=True, slots=True)
class View:
    """What all panels share: the reports, the span, its timezone, and the bucket of a long span."""

    frame: pl.DataFrame
    start: datetime
    end: datetime
    timezone: str
    bucket: Bucket | None


@dataclass(frozen=True, slots=True)
class Beyond:
    """A flagged value beyond the axis, the farthest of its variable: where, at which edge, and how it reads."""

    x: float
    above: bool
    text: str
    colour: str


def seconds(times: pl.Series) -> NDArray[np.float64]:
    """Instants as positions on the axis."""
    return times.dt.epoch("ms").to_numpy() / 1000.0


def draw_panel(axes: Axes, right: Axes | None, panel: Panel, view: View) -> bool:
    """Draw the panel's traces, limits, ticks and flags; `right` is the twin for traces on the right.

    True when a flagged value lies beyond the axis.
    """
    sides = [(axes, panel)] if right is None else [(axes, panel), (right, Panel((), low=0))]
    beyond: list[Beyond] = []
    for target, frame in sides:
        traces = [trace for trace in panel.traces if trace.right is (target is right)]
        if traces:
            _limit(target, frame, np.concatenate([_draw_trace(target, trace, view) for trace in traces]))
        for trace in traces:
            beyond += _draw_flags(target, trace, view)
    _write_farthest(axes, beyond)
    if any(trace.style == "compass" for trace in panel.traces):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda degrees, _: "NESWN"[round(degrees / 90)]))
    return bool(beyond)


def _draw_trace(axes: Axes, trace: Trace, view: View) -> NDArray[np.float64]:
    """Draw one variable; return the values that the axis has to show."""
    if trace.style == "compass":
        _draw_compass(axes, trace, view)
        return np.array([0.0, 360.0])
    if (summed := amounts(trace, view)) is not None:
        bars, bucket = summed
        width, alpha = bucket[2].total_seconds() * (0.5 if trace.right else 0.9), 0.6 if trace.right else 1
        style: dict[str, Any] = {"color": trace.colour, "alpha": alpha, "linewidth": 0}
        axes.bar(seconds(bars["utc_time"]), bars["total"].to_numpy(), width, zorder=3, **style)
        return bars["total"].to_numpy()
    if trace.style == "bars":
        return _draw_bars(axes, trace, view)
    if view.bucket is None or trace.style == "dots":
        return _draw_raw(axes, trace, series.segments(view.frame, trace.variable, falls=trace.style != "running"))
    data = series.buckets(view.frame, trace.variable, view.bucket, view.timezone)
    if trace.style in ("line", "steps"):
        data = _broken(data, ["low", "mean", "high"])
        x = seconds(data["utc_time"])
        low, high = (data[name].to_numpy() for name in ("low", "high"))
        axes.fill_between(x, low, high, color=trace.colour, alpha=0.25, linewidth=0, zorder=2)
        axes.plot(x, data["mean"].to_numpy(), color=trace.colour, linewidth=1.1, zorder=3)
        return np.concatenate([low, high])
    return _draw_raw(axes, trace, data.select("utc_time", "segment", value="high"))


def _draw_raw(axes: Axes, trace: Trace, data: pl.DataFrame) -> NDArray[np.float64]:
    """A line through `value`, broken between segments; a segment of a single value is a dot."""
    alone = data.filter(pl.len().over("segment") == 1) if trace.style != "dots" else data
    axes.scatter(seconds(alone["utc_time"]), alone["value"].to_numpy(), s=5, color=trace.colour, linewidths=0, zorder=3)
    if trace.style != "dots":
        line = _broken(data, ["value"])
        x, y = seconds(line["utc_time"]), line["value"].to_numpy()
        style = "steps-mid" if trace.style == "steps" else "default"
        if trace.style == "area":
            axes.fill_between(x, 0, y, color=trace.colour, alpha=0.35, linewidth=0, zorder=2)
        axes.plot(x, y, color=trace.colour, linewidth=1.1, drawstyle=style, solid_joinstyle="round", zorder=3)
    return data["value"].to_numpy()


def _broken(data: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """`data` with a row of nulls before and after each segment, where matplotlib lifts the pen."""
    nulls = [pl.lit(None, pl.Float64).alias(name) for name in columns]
    tick = timedelta(milliseconds=1)
    by_segment = data.group_by("segment", maintain_order=True)
    before = by_segment.first().with_columns(pl.col("utc_time") - tick, *nulls)
    after = by_segment.last().with_columns(pl.col("utc_time") + tick, *nulls)
    return pl.concat([before.select(data.columns), data, after.select(data.columns)]).sort("utc_time")


def amounts(trace: Trace, view: View) -> Summed | None:
    """Precipitation of a long span, summed up per day or longer (`total`), and the bucket; None for anything else."""
    if view.bucket is None or trace.style not in ("bars", "running"):
        return None
    bucket = max(view.bucket, series.DAY, key=lambda bucket: bucket[2])
    if trace.style == "running":
        return series.buckets(series.growth(view.frame, trace.variable), trace.variable, bucket, view.timezone), bucket
    apart = series.apart(view.frame, trace.variable, timedelta(hours=trace.hours))
    return series.buckets(apart, trace.variable, bucket, view.timezone), bucket


def _draw_bars(axes: Axes, trace: Trace, view: View) -> NDArray[np.float64]:
    """Amounts of the past hours, each bar as wide as what it sums."""
    data = series.segments(view.frame, trace.variable)
    x, y, width = seconds(data["utc_time"]), data["value"].to_numpy(), trace.hours * 3600
    axes.bar(x - width, y, width=width * 0.94, align="edge", color=trace.colour, linewidth=0, zorder=2)
    return y


def _draw_compass(axes: Axes, trace: Trace, view: View) -> None:
    if view.bucket is None:
        for calm in (True, False):
            dots = series.moving(view.frame, calm=calm)
            colour, size = (CALM, 5) if calm else (trace.colour, 6)
            axes.scatter(
                seconds(dots["utc_time"]), dots["value"].to_numpy(), s=size, color=colour, linewidths=0, zorder=2
            )
        return
    shares = series.directions(view.frame, view.bucket, view.timezone)
    width = view.bucket[2].total_seconds()
    starts = seconds(shares["utc_time"])
    cells: list[Any] = []
    for x, sector, share in zip(starts, shares["sector"].to_list(), shares["share"].to_list(), strict=True):
        middle = sector * 22.5
        parts = [(348.75, 360.0), (0.0, 11.25)] if sector == 0 else [(middle - 11.25, middle + 11.25)]
        cells += [(x, low, high, share) for low, high in parts]
    if not cells:
        return
    boxes = [[(x, low), (x + width, low), (x + width, high), (x, high)] for x, low, high, _ in cells]
    shades = LinearSegmentedColormap.from_list("share", ["#FFFFFF", trace.colour])
    collection = PolyCollection(boxes, array=np.array([c[3] for c in cells]), cmap=shades, linewidths=0, zorder=2)
    collection.set_clim(0, 0.8)
    axes.add_collection(collection, autolim=False)


def _limit(axes: Axes, panel: Panel, values: NDArray[np.float64]) -> None:
    """Limits that show `values` with some air, at least `panel.least` apart, and no more ticks than fit."""
    known = values[~np.isnan(values.astype(float))]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if panel.low is not None:
        low = min(panel.low, low)
        high = max(high, panel.high if panel.high is not None else low + panel.least)
    else:
        short = max(panel.least - (high - low), 0.0) / 2
        low, high = low - short, high + short
    air = (high - low) * 0.08
    axes.set_ylim(low - air * (0.6 if panel.low is None else 0.25), high + air * (1 if panel.high is None else 0.35))
    bottom, top = axes.get_ylim()
    found = panel.ticks or MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3).tick_values(bottom, top)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in found if bottom <= tick <= top]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def _draw_flags(axes: Axes, trace: Trace, view: View) -> list[Beyond]:
    """A ring around each flagged value; one beyond the axis is a triangle at its edge, and is returned."""
    low, high = axes.get_ylim()
    found: list[Beyond] = []
    for flag, colour in FLAG_COLOURS.items():
        points = series.flagged(view.frame, trace.variable, flag)
        if (summed := amounts(trace, view)) is not None:
            points = series.on_buckets(points, *summed)
        points = series.thinned(points, view.start, view.end)
        inside = points.filter(pl.col("value").is_between(low, high))
        x, y = seconds(inside["utc_time"]), inside["value"].to_numpy()
        for width, ink, order in ((2.6, "white", 4), (1.3, colour, 5)):
            ring: dict[str, Any] = {"s": RING[flag], "facecolors": "none", "edgecolors": ink, "linewidths": width}
            axes.scatter(x, y, zorder=order, clip_on=False, **ring)
        for above in (True, False):
            outside = points.filter(pl.col("value") > high if above else pl.col("value") < low)
            if outside.is_empty():
                continue
            edge, far = (high, outside["value"].arg_max()) if above else (low, outside["value"].arg_min())
            x = seconds(outside["utc_time"])
            inward = offset_copy(axes.transData, axes.get_figure(root=True), y=-4 if above else 4, units="points")
            triangle: dict[str, Any] = {"s": 34, "marker": "^" if above else "v", "color": colour, "linewidths": 0}
            axes.scatter(x, np.full_like(x, edge), transform=inward, zorder=6, clip_on=False, **triangle)
            value = outside["value"][far or 0]
            found.append(Beyond(float(x[far or 0]), above, f"{plain(value)} {trace.unit}".strip(), colour))
    return found


def _write_farthest(axes: Axes, beyond: list[Beyond]) -> None:
    """Write the values of the triangles beside them, none where it would meet another."""
    left, right = axes.get_xlim()
    written: list[Beyond] = []
    for far in beyond:
        if any(far.above == other.above and abs(far.x - other.x) < (right - left) * 0.2 for other in written):
            continue
        written.append(far)
        sign = -1 if far.x > (left + right) / 2 else 1
        axes.annotate(
            far.text,
            ((far.x - left) / (right - left), 1 if far.above else 0),
            xycoords="axes fraction",
            xytext=(-4 * sign, -9 if far.above else 9),
            textcoords="offset points",
            ha="left" if sign > 0 else "right",
            va="top" if far.above else "bottom",
            fontsize=SMALL,
            fontfamily=FONT,
            color=far.colour,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            zorder=7,
        )


def plain(value: float) -> str:
    """A number as it is printed: two decimals at most, no needless digits, a true minus."""
    return f"{round(value, 2):.10g}".replace("-", "\N{MINUS SIGN}")
