"""The replica set behind the store: `barograph replica status`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from barograph.errors import UsageError
from barograph.faces.cli.command import App, group, json_option, pass_app
from barograph.model import iso

if TYPE_CHECKING:
    from barograph.faces.cli.render import Cell
    from barograph.ops.replica import Member, ReplicaStatus

EXIT_CODES: Final = {"healthy": 0, "degraded": 1, "no primary": 2, "unreachable": 2}
"""Verdict -> exit code."""
DEFAULT_MAX_LAG: Final = 10.0


@group("replica", examples=[("barograph replica status", "is every member there, and is a primary elected?")])
def replica() -> None:
    """Look at the MongoDB replica set behind the store.

    A set of three members takes writes as long as two of them see each other: losing one is degraded, losing two leaves
    no primary, and the job waits for `[store] patience` before it gives up.
    """


@replica.part(
    "status",
    examples=[
        ("barograph replica status", "the configured store's set"),
        ("barograph --store 'mongodb://db1,db2,db3/?replicaSet=rs0' replica status --watch 5", "look every 5 s"),
        ("barograph replica status --json | jq -r '.members[] | [.name, .state, .lag_s] | @tsv'", "for a script"),
    ],
)
@click.option("--watch", metavar="SECONDS", type=click.FloatRange(min=0.1), help="Look again and again, until Ctrl-C.")
@click.option(
    "--max-lag",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=DEFAULT_MAX_LAG,
    show_default=True,
    help="A secondary may be so far behind.",
)
@json_option
@pass_app
def status(app: App, *, watch: float | None, max_lag: float, as_json: bool) -> None:
    """Tell each member's state, how far it is behind, and whether the set is healthy.

    Shows the set's name and date, and of each member: state, health, uptime, lag behind the primary (without one:
    behind the freshest member), sync source, priority. The database user needs the cluster rights replSetGetStatus and
    replSetGetConfig; without them, and where a server does not know these commands, each member is asked for itself,
    and what cannot be seen that way is said. With --watch a terminal is redrawn; elsewhere each look is a line.

    Exits with 0 when the set is healthy, 1 when it is degraded (a member is missing, behind, or neither primary nor
    secondary; or the server is no replica set), 2 when there is no primary or nobody answers. After Ctrl-C the exit
    code is that of the last look.
    """
    from barograph.faces.cli import render
    from barograph.ops.replica import replica_status
    from barograph.store import redact

    url = app.settings.store_url
    if not url.startswith(("mongodb://", "mongodb+srv://")):
        raise UsageError(
            "this store is not a MongoDB replica set",
            where=redact(url),
            hint="give one: barograph --store mongodb://HOST,HOST/DATABASE replica status, or BAROGRAPH_STORE",
        )
    code = 0
    try:
        while True:
            found = replica_status(url, max_lag=max_lag)
            code = EXIT_CODES[found.verdict]
            if watch is None:
                render.json(found.as_dict()) if as_json else show(found)
                break
            if as_json:
                render.json_line(found.as_dict())
            elif render.is_terminal():
                click.clear()
                show(found)
            else:
                click.echo(line(found))
            time.sleep(watch)
    except KeyboardInterrupt:
        if watch is None:
            raise
    if code:
        raise click.exceptions.Exit(code)


def show(found: ReplicaStatus) -> None:
    """The verdict, the members, and what else is to be known."""
    from barograph.faces.cli import render
    from barograph.faces.cli.render import BAD, GOOD, ODD, QUIET, Cell, Column

    colour = (GOOD, ODD, BAD)[EXIT_CODES[found.verdict]]
    what = " ".join(filter(None, ("" if found.kind == "unknown" else found.kind, found.set_name)))
    render.say(Cell(found.verdict, f"bold {colour}"), f": {what or found.url}, {render.instant(found.date)}")
    for reason in found.reasons:
        render.say(Cell("- ", colour), reason)
    if found.kind == "unknown":
        return
    if found.members:
        render.say("")
        head = [
            Column("member"),
            Column("state"),
            Column("health"),
            Column("uptime", right=True, drop=2),
            Column("lag", right=True),
            Column("sync source", drop=1),
            Column("priority", right=True, drop=3),
        ]
        render.table(head, [_row(member) for member in found.members])
    for gap in found.unseen:
        render.say(Cell("not seen: ", QUIET), gap)
    render.say(Cell(f"asked {found.asked or 'each member'}, of {found.url}", QUIET))


def _row(member: Member) -> tuple[str | Cell, ...]:
    from barograph.faces.cli.render import BAD, GOOD, ODD, Cell

    health = {True: Cell("up", GOOD), False: Cell("down", BAD), None: Cell("?", ODD)}[member.healthy]
    return (
        member.name,
        member.state,
        health,
        "" if member.uptime_s is None else _uptime(member.uptime_s),
        "" if member.lag_s is None else f"{member.lag_s:.0f} s",
        member.sync_source or "",
        "" if member.priority is None else f"{member.priority:g}",
    )


def _uptime(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((place for place, (amount, _) in enumerate(parts) if amount), 3)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2])


def line(found: ReplicaStatus) -> str:
    """One look as one line."""
    members = ", ".join(
        f"{member.name} {member.state}" + ("" if member.lag_s is None else f" {member.lag_s:.0f} s")
        for member in found.members
    )
    return f"{iso(found.date)} {found.verdict}: {'; '.join(found.reasons)}" + (f" [{members}]" if members else "")
