"""The panels of a plot: which variables stand together, in which colours and how each is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from barograph.variables import BY_NAME

Style = Literal["line", "area", "peak", "running", "bars", "steps", "dots", "compass"]
"""How a variable is drawn, and as what in a long span:

- line: a line; its mean, with the band from the lowest to the highest;
- area: a filled line; the highest;
- peak: a line; the highest;
- running: a total that starts again now and then; bars of what it grew by;
- bars: an amount of the past hours; its sum;
- steps: a stepped line; its mean, with the band;
- dots: dots; dots;
- compass: dots between North and North; the share of each direction.
"""

# Cool and pale colours for the data, so that orange and red can only mean a flag. Any two that meet in a panel are at
# least 20 apart in CIELAB, also to deuteranopes, protanopes and tritanopes as simulated by Machado et al. (2009).
NAVY: Final = "#1D3557"
BLUE: Final = "#2F6DB5"
SKY: Final = "#9CC3E4"
TEAL: Final = "#21938A"
SAND: Final = "#D9C36A"
PLUM: Final = "#7B4F8E"


@dataclass(frozen=True, slots=True)
class Trace:
    """One variable in a panel. `right`: on an axis of its own at the right. `hours`: what an amount is the sum of."""

    variable: str
    style: Style
    colour: str
    right: bool = False
    hours: int = 0

    @property
    def label(self) -> str:
        """The variable as a reader calls it."""
        return BY_NAME[self.variable].label

    @property
    def unit(self) -> str:
        """The unit as it is written; "" for an index or a code."""
        unit = BY_NAME[self.variable].unit
        return "°" if unit == "degree" else unit


@dataclass(frozen=True, slots=True)
class Panel:
    """Traces that share a panel. `low`, `high`: fixed limits; `least`: the shortest axis; `ticks`: where they are.

    `height` is in inches.
    """

    traces: tuple[Trace, ...]
    low: float | None = None
    high: float | None = None
    least: float = 1.0
    ticks: tuple[float, ...] = ()
    height: float = 1.25


PANELS: Final = (
    Panel((Trace("dew_point", "line", TEAL), Trace("temperature", "line", NAVY)), least=5, height=1.7),
    Panel((Trace("humidity", "line", TEAL),), low=0, high=100, ticks=(0, 25, 50, 75, 100)),
    Panel((Trace("wind_gust", "area", SKY), Trace("mean_wind_speed", "line", NAVY)), low=0, least=10),
    Panel((Trace("wind_direction_deg", "compass", NAVY),), low=0, high=360, ticks=(0, 90, 180, 270, 360)),
    Panel((Trace("pressure", "line", NAVY),), least=6),
    Panel(
        (
            Trace("precipitation_3h", "bars", SKY, hours=3),
            Trace("precipitation_1h", "bars", BLUE, hours=1),
            Trace("precipitation_rate", "area", BLUE),
            Trace("precipitation_acc", "running", NAVY, right=True),
        ),
        low=0,
        least=2,
    ),
    Panel((Trace("solar", "area", SAND), Trace("uv", "peak", PLUM, right=True)), low=0, least=100),
    Panel((Trace("visibility", "line", NAVY),), low=0, least=1000, height=1.0),
    Panel((Trace("ncloud_cover", "steps", NAVY),), low=0, high=9, ticks=(0, 2, 4, 6, 8), height=0.9),
    Panel((Trace("snow_depth", "area", SKY),), low=0, least=5, height=1.0),
    Panel((Trace("temps_omm", "dots", NAVY),), low=0, high=99, height=0.9),
)


def chosen(variables: set[str]) -> list[Panel]:
    """The panels that have something to show of `variables`, each with only those traces."""
    panels = []
    for panel in PANELS:
        traces = tuple(trace for trace in panel.traces if trace.variable in variables)
        if traces:
            panels.append(replace(panel, traces=traces))
    return panels
