"""The demo's replica set: up before the job, shown, down in the end, however that comes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click

from barograph.errors import ClusterError
from barograph.faces.cli.demo_steps import Stage

UP: Final = (("cluster", "up"),)
DOWN: Final = (("cluster", "down"),)
"""What the commands to try begin and end with."""


def folder_of(base: Path) -> Path:
    """Where the demo's replica set is."""
    from barograph.ops.cluster import FOLDER

    return base / "data" / FOLDER


def remove_earlier(base: Path) -> None:
    """Take down and remove the set that an earlier demo in this folder has left."""
    from barograph.ops.cluster import destroy, look

    if look(folder_of(base)).members:
        destroy(folder_of(base), tell=lambda _: None)


def name_the_store(config: Path) -> None:
    """Let the configuration name the file with the URI, so that no command needs a password."""
    with config.open("a", encoding="utf-8") as file:
        file.write("\n# The local replica set; `barograph cluster up` brings it up.\n[store]\n")
        file.write('url_file = "../data/cluster/uri"\n')


@contextmanager
def replica_set(stage: Stage) -> Iterator[None]:
    """The set, up for the length of the block. Whatever ends the block, its members are brought down."""
    from barograph.faces.cli.cluster import show_down, show_up
    from barograph.ops.cluster import bring_up, take_down

    def tell(line: str) -> None:
        if not stage.quiet:
            click.echo(line, err=True)

    stage.step("A MongoDB replica set of three members, on this machine, with passwords of its own")
    # As Ctrl-C: whoever ends the demo wants its servers to end, too.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        show_up(bring_up(folder_of(stage.base), tell=tell))
        yield
    except BaseException:
        with suppress(ClusterError):
            take_down(folder_of(stage.base), tell=tell)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    stage.step("The set goes down; its data stay")
    show_down(take_down(folder_of(stage.base), tell=tell))


def show_members(stage: Stage) -> None:
    """How the replica set does."""
    from barograph.faces.cli import render
    from barograph.faces.cli.replica import DEFAULT_MAX_LAG, show
    from barograph.ops.replica import replica_status

    stage.step("The members: one takes the writes, two hold copies and take over")
    render.command_line(f"$ {stage.line('replica', 'status')}")
    show(replica_status(stage.app.settings.store_url, max_lag=DEFAULT_MAX_LAG))
