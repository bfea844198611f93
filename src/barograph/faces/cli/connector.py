"""Airbyte connectors on this machine: `barograph connector`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from barograph.errors import UsageError
from barograph.faces.cli.command import App, group, json_option, pass_app

if TYPE_CHECKING:
    from barograph.config import Connection
    from barograph.sources import Access


@group(
    "connector",
    examples=[
        ("barograph connector install source-faker==7.2.1", "into the data folder, in an environment of its own"),
        ("barograph connector check faker", "does the connection's configuration work?"),
    ],
)
def connector() -> None:
    """Install Airbyte connectors, and ask them.

    A connection with source = "airbyte" runs a connector as a program of its own, with the packages that it pins, in a
    virtual environment of its own under the data folder. docs/sources/airbyte.md shows a connection.
    """


@connector.part(
    "install",
    examples=[
        ("barograph connector install source-file==0.5.39", "files: CSV, Excel, JSON; over HTTP, S3, SFTP"),
        ("barograph connector install airbyte-source-faker", "made-up data, in the newest version"),
    ],
)
@click.argument("name", metavar="NAME[==VERSION]")
@click.option("--python", metavar="PATH", help="The Python for its environment; default the one that runs barograph.")
@json_option
@pass_app
def install(app: App, *, name: str, python: str | None, as_json: bool) -> None:
    """Install a connector with pip, in a virtual environment of its own.

    NAME is that of Airbyte's package, airbyte-source-NAME, with or without "airbyte-". It takes the network, a minute
    or two, and up to 1 GB. One version of a connector is installed at a time: another version replaces it once it is
    complete, and a sync that is running keeps what it runs. An installation that was broken off is replaced by the
    next. Without a version, one that is installed stays.
    """
    from barograph.faces.cli import render
    from barograph.sources.airbyte.install import install as install_connector

    made, new = install_connector(
        app.data_folder, name, python=python, tell=lambda step: click.echo(step, err=True) if not as_json else None
    )
    if as_json:
        render.json(made.as_dict() | {"new": new})
        return
    render.say(f"{made.name} {made.version} is installed" + ("" if new else " already"))


@connector.part(
    "list",
    examples=[
        ("barograph connector list", "what is installed, and which connections run it"),
        ("barograph connector list --json | jq -r '.[].name'", "for a script"),
    ],
)
@json_option
@pass_app
def listing(app: App, *, as_json: bool) -> None:
    """List the installed connectors, and which connections run each.

    Shows the version, the Python of its environment, and when it was installed. A connector that a connection names by
    the path of its executable is not among them.
    """
    from barograph.faces.cli import render
    from barograph.sources.airbyte.installed import all_installed, split_name

    used: dict[str, list[str]] = {}
    for connection in app.settings.connections.values():
        named = str(connection.options.get("connector", ""))
        if connection.source == "airbyte" and "/" not in named:
            used.setdefault(split_name(named)[0], []).append(connection.name)
    found = all_installed(app.settings.data_dir)
    if as_json:
        render.json([one.as_dict() | {"connections": used.get(one.name, [])} for one in found])
        return
    if not found:
        render.say("no connector is installed; `barograph connector install source-file==0.5.39` installs one")
        return
    head = ["connector", "version", "python", "installed", "connections"]
    rows = [(o.name, o.version, o.python, o.installed_at, ", ".join(used.get(o.name, []))) for o in found]
    render.table(head, rows)


@connector.part(
    "spec",
    examples=[
        ("barograph connector spec source-file", "the settings that it takes"),
        ("barograph connector spec faker --json | jq .connectionSpecification.required", "of a connection's connector"),
    ],
)
@click.argument("name", metavar="CONNECTION|CONNECTOR")
@json_option
@pass_app
def spec(app: App, *, name: str, as_json: bool) -> None:
    """Show which settings a connector takes, as its specification says.

    They go into [connections.NAME.config]. A setting marked as a secret must be a ${VARIABLE} of the environment. With
    --json the whole specification, a JSON schema.
    """
    from barograph.faces.cli import render
    from barograph.sources.airbyte.asking import require_airbyte
    from barograph.sources.airbyte.asking import spec as ask
    from barograph.sources.airbyte.installed import connector_of, executable_of
    from barograph.sources.airbyte.specification import settings_of

    access = _access(app)
    if (connection := app.settings.connections.get(name)) is not None:
        require_airbyte(connection)
        found = connector_of(connection, access.data_dir)
    else:
        found = executable_of(name, access.data_dir, f"connector {name}")
    body = ask(*found, access)
    if as_json:
        render.json(body)
        return
    columns = ["setting", "type", "default", "meaning"]
    head = [render.Column(title, wrap=title == "meaning") for title in columns]
    render.table(head, [(row.path, row.kind, row.default, row.help) for row in settings_of(body)])


@connector.part("check", examples=[("barograph connector check faker", "try the configuration of a connection")])
@click.argument("name", metavar="CONNECTION")
@json_option
@pass_app
def check(app: App, *, name: str, as_json: bool) -> None:
    """Let a connection's connector try its configuration; nothing is read.

    Also tells which of its secrets stand in the configuration file in plain text. Exits with 1 when the connector
    refuses the configuration.
    """
    from barograph.faces.cli import render
    from barograph.sources.airbyte.asking import check as ask

    found = ask(_connection(app, name), _access(app))
    if as_json:
        render.json({"succeeded": found.succeeded, "message": found.message, "plain_secrets": list(found.plain)})
    else:
        for log in found.logs:
            render.say(render.Cell(log.message, render.QUIET))
        verdict = render.Cell("succeeded", render.GOOD) if found.succeeded else render.Cell("failed", render.BAD)
        render.say(f"check of {name} ", verdict, f": {found.message}" if found.message else "")
        for path in found.plain:
            render.say(render.Cell("warning: ", render.ODD), f'{path} is a secret: write "${{VARIABLE}}" in its place')
    if not found.succeeded:
        raise click.exceptions.Exit(1)


@connector.part(
    "discover",
    examples=[
        ("barograph connector discover faker", "its streams, and how each can be read"),
        ("barograph connector discover faker --json | jq '.[0].json_schema'", "with the schema of each"),
    ],
)
@click.argument("name", metavar="CONNECTION")
@json_option
@pass_app
def discover(app: App, *, name: str, as_json: bool) -> None:
    """Show the streams that a connection's connector has.

    Their names go into `streams` of the connection; a connector with one stream needs none.
    """
    from barograph.faces.cli import render
    from barograph.sources.airbyte.asking import discover as ask

    streams = ask(_connection(app, name), _access(app))
    if as_json:
        render.json(streams)
        return
    head = [render.Column("stream"), render.Column("sync modes"), render.Column("fields", wrap=True)]
    render.table(head, [_stream_row(stream) for stream in streams])


def _stream_row(stream: dict[str, Any]) -> tuple[str, str, str]:
    fields = (stream.get("json_schema") or {}).get("properties") or {}
    return str(stream.get("name")), ", ".join(stream.get("supported_sync_modes") or ()), ", ".join(fields)


def _connection(app: App, name: str) -> Connection:
    from barograph.sources.airbyte.asking import require_airbyte

    connections = app.settings.connections
    if name not in connections:
        mine = [one.name for one in connections.values() if one.source == "airbyte"]
        raise UsageError(f"no connection {name!r}", hint=f"connections to a connector: {', '.join(mine) or 'none'}")
    require_airbyte(connections[name])
    return connections[name]


def _access(app: App) -> Access:
    from barograph.sources import Access

    return Access(app.settings.limits, app.settings.data_dir)
