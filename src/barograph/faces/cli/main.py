"""The entry point: `barograph [OPTIONS] COMMAND`."""

from __future__ import annotations

import io
import sys
from typing import Final

import click

from barograph.config import adopt_credentials, environment_secrets, log_settings
from barograph.faces.cli.command import App, Command, CommandGroup, Root

_HERE: Final = "barograph.faces.cli"

SECTIONS: Final = {
    "Start here": {
        "demo": f"{_HERE}.demo:demo",
        "init": f"{_HERE}.start:init",
        "simulate": f"{_HERE}.start:simulate",
    },
    "The job": {
        "run": f"{_HERE}.job:run",
        "sync": f"{_HERE}.job:sync",
        "ingest": f"{_HERE}.job:ingest",
        "rebuild": f"{_HERE}.job:rebuild",
        "verify": f"{_HERE}.job:verify",
        "connector": f"{_HERE}.connector:connector",
        "scheduler": f"{_HERE}.scheduler:scheduler",
    },
    "Read the record": {
        "query": f"{_HERE}.read:query",
        "sql": f"{_HERE}.read:sql",
        "export": f"{_HERE}.files:export",
        "plot": f"{_HERE}.files:plot",
        "stations": f"{_HERE}.operate:stations",
        "completeness": f"{_HERE}.completeness:completeness",
        "access-time": f"{_HERE}.read:access_time",
    },
    "Run MongoDB": {
        "cluster": f"{_HERE}.cluster:cluster",
        "replica": f"{_HERE}.replica:replica",
    },
    "Keep it safe": {
        "backup": f"{_HERE}.backup:backup",
        "migrate": f"{_HERE}.migrate:migrate",
    },
    "Watch over it": {
        "status": f"{_HERE}.status:status",
        "doctor": f"{_HERE}.doctor:doctor",
        "connections": f"{_HERE}.connections:connections",
        "runs": f"{_HERE}.operate:runs",
        "logs": f"{_HERE}.operate:logs",
        "metrics": f"{_HERE}.metrics:metrics",
        "alert": f"{_HERE}.service:alert",
        "install-service": f"{_HERE}.service:install_service",
        "completion": f"{_HERE}.start:completion",
    },
}
"""Section -> command -> where it is."""


@click.command(
    "barograph",
    cls=Root,
    sections=SECTIONS,
    examples=[
        ("barograph demo", "a simulated network, offline, from the exports to a plot"),
        ("barograph --config barograph.toml run", "the nightly job"),
        ("barograph query IICHTE19 2024-10-01", "a station's day"),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config", metavar="FILE", help="The configuration; default BAROGRAPH_CONFIG, else barograph.toml in this folder."
)
@click.option(
    "--data-dir",
    metavar="DIR",
    help="The embedded store and landing zone; default BAROGRAPH_DATA_DIR, else ./barograph-data.",
)
@click.option("--landing", metavar="URL", help="The landing zone: a folder or s3://bucket; over the configuration.")
@click.option(
    "--store", metavar="URL", help="The store: sqlite:///FILE or mongodb://HOST/DATABASE; over the configuration."
)
@click.option(
    "--log-format",
    metavar="FORMAT",
    help="The process log on stderr: human, json or none; default BAROGRAPH_LOG_FORMAT, else human where stderr is "
    "systemd's journal, none elsewhere.",
)
@click.option(
    "--log-level",
    metavar="LEVEL",
    help="Its least level: debug, info, warning or error; default BAROGRAPH_LOG_LEVEL, else info.",
)
@click.version_option(package_name="barograph", message="%(prog)s %(version)s")
@click.pass_context
def root(
    ctx: click.Context,
    *,
    config: str | None,
    data_dir: str | None,
    landing: str | None,
    store: str | None,
    log_format: str | None,
    log_level: str | None,
) -> None:
    """Keep a continuous, provable record of weather stations.

    barograph pulls station exports onto a landing zone, turns them into one record in UTC and metric units, checks
    their quality, and stores them in SQLite or MongoDB. Nothing is lost in silence: a row that cannot be read is
    rejected with its place and its reason, and the record can be proven against the landing zone at any time.

    Exit codes: 0 done; 1 failed; 2 usage or configuration; 3 finished, but something was rejected or failed.
    A URI with a password belongs into BAROGRAPH_STORE or a file, not on the command line.
    """
    adopt_credentials()
    from barograph.logs import Masks, ProcessLog

    wanted = log_settings(log_format, log_level)
    log = ProcessLog(wanted.format, wanted.level, Masks(environment_secrets(store)), journal=wanted.journal)
    ctx.obj = App(config, data_dir, landing, store, log)
    log.open()
    ctx.call_on_close(log.close)


def every_command() -> dict[str, Command]:
    """Every command by its words: `query`, `backup`, `backup create`; this imports them all."""
    context = click.Context(root)
    found: dict[str, Command] = {}
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if isinstance(command, Command):
            found[name] = command
        if isinstance(command, CommandGroup):
            found |= {f"{name} {part.name}": part for part in command.commands_of()}
    return found


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A log in Latin-1 shows an arrow as an escape; it does not end the job.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    root(prog_name="barograph")
