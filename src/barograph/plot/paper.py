"""A figure to write on in inches, as all pictures of the house share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from barograph.plot.draw import FONT

if TYPE_CHECKING:
    from matplotlib.text import Text

WIDTH: Final = 11.5
DPI: Final = 150


class Paper:
    """A white figure, WIDTH inches wide."""

    def __init__(self) -> None:
        self.height = 1.0
        self.figure = Figure(figsize=(WIDTH, self.height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self.figure)

    def resize(self, height: float) -> None:
        """Make it `height` inches high."""
        self.height = height
        self.figure.set_size_inches(WIDTH, height)

    def text(
        self, x: float, y: float, text: str, size: float, colour: str, *, ha: str = "left", weight: str = "normal"
    ) -> Text:
        """Text at x, y inches; names from a feed are no mathematics."""
        return self.figure.text(
            x / WIDTH,
            y / self.height,
            text,
            fontsize=size,
            color=colour,
            ha=ha,
            va="baseline",
            fontweight=weight,
            fontfamily=FONT,
            parse_math=False,
        )

    def width(self, text: Text) -> float:
        """How wide a text is, in inches."""
        return float(text.get_window_extent().width) / DPI

    def fit(self, text: Text, inches: float) -> None:
        """Shorten `text` until it is at most `inches` wide."""
        words = text.get_text()
        while words and self.width(text) > inches:
            words = words[: min(len(words) - 1, int(len(words) * inches / self.width(text)))]
            text.set_text(words.rstrip() + "…")
