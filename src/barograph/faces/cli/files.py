"""The record as files: export, plot."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from barograph.errors import UsageError
from barograph.faces.cli.command import App, command, pass_app
from barograph.faces.cli.complete import split_names, station_ids, stations_option, variable_names

FORMATS = ("csv", "parquet", "json")


@command(
    "export",
    examples=[
        ("barograph export --output meteo.csv", "the whole record"),
        (
            "barograph export --station IICHTE19 --from 2024-10-01 --to 2024-10-07 --output week.parquet",
            "a station's week as Parquet",
        ),
        ("barograph export --from 2024-10 --format json | jq length", "a month, for a script"),
    ],
)
@click.option(
    "--format",
    "form",
    metavar="|".join(FORMATS),
    type=click.Choice(FORMATS),
    help="Default: as --output ends, else csv.",
)
@click.option("--output", "-o", metavar="FILE", help="Where to; default (or -): stdout.")
@click.option("--from", "first", metavar="DATE", help="From this day, month, year or time on; alone, only that.")
@click.option("--to", "last", metavar="DATE", help="Up to this day (included) or time (excluded).")
@stations_option
@click.option("--utc", is_flag=True, help="Take days as UTC days, not as each station's.")
@click.option("--flags", is_flag=True, help="Add the columns <variable>_flag (3 suspect, 4 not possible).")
@pass_app
def export(
    app: App,
    *,
    form: str | None,
    output: str | None,
    first: str | None,
    last: str | None,
    stations: tuple[str, ...],
    utc: bool,
    flags: bool,
) -> None:
    """Write reports to a file: CSV, Parquet or JSON.

    Columns are station_id, utc_time (ISO 8601, Z), then every variable, whether observed or not, so that two exports
    have the same shape. What is not known is empty. Reports come by station, then time, in bounded memory; a file is
    replaced only when the export is whole.
    """
    from barograph.export import columns
    from barograph.export import export as write
    from barograph.faces.cli.render import count
    from barograph.query import Query

    target = None if output in (None, "-") else Path(str(output)).expanduser()
    chosen = form or _form_of(target)
    if target is None and chosen == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal", hint="name a file with --output")
    with app.store() as store:
        questions = Query(store)
        pieces = questions.scan(questions.spans(stations or None, first, last, utc=utc), columns=columns(flags=flags))
        rows = write(pieces, chosen, target or sys.stdout.buffer, flags=flags)
    if target is not None:
        click.echo(f"{count(rows, 'report')} written to {target}", err=True)


def _form_of(target: Path | None) -> str:
    suffix = "" if target is None else target.suffix.lstrip(".").lower()
    return suffix if suffix in FORMATS else "csv"


@command(
    "plot",
    examples=[
        ("barograph plot IICHTE19 2024-10-01 --output day.png", "a local day"),
        ("barograph plot IICHTE19 2024-10-01 2024-10-07 --output week.png", "a week"),
        ("barograph plot 07015 2024-10 --variables temperature,pressure -o month.png", "two variables of a month"),
    ],
)
@click.argument("station", metavar="STATION", shell_complete=station_ids)
@click.argument("first", metavar="DATE|FROM")
@click.argument("last", metavar="[TO]", required=False)
@click.option("--output", "-o", metavar="FILE", required=True, help="The PNG to write.")
@click.option("--utc", is_flag=True, help="Take days as UTC days, not as the station's.")
@click.option(
    "--variables", metavar="A,B,…", help="Only these, for example temperature,pressure.", shell_complete=variable_names
)
@pass_app
def plot(
    app: App, *, station: str, first: str, last: str | None, output: str, utc: bool, variables: str | None
) -> None:
    """Draw a station's reports as a PNG.

    One panel for each group of variables that is observed, on an axis of the station's local time; gaps stay gaps, and
    values that a quality test doubts are ringed. Needs matplotlib: `pip install 'barograph[plot]'`.
    """
    from barograph.plot import plot as draw
    from barograph.query import Query

    wanted = split_names(variables)
    with app.store() as store:
        questions = Query(store)
        stored = questions.station(station)
        span = questions.span(station, first, last, utc=utc)
        frame = questions.reports(station, span)
    path = Path(output).expanduser()
    draw(frame, stored.station, span, variables=wanted, path=path)
    click.echo(f"{path} written", err=True)
