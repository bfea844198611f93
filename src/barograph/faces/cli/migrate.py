"""`migrate`: a store's schema brought forward, on purpose."""

from __future__ import annotations

import click

from barograph.faces.cli.command import App, command, json_option, pass_app


@command(
    "migrate",
    examples=[
        ("barograph migrate --dry-run", "what would be done"),
        ("barograph migrate", "do it"),
    ],
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@json_option
@pass_app
def migrate(app: App, *, dry_run: bool, as_json: bool) -> None:
    """Bring an older schema of the store forward.

    This barograph writes one version of the schema. An older one can be read, but nothing is written to it before this
    command was run: no other command changes a schema. It also mends one that was damaged by hand (an index or a
    validator that is gone). Each step is idempotent; killed at any instant, the command completes it when it is run
    again. Take a backup first.
    """
    from barograph.faces.cli import render
    from barograph.wiring import opened_writer

    # An embedded store that is not there is told, not made.
    with app.store(), opened_writer(app.settings) as store:
        found = store.schema()
        done = list(found.pending) if dry_run else store.migrate()
        version = found.version if dry_run else store.schema().version
    if as_json:
        render.json({"store": store.url, "version": version, "dry_run": dry_run, "steps": done})
        return
    for step in done:
        render.say("to do: " if dry_run else "done: ", step)
    if version is None:
        render.say(f"{store.url} is empty; the first run makes its schema")
    elif not done:
        render.say(f"{store.url} has schema version {version}: nothing to do")
    elif not dry_run:
        render.say(f"{store.url} now has schema version {version}")
