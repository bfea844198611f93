"""The demo: a simulated network from its exports to a plot, offline, in one command."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from barograph.errors import UsageError
from barograph.faces.cli.command import command

if TYPE_CHECKING:
    from barograph.faces.cli.demo_steps import Stage

FOLDERS: Final = {False: "barograph-demo", True: "barograph-demo-mongodb"}
MARKER: Final = ".barograph-demo"


@command(
    "demo",
    examples=[
        ("barograph demo", "in ./barograph-demo"),
        ("barograph demo --dir my-demo --days 30", "a month, elsewhere"),
        ("barograph demo --mongodb", "the same on a MongoDB replica set of three, in ./barograph-demo-mongodb"),
    ],
)
@click.option("--mongodb", is_flag=True, help="Store in a local MongoDB replica set instead of SQLite.")
@click.option("--dir", "folder", metavar="DIR", help=f"Where to; default {FOLDERS[False]}, or {FOLDERS[True]}.")
@click.option("--days", metavar="N", type=click.IntRange(min=1), default=7, show_default=True, help="How many days.")
@click.option(
    "--seed", metavar="N", type=int, default=1, show_default=True, help="The same seed gives the same weather."
)
def demo(*, mongodb: bool, folder: str | None, days: int, seed: int) -> None:
    """Show everything on a simulated network, offline.

    Writes a week of exports of six stations with a few faults in them, runs the job, shows a day, draws a plot, runs
    the job again, and proves the record. Ends with commands to try. Nothing outside of DIR is touched; running it
    again starts anew.

    With --mongodb the record is in a replica set of three members, which `barograph cluster` runs on this machine; it
    is down again in the end, also when the demo fails or is interrupted.
    """
    from barograph.faces.cli.demo_steps import START, Stage

    stage = Stage.on(Path(folder or FOLDERS[mongodb]).expanduser())
    day = START + timedelta(days=min(1, days - 1))
    (_on_mongodb if mongodb else _on_sqlite)(stage, days, seed, day)


def _on_sqlite(stage: Stage, days: int, seed: int, day: date) -> None:
    from barograph.faces.cli import demo_steps as steps

    _claim(stage.base)
    feeds = steps.simulate_network(stage, days, seed)
    steps.run_job(stage)
    steps.show_day(stage, feeds, day)
    steps.run_again(stage)
    steps.prove(stage)
    steps.say_goodbye(stage, day, ("record (SQLite)", stage.base / "data" / "meteo.db"))


def _on_mongodb(stage: Stage, days: int, seed: int, day: date) -> None:
    from barograph.faces.cli import demo_mongodb
    from barograph.faces.cli import demo_steps as steps
    from barograph.ops.mongod import find_mongod

    # Said before anything is made.
    find_mongod()
    _claim(stage.base)
    feeds = steps.simulate_network(stage, days, seed)
    demo_mongodb.name_the_store(feeds.config)
    with demo_mongodb.replica_set(stage):
        steps.run_job(stage)
        demo_mongodb.show_members(stage)
        steps.show_day(stage, feeds, day)
        steps.run_again(stage)
        steps.prove(stage)
    record = ("record (MongoDB)", demo_mongodb.folder_of(stage.base))
    steps.say_goodbye(stage, day, record, before=demo_mongodb.UP, after=demo_mongodb.DOWN)


def _claim(base: Path) -> None:
    """Make the folder, or empty the one that an earlier demo made."""
    from barograph.faces.cli.demo_mongodb import remove_earlier

    marker = base / MARKER
    if base.exists() and not marker.exists() and (not base.is_dir() or any(base.iterdir())):
        raise UsageError(
            "is there already, and no demo made it", where=str(base), hint="choose another folder with --dir"
        )
    base.mkdir(parents=True, exist_ok=True)
    marker.write_text(
        "Made by `barograph demo`, which empties feeds/ and data/ when it runs again.\n", encoding="utf-8"
    )
    remove_earlier(base)
    for name in ("feeds", "data"):
        shutil.rmtree(base / name, ignore_errors=True)
