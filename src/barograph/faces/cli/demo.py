"""The demo: a simulated network from its exports to a plot, offline, in one command."""

from __future__ import annotations

import shlex
import shutil
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from barograph.errors import UsageError
from barograph.faces.cli.command import App, command

if TYPE_CHECKING:
    from barograph.faces.cli.report import RunReport
    from barograph.pipeline import VerifyReport
    from barograph.simulate import SimulatedNetwork
    from barograph.store.base import Store

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
        ("barograph demo --dir /tmp/demo --days 30", "a month, elsewhere"),
    ],
)
@click.option("--dir", "folder", metavar="DIR", default="barograph-demo", show_default=True, help="Where to.")
@click.option("--days", metavar="N", type=click.IntRange(min=1), default=7, show_default=True, help="How many days.")
@click.option("--seed", metavar="N", type=int, default=1, show_default=True, help="The same seed gives the same weather.")
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
    _show(app, base, day)
    _again(app)
    _verify(app)
    _farewell(app, base, day)


def _claim(base: Path) -> None:
    """Make the folder, or empty the one that an earlier demo made."""
    marker = base / MARKER
    if base.exists() and not marker.exists() and (not base.is_dir() or any(base.iterdir())):
        raise UsageError("is there already, and no demo made it", where=str(base), hint="choose another folder with --dir")
    base.mkdir(parents=True, exist_ok=True)
    marker.write_text("Made by `barograph demo`, which empties feeds/ and data/ when it runs again.\n", encoding="utf-8")
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


def _run(app: App) -> RunReport:
    from barograph.faces.cli import render
    from barograph.faces.cli.report import show_rejections, show_run_objects
    from barograph.pipeline import run

    _step(2, "The nightly job: pull the exports, store what they say, reject what cannot be")
    with app.job(quiet=True) as job:
        report = run(job)
    return report
