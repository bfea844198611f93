"""Questions to the record: query, sql, access-time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from barograph.faces.cli.command import App, command, json_option, pass_app
from barograph.faces.cli.complete import split_names, station_ids, stations_option, variable_names

if TYPE_CHECKING:
    import polars as pl


@command(
    "query",
    examples=[
        ("barograph query IICHTE19 2024-10-01", "a local day (23, 24 or 25 hours)"),
        ("barograph query IICHTE19 2024-10-01 2024-10-07 --utc", "UTC days, the last one included"),
        ("barograph query ILAMAD25 2024-10-01T06:00 2024-10-01T12:00", "between two local times, the second excluded"),
        ("barograph query 07015 2024-10 --variables temperature,pressure --json", "a month, for a script"),
    ],
)
@click.argument("station", metavar="STATION", shell_complete=station_ids)
@click.argument("first", metavar="DATE|FROM")
@click.argument("last", metavar="[TO]", required=False)
@click.option("--utc", is_flag=True, help="Take days as UTC days, not as the station's.")
@click.option(
    "--variables", metavar="A,B,…", help="Only these, for example temperature,pressure.", shell_complete=variable_names
)
@click.option("--provenance", is_flag=True, help="Show from which object and line each report comes.")
@json_option
@pass_app
def query(
    app: App,
    *,
    station: str,
    first: str,
    last: str | None,
    utc: bool,
    variables: str | None,
    provenance: bool,
    as_json: bool,
) -> None:
    """Show a station's reports of a day or of a span.

    DATE is a day (2024-10-01), a month (2024-10) or a year (2024); FROM and TO are two of these, or two times. Without
    an offset or a Z they are the station's local days and times. A value that a quality test doubts is marked: `!` is
    not possible here, `?` is suspect; it stands as it was reported.
    """
    from barograph.faces.cli import render, reports
    from barograph.query import Query

    wanted = split_names(variables)
    with app.store() as store:
        questions = Query(store)
        stored = questions.station(station)
        span = questions.span(station, first, last, utc=utc)
        frame = questions.reports(station, span, variables=wanted, provenance=provenance)
    if as_json:
        reports.write_json(frame, stored.station, span)
    elif frame.is_empty():
        click.echo(reports.nothing_found(stored.station, stored.summary, span), err=True)
    else:
        zone = stored.station.timezone or "UTC"
        reports.title(stored.station, span)
        render.say("")
        reports.show(frame, zone, provenance=provenance)
        render.say(reports.summary(frame, span, span.timezone))


@command(
    "sql",
    examples=[
        (
            'barograph sql "SELECT station_id, MAX(temperature) FROM reports GROUP BY station_id"',
            "the highest temperature of each station",
        ),
        (
            'barograph sql "SELECT utc_time, wind_gust FROM reports WHERE wind_gust > 60" --from 2024-10',
            "strong gusts of a month",
        ),
        ('barograph sql "SELECT * FROM stations"', "the stations"),
    ],
)
@click.argument("statement", metavar="SELECT")
@click.option("--from", "first", metavar="DATE", help="Only reports from this day, month, year or time on.")
@click.option("--to", "last", metavar="DATE", help="Only reports up to this day (included) or time (excluded).")
@stations_option
@click.option("--utc", is_flag=True, help="Take days as UTC days, not as each station's.")
@json_option
@pass_app
def sql(
    app: App,
    *,
    statement: str,
    first: str | None,
    last: str | None,
    stations: tuple[str, ...],
    utc: bool,
    as_json: bool,
) -> None:
    """Ask the record anything, in SQL.

    The tables are `reports` (station_id, utc_time, the variables, and `<variable>_flag`: null, 3 suspect, 4 not
    possible) and `stations`. The dialect is that of polars; it works alike over SQLite and MongoDB. Instants are
    written as '2024-10-01T06:00:00Z'. --from, --to and --station bound what is read at all; --from alone takes the one
    day, month or year that it names.
    """
    from barograph.faces.cli import render
    from barograph.query import Query
    from barograph.query import sql as ask

    with app.store() as store:
        questions = Query(store)
        answer = ask(questions, statement, questions.spans(stations or None, first, last, utc=utc))
    rows = _plain(answer)
    if as_json:
        render.json([dict(zip(answer.columns, row, strict=True)) for row in rows])
        return
    numeric = [dtype.is_numeric() for dtype in answer.dtypes]
    heads = [render.Column(name, right=right) for name, right in zip(answer.columns, numeric, strict=True)]
    render.table(heads, [["-" if value is None else str(value) for value in row] for row in rows])
    if not rows:
        click.echo("no rows", err=True)
    elif render.is_terminal():
        render.say(render.Cell(render.count(len(rows), "row"), render.QUIET))


def _plain(answer: pl.DataFrame) -> list[list[Any]]:
    """Rows with instants and days as ISO 8601 texts."""
    from datetime import datetime

    from barograph.model import iso

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return iso(value) if value.tzinfo else value.isoformat()
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return value if value is None or isinstance(value, int | float | str) else str(value)

    return [[plain(value) for value in row] for row in answer.iter_rows()]


@command(
    "access-time",
    examples=[
        ("barograph access-time IICHTE19 2024-10-01", "a day, 100 times"),
        ("barograph access-time IICHTE19 2024 --repeat 20", "a year"),
    ],
)
@click.argument("station", metavar="STATION", shell_complete=station_ids)
@click.argument("first", metavar="DATE|FROM")
@click.argument("last", metavar="[TO]", required=False)
@click.option("--repeat", metavar="N", type=click.IntRange(min=1), default=100, show_default=True, help="How often.")
@click.option("--utc", is_flag=True, help="Take days as UTC days, not as the station's.")
@json_option
@pass_app
def access_time(app: App, *, station: str, first: str, last: str | None, repeat: int, utc: bool, as_json: bool) -> None:
    """Measure how long a span of reports takes to be at hand.

    Each round asks the store for the span and decodes it into a DataFrame, flags included, with the store open; the
    first round, which may find nothing in any cache, is told apart. Beside it: the time to the first stored document,
    what is fetched, and the plan by which the store finds it (MongoDB: explain, SQLite: EXPLAIN QUERY PLAN). The time
    in which a lazy cursor is returned, often quoted as access time, is told as what it is: nothing was fetched by then.
    """
    from barograph.faces.cli import access
    from barograph.query import Query
    from barograph.query import access_time as measure

    with app.store() as store:
        span = Query(store).span(station, first, last, utc=utc)
        found = measure(store, station, span, rounds=repeat)
        url = store.url
    if as_json:
        access.write_json(found, station, span, url)
    else:
        access.show(found, station, span, url)
