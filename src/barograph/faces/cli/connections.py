"""Connections: what they are, how their syncs went, and what an operator does with them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from barograph.faces.cli.command import App, Failure, group, json_option, pass_app
from barograph.faces.cli.complete import connection_names

if TYPE_CHECKING:
    from barograph.config import Connection

LISTED: Final = 20
"""Syncs that `show` lists."""

_names = click.argument("names", metavar="CONNECTION...", nargs=-1, required=True, shell_complete=connection_names)


@group(
    "connections",
    alone=True,
    examples=[
        ("barograph connections", "the configured connections"),
        ("barograph connections --tag belgium", "those with a tag"),
        ("barograph connections --json | jq '.[] | select(.state == \"failed\")'", "the failed ones, for a script"),
    ],
)
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only those with this tag; twice: with both.")
@json_option
@click.pass_context
def connections(ctx: click.Context, *, tags: tuple[str, ...], as_json: bool) -> None:
    """List the connections, and how their syncs went.

    A connection syncs one source to one stream of the landing zone. `state` is what the last sync did: landed
    (something new), unchanged, failed, or stopped (by hand). `health` tells the last 10 syncs, the newest to the
    right: + landed, = unchanged, x failed, s stopped; good is none failed, unsteady some, failing the last one.
    Frequency and next due are those of `barograph scheduler`; run and sync without names take every enabled one.
    """
    if ctx.invoked_subcommand is not None:
        if tags or as_json:
            raise click.UsageError("--tag and --json of the list stand without another command")
        return
    from barograph.faces.cli import render
    from barograph.faces.cli.connections_show import show_list
    from barograph.faces.cli.overview import connection_rows
    from barograph.model import utc_now

    app, now = ctx.find_object(App), utc_now()
    assert app is not None  # noqa: S101 - the root makes it
    rows = connection_rows(app, now, tags)
    if as_json:
        render.json([row.as_dict() for row in rows])
        return
    show_list(rows, now)
    if not rows and tags:
        click.echo("no connection has " + " and ".join(tags), err=True)
    elif not rows:
        click.echo("no connections: `barograph init` writes a configuration with examples", err=True)


@connections.part(
    "show",
    examples=[
        ("barograph connections show meteo_ichtegem", "its settings, its health, its last syncs"),
        ("barograph connections show meteo_ichtegem --json | jq '.health.windows'", "the windows, for a script"),
    ],
)
@click.argument("name", metavar="CONNECTION", shell_complete=connection_names)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    default=LISTED,
    show_default=True,
    help="How many syncs; 0: all.",
)
@json_option
@pass_app
def show(app: App, *, name: str, limit: int, as_json: bool) -> None:
    """Show one connection: its settings, and the history of its syncs.

    For the last 6 and 24 hours, 7 and 30 days: how many syncs there were, how many failed, the share that succeeded,
    and the records and bytes that they landed. Then the last syncs, newest first, with the run to look for in `logs`.
    """
    from barograph.faces.cli import render
    from barograph.faces.cli.connections_show import show_history
    from barograph.faces.cli.overview import connection_rows
    from barograph.model import utc_now
    from barograph.query.history import entry_dict

    connection, now = _connection(app, name), utc_now()
    (row,) = (row for row in connection_rows(app, now) if row.name == connection.name)
    entries = row.history.entries[: limit or None]
    if as_json:
        render.json(row.as_dict() | {"syncs": [entry_dict(entry) for entry in entries]})
    else:
        show_history(row, entries, now)


@connections.part(
    "enable", examples=[("barograph connections enable meteo_infoclimat", "from the next run on it is synced again")]
)
@_names
@pass_app
def enable(app: App, *, names: tuple[str, ...]) -> None:
    """Switch connections on, in barograph.toml.

    Sets `enabled = true` in the file; comments, order and line endings stay as they are. A scheduler that is running
    notices within a second.
    """
    _switch(app, names, enabled=True)


@connections.part(
    "disable", examples=[("barograph connections disable meteo_infoclimat", "runs and the scheduler leave it out")]
)
@_names
@pass_app
def disable(app: App, *, names: tuple[str, ...]) -> None:
    """Switch connections off, in barograph.toml.

    Sets `enabled = false` in the file; comments, order and line endings stay as they are. What a disabled connection
    has landed is ingested all the same, and `connections trigger` syncs it by hand.
    """
    _switch(app, names, enabled=False)


@connections.part(
    "trigger", examples=[("barograph connections trigger meteo_ichtegem", "sync and ingest it, whenever it is due")]
)
@_names
@json_option
@pass_app
def trigger(app: App, *, names: tuple[str, ...], as_json: bool) -> None:
    """Sync connections now, also disabled ones, and ingest.

    The same as `barograph run CONNECTION...`. The schedule stays as it is, and so does `enabled`.
    """
    from barograph.faces.cli.job import do
    from barograph.pipeline import run

    for name in names:
        if not _connection(app, name).enabled and not as_json:
            click.echo(f"{name} is disabled, and is synced this once", err=True)
    do(app, lambda job: run(job, names), as_json=as_json)


@connections.part(
    "reset",
    examples=[
        ("barograph connections reset synop", "asks first, on a terminal"),
        ("barograph connections reset synop --yes", "does not ask"),
    ],
)
@_names
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_app
def reset(app: App, *, names: tuple[str, ...], yes: bool) -> None:
    """Forget how far incremental syncs of connections have come.

    The next sync begins where a first one does. What is landed and what is in the record stays, and nothing is stored
    twice. A connection that reads its source whole has no such state.
    """
    from barograph.landing import open_landing
    from barograph.pipeline import forget_state

    chosen = [_connection(app, name) for name in names]
    question = f"Forget how far {', '.join(names)} has come? The next sync asks the source for everything again."
    if not yes and sys.stdin.isatty() and not click.confirm(question, err=True):
        raise Failure("not done; the state is as it was", "--yes does not ask")
    zone = open_landing(app.settings.landing_url, app.settings.landing_prefix)
    for connection in chosen:
        forgotten = forget_state(zone, connection, app.settings.data_dir)
        for stream in forgotten:
            click.echo(f"{connection.name}: the state of stream {stream} is forgotten; the next sync begins anew")
        if not forgotten:
            click.echo(f"{connection.name}: there is no state to forget")


def _connection(app: App, name: str) -> Connection:
    from barograph.errors import UsageError

    known = app.settings.connections
    if name not in known:
        listed = ", ".join(known) or "none: add [connections.NAME]"
        raise UsageError(f"no connection {name!r}", hint=f"known are {listed}")
    return known[name]


def _switch(app: App, names: tuple[str, ...], *, enabled: bool) -> None:
    from barograph.config import set_enabled
    from barograph.errors import ConfigError

    for name in names:
        _connection(app, name)
    path = app.settings.config_file
    if path is None:
        raise ConfigError("there is no configuration file to change", hint="`barograph init` writes one")
    changed = set_enabled(path, names, enabled=enabled)
    word = "enabled" if enabled else "disabled"
    for name in dict.fromkeys(names):
        click.echo(f"{name} is {word}" if name in changed else f"{name} was {word} already")
