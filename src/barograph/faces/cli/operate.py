"""What an operator looks at: stations, runs, logs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from barograph.faces.cli.command import App, command, json_option, pass_app

if TYPE_CHECKING:
    from barograph.store.base import LogQuery

_AnyCallable = TypeVar("_AnyCallable", bound=Callable[..., Any])

NOTHING_YET: Final = "nothing yet: `barograph run` fills the record"


def _limit(default: int) -> Callable[[_AnyCallable], _AnyCallable]:
    kind = click.IntRange(min=0)
    return click.option("--limit", metavar="N", type=kind, default=default, show_default=True, help="How many; 0: all.")


@command(
    "stations",
    examples=[
        ("barograph stations", "all of them"),
        ("barograph stations --json | jq -r '.[].station_id'", "their ids, for a script"),
    ],
)
@json_option
@pass_app
def stations(app: App, *, as_json: bool) -> None:
    """List the stations, and what the record holds of each.

    Position (degrees, WGS 84), elevation in metres, timezone, number of reports, first and last report in UTC, and the
    licence of the data, as the feeds and the configuration say.
    """
    from dataclasses import asdict

    from barograph.faces.cli import render
    from barograph.model import iso
    from barograph.query import Query

    found = []
    if app.has_store():
        with app.store() as store:
            found = Query(store).stations()
    if as_json:
        render.json(
            [
                asdict(item.station)
                | {
                    "reports": item.summary.count,
                    "first": None if item.summary.first is None else iso(item.summary.first),
                    "last": None if item.summary.last is None else iso(item.summary.last),
                }
                for item in found
            ]
        )
        return
    column = render.Column
    render.table(
        [
            "id",
            "name",
            column("city", drop=4),
            column("position", drop=1),
            column("elev.", right=True, drop=3),
            column("timezone", drop=2),
            column("reports", right=True),
            "first",
            "last",
            column("licence", wrap=True, drop=5),
        ],
        [
            (
                item.station.station_id,
                item.station.name or "",
                item.station.city or "",
                _position(item.station.latitude, item.station.longitude),
                "" if item.station.elevation is None else f"{item.station.elevation} m",
                item.station.timezone or "",
                render.number(item.summary.count),
                render.minute(item.summary.first),
                render.minute(item.summary.last),
                item.station.license_info or "",
            )
            for item in found
        ],
    )
    if not found:
        click.echo(NOTHING_YET, err=True)


def _position(latitude: float | None, longitude: float | None) -> str:
    return "" if latitude is None or longitude is None else f"{latitude:.3f}, {longitude:.3f}"


@command(
    "runs",
    examples=[
        ("barograph runs", "the last 20"),
        ("barograph runs --limit 1 --json", "the last one, with its objects and rejections"),
    ],
)
@_limit(20)
@json_option
@pass_app
def runs(app: App, *, limit: int, as_json: bool) -> None:
    """List the runs of the job, newest first.

    Each with its command, how long it took, what it stored, and how it ended. With --json a run carries its
    connections, its objects and up to 1,000 of its rejections.
    """
    from barograph.faces.cli import render
    from barograph.faces.cli.report import state

    found: list[dict[str, Any]] = []
    if app.has_store():
        with app.store() as store:
            found = store.runs(limit)
    if as_json:
        render.json(found)
        return
    names = ("new", "changed", "unchanged", "rejected")
    rows = []
    for run in found:
        began, ended = (datetime.fromisoformat(run[key]) for key in ("started", "finished"))
        failed = sum(bool(item.get("error")) for item in (*run.get("connections", ()), *run.get("objects", ())))
        rows.append(
            (
                run["run_id"],
                run["command"],
                render.instant(began),
                render.duration(ended - began),
                state(run["status"]),
                *(render.number(run["reports"][name]) for name in names),
                render.number(failed),
            )
        )
    columns = [render.Column(name, right=True) for name in (*names, "failed")]
    # The run's id begins with the time at which it started.
    started, took = render.Column("started", drop=2), render.Column("time", right=True, drop=1)
    render.table(["run", "command", started, took, "status", *columns], rows)
    if not rows:
        click.echo(NOTHING_YET, err=True)


@command(
    "logs",
    examples=[
        ("barograph logs", "the last 50 entries"),
        ("barograph logs --type error --run last --limit 0", "every error and rejection of the last run"),
        ("barograph logs --type error --json | jq -r '.[].msg'", "for a script"),
    ],
)
@click.option("--type", "kind", metavar="TYPE", help="Only info, warning or error; a rejection is an error.")
@click.option("--run", "run_id", metavar="ID", help="Only of this run; `last` is the last one.")
@_limit(50)
@json_option
@pass_app
def logs(app: App, *, kind: str | None, run_id: str | None, limit: int, as_json: bool) -> None:
    """Show what the runs logged, newest first.

    Every rejected row, every assumption and every failure stands here, with its object, sheet or line, column and raw
    value (in full with --json). A fact that a later run finds again is logged once, under the run that found it first.
    """
    from barograph.faces.cli import render
    from barograph.model import iso
    from barograph.store.base import LogQuery

    found = []
    if app.has_store():
        with app.store() as store:
            if run_id == "last":
                run_id = next((run["run_id"] for run in store.runs(1)), None)
            wanted: LogQuery = LogQuery(type=kind, run_id=run_id, limit=limit)
            found = store.logs(wanted)
    if as_json:
        render.json(
            [
                {
                    "id": item.log_id,
                    "timestamp": iso(item.timestamp),
                    "type": item.type,
                    "msg": item.msg,
                    "context": item.context,
                }
                for item in found
            ]
        )
        return
    styles = {"error": render.BAD, "warning": render.ODD}
    render.table(
        ["time", "type", render.Column("message", wrap=True)],
        [
            (f"{item.timestamp:%Y-%m-%d %H:%M:%SZ}", render.Cell(item.type, styles.get(item.type, "")), item.msg)
            for item in found
        ],
    )
    if not found:
        click.echo("no log entries", err=True)
