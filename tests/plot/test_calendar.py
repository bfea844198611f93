"""The calendar: every cause is seen, also in one report of a day, and nothing written in it overlaps."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.text import Text

from barograph.errors import UsageError
from barograph.model import Station
from barograph.plot import plot_calendar
from barograph.plot.calendar import LEAST, LOOKS, Calendar, draw_calendar
from barograph.query import CAUSES, COMPLETENESS_SCHEMA
from tests.plot.test_plot import EYES, colour_count, lab

FIRST = date(2024, 10, 1)


def frame_of(stations: Sequence[str], days: int, missing: Mapping[tuple[str, int], Mapping[str, int]]) -> pl.DataFrame:
    """5-minute stations that are complete but for (station, day) -> cause -> reports."""
    rows: list[dict[str, Any]] = []
    for station in stations:
        for number in range(days):
            lost = missing.get((station, number), {})
            at = datetime(2024, 10, 1, tzinfo=UTC) + timedelta(days=number)
            gaps = [
                {"start": at, "end": at + timedelta(hours=1), "expected": amount, "cause": cause}
                for cause, amount in lost.items()
            ]
            received = 288 - sum(lost.values())
            rows.append(
                {
                    "station_id": station,
                    "day": FIRST + timedelta(days=number),
                    "interval_minutes": 5.0,
                    "expected": 288,
                    "received": received,
                    "share": received / 288,
                    "reports": received,
                    "received_late": 0,
                    "gaps": gaps,
                }
            )
    return pl.DataFrame(rows, schema=COMPLETENESS_SCHEMA)


def stations_of(names: Sequence[str]) -> list[Station]:
    return [Station(name, f"The station {name}") for name in names]


def png_of(frame: pl.DataFrame, names: Sequence[str]) -> bytes:
    out = io.BytesIO()
    draw_calendar(frame, stations_of(names), out, "png")
    return out.getvalue()


def boxes_of(collection: PolyCollection) -> list[tuple[float, float]]:
    """Left edge (days) and height (parts of a cell) of each box."""
    corners = [np.asarray(path.vertices, dtype=float) for path in collection.get_paths()]
    return [(float(c[:, 0].min()), float(np.ptp(c[:, 1])) / 0.84) for c in corners if c.size]


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("days", [7, 30, 366])
def test_one_report_of_a_day_is_seen(cause: str, days: int) -> None:
    """The part of its cell is LEAST high, and its colour stands in the picture."""
    picture = Calendar(frame_of(["A"], days, {("A", 3): {cause: 1}}), stations_of(["A"])).draw()
    (axes,) = picture.figure.axes
    fill = LOOKS[cause].fill
    heights = [
        height
        for collection in axes.collections
        if isinstance(collection, PolyCollection) and collection.get_hatch() == (LOOKS[cause].hatch or None)
        for left, height in boxes_of(collection)
        if abs(left - 3) < 0.1
    ]
    assert any(abs(height - LEAST) < 1e-6 for height in heights)
    if fill != "#FFFFFF":
        assert colour_count(png_of(frame_of(["A"], days, {("A", 3): {cause: 200}}), ["A"]), fill) > 0


def test_a_whole_day_is_whole() -> None:
    """The parts of a cell fill it: heights add up to one, whatever is in it."""
    lost = dict.fromkeys(CAUSES, 1) | {"late": 100}
    (axes,) = Calendar(frame_of(["A"], 1, {("A", 0): lost}), stations_of(["A"])).draw().figure.axes
    shown = [collection for collection in axes.collections if isinstance(collection, PolyCollection)][: len(LOOKS)]
    heights = [height for collection in shown for _, height in boxes_of(collection)]
    assert len(heights) == 5
    assert sum(heights) == pytest.approx(1)
    assert min(heights) >= LEAST - 1e-9


@pytest.mark.parametrize("days", [1, 7, 31, 34, 45, 120, 200, 366, 900, 3700])
@pytest.mark.parametrize("count", [1, 40])
def test_nothing_written_overlaps(days: int, count: int) -> None:
    """From a day to ten years, one station or forty: all texts stand apart and on the sheet."""
    names = [f"STATION{number:04}" for number in range(count)]
    lost = {(names[0], 0): dict.fromkeys(CAUSES, 5)}
    figure = Calendar(frame_of(names, days, lost), stations_of(names)).draw().figure
    figure.canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    assert len(texts) > 2 * count
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    width, height = figure.canvas.get_width_height()
    for told, box in boxes:
        assert 0 <= box.x0 <= box.x1 <= width, told
        assert 0 <= box.y0 <= box.y1 <= height, told
    for (one, a), (other, b) in combinations(boxes, 2):
        assert not a.overlaps(b), (one, other)


@pytest.mark.parametrize("eye", EYES)
def test_colours_are_told_apart(eye: str) -> None:
    """Any two fills are at least 13 apart in CIELAB to every eye, and those that are not 20 apart differ in hatch."""
    for (_, one), (_, other) in combinations(LOOKS.items(), 2):
        apart = float(np.linalg.norm(lab(one.fill, eye) - lab(other.fill, eye)))
        assert apart >= 13, (one.title, other.title, apart)
        assert apart >= 20 or one.hatch != other.hatch


def test_stations_without_anything_are_told() -> None:
    """A station of which nothing was expected, and one whose interval is not known, say so instead of a share."""
    frame = frame_of(["A", "B"], 2, {}).with_columns(
        pl.when(pl.col("station_id") == "A").then(0).otherwise("expected").cast(pl.Int32).alias("expected"),
        pl.when(pl.col("station_id") == "A").then(0).otherwise("received").cast(pl.Int32).alias("received"),
        pl.when(pl.col("station_id") == "A").then("interval_minutes").alias("interval_minutes"),
    )
    texts = [text.get_text() for text in Calendar(frame, stations_of(["A", "B"])).draw().figure.findobj(Text)]
    assert "no reports yet" in texts
    assert "too few reports" in texts


def test_too_many_stations(tmp_path: Path) -> None:
    """More than a thousand rows are no picture any more."""
    names = [str(number) for number in range(1001)]
    with pytest.raises(UsageError, match="1001 stations do not fit"):
        plot_calendar(frame_of(names, 1, {}), stations_of(names), path=tmp_path / "a.png")
