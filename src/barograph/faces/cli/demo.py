"""The demo: a simulated network from its exports to a plot, offline, in one command."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from barograph.errors import UsageError
from barograph.faces.cli.command import App, command

if TYPE_CHECKING:
    from barograph.simulate import SimulatedNetwork

START: Final = date(2024, 10, 1)
STATION: Final = "IICHTE19"
FAULTS: Final = ("unparsable", "time", "conflict", "impossible")
"""Three rows that cannot be taken, and one value that is stored with a flag."""
MARKER: Final = ".barograph-demo"
SHOWN_ROWS: Final = 5


@command(
    "demo",
    examples=[
        ("barograph demo", "in ./barograph-demo"),
        ("barograph demo --dir my-demo --days 30", "a month, elsewhere"),
    ],
)
@click.option("--dir", "folder", metavar="DIR", default="barograph-demo", show_default=True, help="Where to.")
@click.option("--days", metavar="N", type=click.IntRange(min=1), default=7, show_default=True, help="How many days.")
@click.option(
    "--seed", metavar="N", type=int, default=1, show_default=True, help="The same seed gives the same weather."
)
def demo(*, folder: str, days: int, seed: int) -> None:
    """Show everything on a simulated network, offline.

    Writes a week of exports of six stations with a few faults in them, runs the job, shows a day, draws a plot, runs
    the job again, and proves the record. Ends with commands to try. Nothing outside of DIR is touched; running it
    again starts anew.
    """
    base = Path(folder).expanduser()
    _claim(base)
    feeds = _simulate(base, days, seed)
    app = App(config=str(feeds.config), data_dir=str(base / "data"))
    _run(app)
    day = START + timedelta(days=min(1, days - 1))
    _show(app, base, feeds, day)
    _prove(app)
    _farewell(app, base, day)


def _claim(base: Path) -> None:
    """Make the folder, or empty the one that an earlier demo made."""
    marker = base / MARKER
    if base.exists() and not marker.exists() and (not base.is_dir() or any(base.iterdir())):
        raise UsageError(
            "is there already, and no demo made it", where=str(base), hint="choose another folder with --dir"
        )
    base.mkdir(parents=True, exist_ok=True)
    marker.write_text(
        "Made by `barograph demo`, which empties feeds/ and data/ when it runs again.\n", encoding="utf-8"
    )
    for name in ("feeds", "data"):
        shutil.rmtree(base / name, ignore_errors=True)


def _step(number: int, title: str) -> None:
    from barograph.faces.cli import render

    render.say("")
    render.say(render.Cell(f"{number}. {title}", render.STRONG))


def _simulate(base: Path, days: int, seed: int) -> SimulatedNetwork:
    from barograph.faces.cli import render
    from barograph.simulate import simulate

    _step(1, "A network of weather stations (simulated)")
    made = simulate(base / "feeds", start=START, days=days, seed=seed, faults=FAULTS)
    names = ", ".join(station.name or station.station_id for station in made.stations)
    render.say(f"{render.count(len(made.stations), 'station')}: {names}")
    files = ", ".join(path.name for path in made.files)
    render.say(f"{render.count(days, 'day')} of exports in {made.out_dir}: {files}")
    render.say(f"{len(made.faults)} faults were hidden in them, as they happen in real exports:")
    for fault in made.faults:
        render.say(f"  - {fault.station_id}: {fault.done}")
    return made


def _run(app: App) -> None:
    from barograph.faces.cli import render
    from barograph.faces.cli.report import show_objects, show_rejections
    from barograph.pipeline import run

    _step(2, "The nightly job pulls the exports onto a landing zone and stores what they say")
    with app.job(quiet=not sys.stderr.isatty()) as job:
        report = run(job)
    show_objects(report)
    counts = report.reports
    render.say("")
    render.say(
        render.Cell(f"{render.number(counts.new)} reports stored", render.GOOD),
        f", {render.count(counts.rejected, 'row')} rejected, in {render.duration(report.finished - report.started)}. ",
        "Each rejection tells its place and its reason:",
    )
    show_rejections(report.rejections)
    render.say("A real job would exit with 3 for these; here they were expected, so the demo goes on.")


def _show(app: App, base: Path, made: SimulatedNetwork, day: date) -> None:
    from barograph.faces.cli import render, reports
    from barograph.plot import plot
    from barograph.query import Query

    _step(3, "A day of a station, in the station's own time, in metric units")
    render.command_line(f"$ {_line(app, 'query', STATION, day.isoformat())}")
    with app.store() as store:
        questions = Query(store)
        stored = questions.station(STATION)
        span = questions.span(STATION, day.isoformat())
        frame = questions.reports(STATION, span)
    reports.title(stored.station, span)
    reports.show(frame.slice(max(0, frame.height // 2), SHOWN_ROWS), stored.station.timezone or "UTC")
    render.say(f"… {reports.summary(frame, span, span.timezone)}")
    _show_impossible(app, made)
    picture = base / "day.png"
    if find_spec("matplotlib") is None:
        render.say("A plot would be drawn too, with matplotlib: pip install 'barograph[plot]'")
    else:
        plot(frame, stored.station, span, path=picture)
        render.say("The same day as a picture: ", render.Cell(str(picture), render.STRONG))


def _show_impossible(app: App, made: SimulatedNetwork) -> None:
    """The value that was made impossible, as the record has it."""
    from barograph.faces.cli import render, reports
    from barograph.model import iso
    from barograph.query import Query

    fault = next((fault for fault in made.faults if fault.name == "impossible"), None)
    if fault is None or fault.utc_time is None:
        return
    render.say("")
    render.say("What is outside of the possible is stored as it was reported, and marked:")
    around = timedelta(minutes=6)
    first, last = iso(fault.utc_time - around), iso(fault.utc_time + around)
    words = ("query", fault.station_id, first, last, "--variables", "temperature,dew_point,humidity")
    render.command_line(f"$ {_line(app, *words)}")
    with app.store() as store:
        questions = Query(store)
        zone = questions.station(fault.station_id).station.timezone or "UTC"
        span = questions.span(fault.station_id, first, last)
        frame = questions.reports(fault.station_id, span, variables=words[-1].split(","))
    reports.show(frame, zone)
    render.say("")


def _prove(app: App) -> None:
    from barograph.faces.cli import render
    from barograph.faces.cli.report import show_verify
    from barograph.pipeline import run, verify

    _step(4, "The job again: nothing is new, nothing stands there twice")
    quiet = not sys.stderr.isatty()
    with app.job(quiet=quiet) as job:
        counts = run(job).reports
    names = ("new", "changed", "unchanged", "rejected")
    render.say(", ".join(f"{getattr(counts, name)} {name}" for name in names))
    _step(5, "The proof: the landing zone decoded again, and held against the record value by value")
    with app.job(quiet=quiet) as job:
        proof = verify(job)
    show_verify(proof)


def _farewell(app: App, base: Path, day: date) -> None:
    from barograph.faces.cli import render

    _step(6, "What is where")
    where = [
        ("exports, and what is true of them", base / "feeds"),
        ("configuration", base / "feeds" / "barograph.toml"),
        ("landing zone (source of truth)", base / "data" / "landing"),
        ("record (SQLite)", base / "data" / "meteo.db"),
    ]
    for name, path in where:
        render.say(f"  {name:<34} {path}")
    render.say("")
    render.say(render.Cell("Try next", render.STRONG))
    highest = "SELECT station_id, MAX(temperature) FROM reports GROUP BY station_id"
    for words in (
        ("status",),
        ("stations",),
        ("query", "ILAMAD25", day.isoformat(), "--variables", "temperature,wind_gust"),
        ("logs", "--type", "error"),
        ("sql", highest),
        ("export", "--output", str(base / "meteo.csv")),
    ):
        render.command_line(f"  {_line(app, *words)}")
    render.say("Your own stations: ", render.Cell("barograph init", render.STRONG))


def _line(app: App, *words: str) -> str:
    return f"{app.prefix} {shlex.join(words)}"
