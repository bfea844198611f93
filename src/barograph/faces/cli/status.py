"""One screen about the whole: the last run, the connections, the stations, what is wrong and what mends it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from barograph.faces.cli.command import App, command, json_option, pass_app

if TYPE_CHECKING:
    from barograph.ops.status import Status

EXIT_CODES: Final = {"ok": 0, "failed": 1, "attention": 3}


@command(
    "status",
    examples=[
        ("barograph status", "one screen"),
        ("barograph status --all", "with every connection and station"),
        ("barograph status --max-age 36", "and every station must have reported within 36 hours"),
        ("barograph status --json | jq -r '.problems[].command'", "what mends it, for a script"),
    ],
)
@click.option("--max-age", metavar="HOURS", type=click.FloatRange(min=0), help="A station's last report may be so old.")
@click.option("--all", "everything", is_flag=True, help="List every connection, station and failed object.")
@json_option
@pass_app
def status(app: App, *, max_age: float | None, everything: bool, as_json: bool) -> None:
    """Tell what is wrong, if anything, and what mends it.

    The last run and its result; the store, for MongoDB its replica set; the last backup and the last restore drill that
    succeeded; free space; each connection with its state and when it is due; each station with its last report and how
    complete yesterday and the seven days up to it are (local days). Of many, those that need attention are shown and
    the rest is counted. What cannot be reached within some seconds is named, and the rest is told all the same.

    A connection with a schedule is late when its last sync is older than that allows: `daily`, 26 hours; a cron
    expression, when a due time has passed by one interval (10 minutes at least, two hours at most). Where a connection
    has a schedule, a station is silent after 36 hours; --max-age says otherwise. A backup may be 50 hours old, a drill
    15 days, and 2 GB must be free.

    Exits with 0 when all is well, 3 when something needs attention, 1 when the last run failed altogether or the store
    cannot be read.
    """
    from barograph.faces.cli import render
    from barograph.faces.cli.status_report import show

    found = collect(app, max_age)
    if as_json:
        render.json(found.as_dict())
    else:
        show(found, everything=everything)
    if code := EXIT_CODES[found.result]:
        raise click.exceptions.Exit(code)


def collect(app: App, max_age: float | None = None) -> Status:
    """Look at the configuration and the store."""
    from barograph.ops.status import collect as look

    limit = None if max_age is None else timedelta(hours=max_age)
    return look(app.settings, prefix=app.prefix, max_age=limit)
