"""The command `completeness`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click

from barograph.errors import UsageError
from barograph.faces.cli.command import App, command, json_option, pass_app
from barograph.faces.cli.complete import station_ids

BELOW: Final = 3
"""The exit code where a station is below --min."""

_DATE: Final = re.compile(r"\d{4}(-\d{2}){0,2}|\d{4}-\d{2}-\d{2}[T ].*")


@command(
    "completeness",
    examples=[
        ("barograph completeness", "all stations, the last 30 days"),
        ("barograph completeness IICHTE19 2024-10", "a station's month"),
        ("barograph completeness 2024-10-01 2024-10-07 --plot week.png", "a week of all stations, as a picture"),
        ("barograph completeness 07015 00052 2024 --min 0.95 --json", "for a script: exits 3 below 95 %"),
    ],
)
@click.argument("words", metavar="[STATION]... [FROM] [TO]", nargs=-1, shell_complete=station_ids)
@click.option("--all", "every_day", is_flag=True, help="List the complete days too.")
@click.option(
    "--interval",
    metavar="MINUTES",
    type=click.FloatRange(min=0, min_open=True),
    help="Minutes from one report to the next, over the configuration and over what the record shows.",
)
@click.option(
    "--late",
    "late_hours",
    metavar="HOURS",
    type=click.FloatRange(min=0),
    default=48.0,
    show_default=True,
    help="A report that was extracted so long after its instant was received late.",
)
@click.option(
    "--min",
    "least",
    metavar="SHARE",
    type=click.FloatRange(0, 1),
    help="Exit with 3 where a station has received less than this share, 0 to 1.",
)
@click.option("--plot", "picture", metavar="FILE", help="Draw a calendar: a .png or a .svg.")
@click.option("--utc", is_flag=True, help="Take days as UTC days, not as each station's.")
@json_option
@pass_app
def completeness(  # noqa: PLR0913 - click passes each option by its name
    app: App,
    *,
    words: tuple[str, ...],
    every_day: bool,
    interval: float | None,
    late_hours: float,
    least: float | None,
    picture: str | None,
    utc: bool,
    as_json: bool,
) -> None:
    """Show which reports are missing, and why.

    How many reports came of those that were due, per station and local day, and the cause of each gap. FROM and TO are
    days, months or years (2024-10-01, 2024-10, 2024), TO included; FROM alone takes the one that it names. Without
    them: the last 30 days, or the 30 up to the newest report where that is older. A report is due once per interval
    ([stations.ID] interval, else the most frequent spacing in the record), from the station's first report on and
    until now.

    A gap is of one of four causes. source had none: it was asked later, and what it said holds no such report. sync
    failed: the source was to be asked, and could not be read. rejected: there was a row, and it was refused (`barograph
    logs --type error`). late: nothing has asked for it yet.
    """
    from barograph.faces.cli import completeness_report as report
    from barograph.query import Query
    from barograph.query import completeness as ask

    stations, first, last = _split(words)
    with app.store() as store:
        chosen = Query(store).stations()
        known = {stored.station.station_id: stored.station for stored in chosen}
        intervals: dict[str, float] = {key: value for key, value in app.settings.intervals.items() if key in known}
        if interval is not None:
            intervals = dict.fromkeys(known, interval)
        frame = ask(store, stations or None, first, last, utc=utc, intervals=intervals, late_hours=late_hours)
    told = [known[station_id] for station_id in frame.get_column("station_id").unique(maintain_order=True)]
    if picture is not None:
        from barograph.plot import plot_calendar

        plot_calendar(frame, told, path=Path(picture).expanduser())
        click.echo(f"{picture} written", err=True)
    if as_json:
        report.write_json(frame)
    else:
        report.show(frame, told, every_day=every_day, utc=utc)
    if least is not None and (below := report.below(frame, least)):
        click.echo(f"below {least:g}: {', '.join(below)}", err=True)
        raise click.exceptions.Exit(BELOW)


def _split(words: tuple[str, ...]) -> tuple[list[str], str | None, str | None]:
    """Stations, FROM and TO: up to two dates, which come last."""
    dates = [word for word in words[-2:] if _DATE.fullmatch(word)]
    if len(words) > 1 and len(dates) == 1 and not _DATE.fullmatch(words[-1]):
        raise UsageError(f"{words[-1]!r} stands after a date", where="STATION FROM TO", hint="stations come first")
    stations = list(words[: len(words) - len(dates)])
    if stray := next((word for word in stations if _DATE.fullmatch(word)), None):
        raise UsageError(f"{stray!r} is one date too many", where="FROM TO", hint="there is a FROM and a TO")
    return stations, dates[0] if dates else None, dates[1] if len(dates) > 1 else None
