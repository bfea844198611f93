"""The PNG itself: it is one, nothing written in it overlaps, gaps stay gaps, flags are seen."""

from __future__ import annotations

import io
import sys
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from barograph.errors import ConfigError, NotFound, UsageError
from barograph.model import Station
from barograph.plot import plot
from barograph.plot.draw import CALM, FLAG_COLOURS, View
from barograph.plot.panels import BLUE, NAVY, PLUM, SAND, SKY, TEAL, chosen
from barograph.plot.paper import DPI
from barograph.plot.series import FAIL, SUSPECT, bucket_of, observed
from barograph.plot.sheet import Sheet
from barograph.query import Span, parse_span
from barograph.variables import NAMES
from tests.query.stores import every, reports

ICHTEGEM = Station("IICHTE19", "WeerstationBS", "Ichtegem", 51.092, 2.999, 15, timezone="Europe/Brussels")
WORDY = Station(
    "STATIC0010",
    "A station with the longest of names, of the kind that people give when nobody stops them, $and some \\TeX$",
    "Saint-Remy-en-Bouzemont-Saint-Genest-et-Isson",
    -51.092,
    -2.999,
    1500,
    license_info="Open License 2.0, Météo-France via Infoclimat, https://example.org/ " * 12,
    timezone="Europe/Paris",
)
DAY = parse_span("2024-10-27", timezone="Europe/Brussels")


def weather(span: Span, step: str) -> pl.DataFrame:
    """Every variable, with a daily wave, and one flag of each kind on most of them."""
    number = pl.int_range(pl.len())
    wave = (number * 0.02).sin()
    columns = {name: 10 + 8 * wave for name in NAMES if name != "wind_direction"}
    columns |= {"wind_direction_deg": (number * 3) % 360, "mean_wind_speed": (number % 20).cast(pl.Float64)}
    columns |= {"temps_omm": number % 90, "precipitation_acc": (number % 300) / 10, "ncloud_cover": number % 9}
    flags = {
        f"{name}_flag": pl.when(number % 97 == 50).then(FAIL).when(number % 97 == 20).then(SUSPECT)
        for name in ("temperature", "humidity", "pressure", "solar", "uv", "precipitation_acc")
    }
    frame = reports(every(span.start, span.end, step), **columns, **flags)
    outlier = pl.when(pl.col("temperature_flag") == FAIL).then(85.0).otherwise(pl.col("temperature"))
    return frame.with_columns(temperature=outlier, pressure=pl.col("pressure") + 1000)


def drawn(frame: pl.DataFrame, span: Span, station: Station = ICHTEGEM) -> Figure:
    view = View(frame, span.start, span.end, span.timezone, bucket_of(span.start, span.end, frame.height))
    return Sheet(view, station, span, chosen(set(observed(frame)))).draw()


def written(figure: Figure) -> list[Text]:
    figure.canvas.draw()
    return [text for text in figure.findobj(Text) if text.get_text().strip()]


def colour_count(png: bytes | Path, colour: str) -> int:
    """Pixels of exactly this colour."""
    picture = np.rint(imread(io.BytesIO(png) if isinstance(png, bytes) else png)[..., :3] * 255).astype(int)
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int((picture == wanted).all(axis=2).sum())


def png_of(frame: pl.DataFrame, span: Span, **options: list[str]) -> bytes:
    out = io.BytesIO()
    plot(frame, ICHTEGEM, span, path=out, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("typed", "step", "station"),
    [
        (("2024-10-27",), "5m", ICHTEGEM),
        (("2024-10-01", "2024-10-07"), "10m", WORDY),
        (("2024-10",), "5m", ICHTEGEM),
        (("2024",), "1h", Station("X")),
        (("2015", "2024"), "6h", ICHTEGEM),
        (("2024-10-05T10:10", "2024-10-05T13:50"), "1m", WORDY),
    ],
)
def test_nothing_written_overlaps(typed: tuple[str, ...], step: str, station: Station) -> None:
    """With every panel, flag and name, from three hours to ten years: all texts are apart, and on the sheet."""
    span = parse_span(*typed, timezone=station.timezone)
    figure = drawn(weather(span, step), span, station)
    boxes = [(text.get_text(), text.get_window_extent()) for text in written(figure) if text.get_visible()]
    shown = [(words, box) for words, box in boxes if box.width > 0]
    assert len(shown) > 40
    meeting = [
        (a, b) for (a, one), (b, other) in combinations(shown, 2) if one.padded(-0.5).overlaps(other.padded(-0.5))
    ]
    assert meeting == []
    sheet = figure.bbox
    assert all(
        sheet.x0 <= box.x0 and box.x1 <= sheet.x1 and sheet.y0 <= box.y0 and box.y1 <= sheet.y1 for _, box in shown
    )


def test_the_sheet_says_what_it_shows(tmp_path: Path) -> None:
    """Station, place, span, timezone, share of the expected, licence, labels and units stand on it."""
    frame = weather(DAY, "5m").filter(pl.col("utc_time").dt.hour() != 12)
    words = " | ".join(text.get_text() for text in written(drawn(frame, DAY)))
    for phrase in (
        "WeerstationBS",
        "IICHTE19  ·  Ichtegem  ·  51.092° N, 2.999° E  ·  15 m",
        "Sunday 27 October 2024",
        "288 reports, 96 % of 300 expected (every 5 min)",
        "Local time, Europe/Brussels (UTC+02:00 and UTC+01:00)",
        "Licence of the data not stated",
        "suspect (flag 3)",
        "fail (flag 4)",
        "beyond the axis",
        "85 °C",
        "no reports",
        "Temperature | °C, 2 to 18",
        "W/m², ",
        "light: 5 % calm",
    ):
        assert phrase in words


def test_only_what_is_observed_has_a_panel() -> None:
    """Two variables, two panels; a variable that is null all the time has none, nor has one not asked for."""
    frame = reports(every(DAY.start, DAY.end, "10m"), temperature=10.0, humidity=80, solar=None)
    assert len(drawn(frame, DAY).axes) == 2
    both, one = png_of(frame, DAY), png_of(frame, DAY, variables=["humidity"])
    assert imread(io.BytesIO(both)).shape[0] > imread(io.BytesIO(one)).shape[0]


def test_a_png_of_plausible_size(tmp_path: Path) -> None:
    """A path and a stream get the same picture, 1725 pixels wide, mostly white, with the colours of its lines."""
    path = tmp_path / "day.png"
    frame = weather(DAY, "10m")
    plot(frame, ICHTEGEM, DAY, path=path)
    assert path.read_bytes() == png_of(frame, DAY)
    picture = imread(path)
    assert picture.shape[1] == 1725 == round(11.5 * DPI)
    assert 1500 < picture.shape[0] < 4000
    assert 0.5 < float((picture[..., :3] == 1).all(axis=2).mean()) < 0.97
    assert colour_count(path, NAVY) > 500


def test_flags_are_seen() -> None:
    """A suspect value is ringed in orange, a failing one in red; without flags neither colour is on the sheet."""
    number = pl.int_range(pl.len())
    times = every(DAY.start, DAY.end, "10m")
    clean = reports(times, temperature=(number % 30).cast(pl.Float64))
    for flag, other in ((SUSPECT, FAIL), (FAIL, SUSPECT)):
        marked = clean.with_columns(temperature_flag=pl.when(number == 60).then(flag).cast(pl.UInt8))
        assert colour_count(png_of(marked, DAY), FLAG_COLOURS[flag]) > 20
        assert colour_count(png_of(marked, DAY), FLAG_COLOURS[other]) == 0
        assert colour_count(png_of(clean, DAY), FLAG_COLOURS[flag]) == 0


@pytest.mark.parametrize("span", [DAY, parse_span("2024", timezone="Europe/Brussels")])
def test_no_line_crosses_a_gap(span: Span) -> None:
    """Inside a gap no line, fill or bar has a point, and no drawn stroke leads over it."""
    length = span.end - span.start
    hole = span.start + length * 0.4, span.start + length * 0.6
    frame = weather(span, "10m").filter(pl.col("utc_time").is_between(*hole).not_())
    low, high = (edge.timestamp() + sign * 86_400 for edge, sign in zip(hole, (1, -1), strict=True))
    if span is DAY:
        low, high = hole[0].timestamp(), hole[1].timestamp()
    strokes = 0
    for axes in drawn(frame, span).axes:
        for line in axes.lines:
            x, y = (np.asarray(values, dtype=float) for values in line.get_data())
            known = ~np.isnan(y)
            assert not (known & (x > low) & (x < high)).any()
            over = known[:-1] & known[1:] & (x[:-1] <= low) & (x[1:] >= high)
            assert not over.any()
            strokes += int((known[:-1] & known[1:]).sum())
        # The amount of the past 3 hours, reported after the gap, reaches back into it.
        bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
        assert not any(low < bar.get_x() and bar.get_x() + bar.get_width() < high - 10_800 for bar in bars)
    assert strokes > 1000


def test_a_value_alone_is_a_dot() -> None:
    """Between two gaps a single report can still be seen."""
    times = every(DAY.start, DAY.end, "10m")
    lonely = DAY.start + timedelta(hours=12)
    kept = times.filter((times < DAY.start + timedelta(hours=3)) | (times == lonely))
    axes = drawn(reports(kept, temperature=10.0), DAY).axes[0]
    dots = np.concatenate([np.atleast_2d(np.ma.asarray(group.get_offsets())) for group in axes.collections])
    assert [lonely.timestamp(), 10.0] in dots.tolist()


def test_the_axis_is_not_ruled_by_a_failing_value() -> None:
    """85 °C in October leaves the scale to the rest, whose extremes stay on it."""
    low, high = drawn(weather(DAY, "5m"), DAY).axes[0].get_ylim()
    assert -5 < low < 2
    assert 18 < high < 25


@pytest.mark.parametrize("count", [1, 2])
def test_a_report_or_two_are_a_plot(count: int) -> None:
    """Hardly anything is still something, with whatever value."""
    frame = reports(every(DAY.start, DAY.end, "1h")[:count], temperature=-3.5, pressure=1013.25, temperature_flag=4)
    assert png_of(frame, DAY).startswith(b"\x89PNG")


def test_nothing_to_draw(tmp_path: Path) -> None:
    """No reports, no such values, an unknown variable, no place for the file: each is told for what it is."""
    frame = weather(DAY, "1h").select("utc_time", "temperature")
    with pytest.raises(NotFound, match="IICHTE19, Sunday 27 October 2024: no reports"):
        png_of(frame.clear(), DAY)
    with pytest.raises(NotFound, match="no values of these variables"):
        png_of(frame, DAY, variables=["solar"])
    with pytest.raises(UsageError, match="did you mean temperature"):
        png_of(frame, DAY, variables=["temprature"])
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        plot(frame, ICHTEGEM, DAY, path=tmp_path / "missing" / "day.png")


def test_the_compass_point_is_drawn_by_its_degrees() -> None:
    """Whoever asks for wind_direction gets the panel of the direction."""
    frame = weather(DAY, "1h").select("utc_time", "wind_direction_deg")
    assert png_of(frame, DAY, variables=["wind_direction"]).startswith(b"\x89PNG")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional; without it one line says how to get it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install 'barograph\[plot\]'"):
        png_of(weather(DAY, "1h"), DAY)


def test_plotting_leaves_pyplot_alone() -> None:
    """No global state: a server may draw from several threads."""
    png_of(weather(DAY, "1h"), DAY)
    assert "matplotlib.pyplot" not in sys.modules


# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
EYES = {
    "usual": np.eye(3),
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(colour: str, eye: str) -> np.ndarray:
    """CIELAB (D65) of a colour as an eye sees it."""
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(EYES[eye]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(to_xyz @ seen / [0.9505, 1, 1.089], 1e-6))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", EYES)
def test_colours_that_meet_can_be_told_apart(eye: str) -> None:
    """In each panel, and with both flags on any of them, also for the colour-blind."""
    flags = list(FLAG_COLOURS.values())
    meeting = [(NAVY, TEAL), (NAVY, SKY), (NAVY, BLUE), (BLUE, SKY), (SAND, PLUM), (NAVY, CALM), (flags[0], flags[1])]
    meeting += [(flag, colour) for flag in flags for colour in (NAVY, TEAL, BLUE, SKY, SAND, PLUM)]
    assert [pair for pair in meeting if np.linalg.norm(lab(pair[0], eye) - lab(pair[1], eye)) < 20] == []
