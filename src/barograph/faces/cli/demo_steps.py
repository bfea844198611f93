"""The steps of the demo that are the same for every store."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from barograph.faces.cli.command import App

if TYPE_CHECKING:
    from barograph.simulate import SimulatedNetwork

START: Final = date(2024, 10, 1)
STATION: Final = "IICHTE19"
FAULTS: Final = ("unparsable", "time", "conflict", "impossible")
"""Three rows that cannot be taken, and one value that is stored with a flag."""
SHOWN_ROWS: Final = 5


@dataclass(slots=True)
class Stage:
    """A demo as it goes: its folder, the application on it, and how many steps were shown."""

    base: Path
    app: App
    steps: int = 0

    @classmethod
    def on(cls, base: Path) -> Stage:
        """A demo in a folder."""
        return cls(base, App(config=str(base / "feeds" / "barograph.toml"), data_dir=str(base / "data")))

    def step(self, title: str) -> None:
        """Begin the next step."""
        from barograph.faces.cli import render

        self.steps += 1
        render.say("")
        render.say(render.Cell(f"{self.steps}. {title}", render.STRONG))

    def line(self, *words: str) -> str:
        """A command on this demo, to be pasted."""
        return f"{self.app.prefix} {shlex.join(words)}"

    @property
    def quiet(self) -> bool:
        """Whether nobody watches the progress."""
        return not sys.stderr.isatty()


def simulate_network(stage: Stage, days: int, seed: int) -> SimulatedNetwork:
    """A week of exports with faults in them."""
    from barograph.faces.cli import render
    from barograph.simulate import simulate

    stage.step("A network of weather stations (simulated)")
    made = simulate(stage.base / "feeds", start=START, days=days, seed=seed, faults=FAULTS)
    names = ", ".join(station.name or station.station_id for station in made.stations)
    render.say(f"{render.count(len(made.stations), 'station')}: {names}")
    files = ", ".join(path.name for path in made.files)
    render.say(f"{render.count(days, 'day')} of exports in {made.out_dir}: {files}")
    render.say(f"{len(made.faults)} faults were hidden in them, as they happen in real exports:")
    for fault in made.faults:
        render.say(f"  - {fault.station_id}: {fault.done}")
    return made


def run_job(stage: Stage) -> None:
    """The first run, and what it rejects."""
    from barograph.faces.cli import render
    from barograph.faces.cli.report import show_objects, show_rejections
    from barograph.pipeline import run

    stage.step("The nightly job pulls the exports onto a landing zone and stores what they say")
    with stage.app.job(quiet=stage.quiet) as job:
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


def show_day(stage: Stage, made: SimulatedNetwork, day: date) -> None:
    """A day in the station's own time, what is impossible in it, and a picture."""
    from barograph.faces.cli import render, reports
    from barograph.plot import plot
    from barograph.query import Query

    stage.step("A day of a station, in the station's own time, in metric units")
    render.command_line(f"$ {stage.line('query', STATION, day.isoformat())}")
    with stage.app.store() as store:
        questions = Query(store)
        stored = questions.station(STATION)
        span = questions.span(STATION, day.isoformat())
        frame = questions.reports(STATION, span)
    reports.title(stored.station, span)
    reports.show(frame.slice(max(0, frame.height // 2), SHOWN_ROWS), stored.station.timezone or "UTC")
    render.say(f"… {reports.summary(frame, span, span.timezone)}")
    _show_impossible(stage, made)
    picture = stage.base / "day.png"
    if find_spec("matplotlib") is None:
        render.say("A plot would be drawn too, with matplotlib: pip install 'barograph[plot]'")
    else:
        plot(frame, stored.station, span, path=picture)
        render.say("The same day as a picture: ", render.Cell(str(picture), render.STRONG))


def _show_impossible(stage: Stage, made: SimulatedNetwork) -> None:
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
    render.command_line(f"$ {stage.line(*words)}")
    with stage.app.store() as store:
        questions = Query(store)
        zone = questions.station(fault.station_id).station.timezone or "UTC"
        span = questions.span(fault.station_id, first, last)
        frame = questions.reports(fault.station_id, span, variables=words[-1].split(","))
    reports.show(frame, zone)
    render.say("")


def run_again(stage: Stage) -> None:
    """The second run, in which nothing happens."""
    from barograph.faces.cli import render
    from barograph.pipeline import run

    stage.step("The job again: nothing is new, nothing stands there twice")
    with stage.app.job(quiet=stage.quiet) as job:
        counts = run(job).reports
    names = ("new", "changed", "unchanged", "rejected")
    render.say(", ".join(f"{getattr(counts, name)} {name}" for name in names))


def prove(stage: Stage) -> None:
    """The record held against the landing zone."""
    from barograph.faces.cli.report import show_verify
    from barograph.pipeline import verify

    stage.step("The proof: the landing zone decoded again, and held against the record value by value")
    with stage.app.job(quiet=stage.quiet) as job:
        proof = verify(job)
    show_verify(proof)


def say_goodbye(
    stage: Stage,
    day: date,
    record: tuple[str, Path],
    *,
    before: Sequence[Sequence[str]] = (),
    after: Sequence[Sequence[str]] = (),
) -> None:
    """What is where, and commands to try; those `before` make the others possible, those `after` end it."""
    from barograph.faces.cli import render

    stage.step("What is where")
    where = [
        ("exports, and what is true of them", stage.base / "feeds"),
        ("configuration", stage.base / "feeds" / "barograph.toml"),
        ("landing zone (source of truth)", stage.base / "data" / "landing"),
        record,
    ]
    for name, path in where:
        render.say(f"  {name:<34} {path}")
    render.say("")
    render.say(render.Cell("Try next", render.STRONG))
    highest = "SELECT station_id, MAX(temperature) FROM reports GROUP BY station_id"
    for words in (
        *before,
        ("status",),
        ("stations",),
        ("query", "ILAMAD25", day.isoformat(), "--variables", "temperature,wind_gust"),
        ("logs", "--type", "error"),
        ("sql", highest),
        ("export", "--output", str(stage.base / "meteo.csv")),
        *after,
    ):
        render.command_line(f"  {stage.line(*words)}")
    render.say("Your own stations: ", render.Cell("barograph init", render.STRONG))
