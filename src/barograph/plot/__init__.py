"""A station's reports as a picture: one panel per group of variables, on one axis of the station's local time."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from barograph.errors import ConfigError, NotFound, UsageError
from barograph.plot.panels import PANELS, chosen
from barograph.plot.series import bucket_of, observed
from barograph.query import Span, check_variables

if TYPE_CHECKING:
    import polars as pl

    from barograph.model import Station

__all__ = ["plot", "plot_calendar"]

DRAWN: Final = {trace.variable for panel in PANELS for trace in panel.traces}


def plot(
    frame: pl.DataFrame,
    station: Station,
    span: Span,
    *,
    variables: Sequence[str] | None = None,
    path: Path | BinaryIO,
) -> None:
    """Write a PNG of `frame` (what `Query.reports` gives for `station` and `span`), 1725 pixels wide.

    Panels are drawn for what is observed (or for the `variables` asked for, where they are). A line breaks where no
    value comes for 2.5 times the variable's usual interval; flag 3 has an orange ring, flag 4 a red one. More than
    5000 reports are summed up per hour, day or longer: the mean as a line, lowest to highest as a band.
    Raises ConfigError without matplotlib, UsageError for an unknown variable, NotFound when there is nothing to draw.
    """
    _need_matplotlib()
    wanted = DRAWN if variables is None else {_drawn(name) for name in check_variables(variables)}
    panels = chosen(wanted & set(observed(frame)))
    if not panels:
        what = "no reports" if frame.is_empty() else "no values of these variables"
        where = f"{station.station_id}, {span.label}"
        raise NotFound(what, where=where, hint="`barograph stations` tells from when to when there are reports")

    from barograph.plot.draw import View
    from barograph.plot.paper import DPI
    from barograph.plot.sheet import Sheet

    view = View(frame, span.start, span.end, span.timezone, bucket_of(span.start, span.end, frame.height))
    png = BytesIO()
    Sheet(view, station, span, panels).draw().savefig(png, format="png", dpi=DPI)
    if not isinstance(path, Path):
        path.write(png.getvalue())
        return
    _write(png, path)


def _drawn(name: str) -> str:
    """The variable that shows `name`: the 16 points of the compass are drawn by their degrees."""
    return "wind_direction_deg" if name == "wind_direction" else name


FORMS: Final = ("png", "svg")


def plot_calendar(frame: pl.DataFrame, stations: Sequence[Station], *, path: Path) -> None:
    """Write the calendar of `frame` (what `query.completeness` gives) as PNG or SVG, as the name of `path` ends.

    A row for each of `stations`, a cell for each day: how much of it was received, and by cause what was not; a day of
    which nothing was expected is a dash. Raises ConfigError without matplotlib, UsageError for another ending, for
    more than 1000 stations or where it cannot be written.
    """
    form = path.suffix.lower().lstrip(".")
    if form not in FORMS:
        raise UsageError(f"{path.name!r} is neither .png nor .svg", where="plot", hint="name the file calendar.png")
    _need_matplotlib()

    from barograph.plot.calendar import MOST_STATIONS, draw_calendar

    if len(stations) > MOST_STATIONS:
        raise UsageError(f"{len(stations)} stations do not fit into a picture", hint=f"name {MOST_STATIONS} at most")
    picture = BytesIO()
    draw_calendar(frame, stations, picture, form)
    _write(picture, path)


def _need_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        raise ConfigError("a plot needs matplotlib", where="plot", hint="pip install 'barograph[plot]'")


def _write(picture: BytesIO, path: Path) -> None:
    try:
        path.write_bytes(picture.getvalue())
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(path), hint="choose another path") from error
