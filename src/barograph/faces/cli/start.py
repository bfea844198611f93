"""To begin with: init, simulate, completion."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from barograph.errors import UsageError
from barograph.faces.cli.command import Command, command, json_option

if TYPE_CHECKING:
    from datetime import datetime


@command(
    "init",
    examples=[("barograph init", "in this folder"), ("barograph init meteo", "in the folder meteo")],
)
@click.argument("folder", metavar="[DIR]", default=".")
def init(*, folder: str) -> None:
    """Write a commented barograph.toml to begin with.

    It holds every setting with its default, one station, and two connections as examples: an export file, and an
    Infoclimat answer. An existing barograph.toml is never overwritten.
    """
    from barograph.faces.cli.template import configuration

    path = Path(folder).expanduser() / "barograph.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(configuration())
    except FileExistsError as error:
        raise UsageError("exists already", where=str(path), hint="it was left alone; choose another folder") from error
    click.echo(f"{path} written. Next: put your stations and connections there, then")
    here = "barograph" if path.parent == Path() else f"barograph --config {shlex.quote(str(path))}"
    click.echo(f"  {here} run")


class SimulateCommand(Command):
    """A command whose help also names the faults."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Faults, then examples."""
        from barograph.simulate import FAULTS

        with formatter.section("Faults"):
            formatter.write_dl(list(FAULTS.items()))
        super().format_epilog(ctx, formatter)


@click.command(
    "simulate",
    cls=SimulateCommand,
    examples=[
        ("barograph simulate feeds", "a week of six stations"),
        ("barograph simulate feeds --days 30 --stations 50 --seed 7", "a larger network"),
        ("barograph simulate feeds --fault unparsable --fault spike", "with two faults, whose truth is written down"),
    ],
)
@click.argument("out", metavar="OUT")
@click.option(
    "--start",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2024-10-01",
    show_default=True,
    help="First day.",
)
@click.option("--days", metavar="N", type=click.IntRange(min=1), default=7, show_default=True, help="How many days.")
@click.option("--stations", metavar="N", type=click.IntRange(min=1), help="How many stations; default the first six.")
@click.option("--seed", metavar="N", type=int, default=1, show_default=True, help="The same seed gives the same files.")
@click.option(
    "--step", metavar="MINUTES", type=int, default=5, show_default=True, help="Interval of the personal stations."
)
@click.option(
    "--format", "form", metavar="xlsx|csv", type=click.Choice(["xlsx", "csv"]), default="xlsx", show_default=True,
    help="Form of the personal stations' tables.",
)  # fmt: skip
@click.option("--fault", "faults", metavar="NAME", multiple=True, help="Inject this fault (see below); repeatable.")
@json_option
def simulate(  # noqa: PLR0913 - a simulation has so many handles
    *,
    out: str,
    start: datetime,
    days: int,
    stations: int | None,
    seed: int,
    step: int,
    form: Literal["xlsx", "csv"],
    faults: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write plausible exports of a simulated network.

    Workbooks and an Infoclimat answer in the real formats, a barograph.toml that connects them, and the truth: what
    the record must hold of them. Faults can be injected; their consequences are part of the truth.
    """
    from barograph.faces.cli import render
    from barograph.simulate import simulate as write

    made = write(
        Path(out).expanduser(),
        start=start.date(),
        days=days,
        stations=stations,
        seed=seed,
        step_minutes=step,
        faults=faults,
        table_format=form,
    )
    if as_json:
        render.json(
            {
                "config": str(made.config),
                "files": [str(path) for path in made.files],
                "rows": made.rows,
                "reports": made.reports,
                "rejected": made.rejected,
                "duplicates": made.duplicates,
                "stations": made.station_reports,
                "faults": [
                    {name: getattr(fault, name) for name in ("name", "object", "done", "record")}
                    for fault in made.faults
                ],
            }
        )
        return
    render.table(
        ["station", "name", render.Column("reports", right=True)],
        [
            (station.station_id, station.name or "", render.number(made.station_reports.get(station.station_id, 0)))
            for station in made.stations
        ],
    )
    if made.faults:
        render.heading("Faults")
        render.table(
            [
                "fault",
                "file",
                *(render.Column(name, wrap=True) for name in ("what was done", "what the record must hold")),
            ],
            [(fault.name, fault.object, fault.done, fault.record) for fault in made.faults],
        )
    render.say("")
    render.say(f"{render.count(made.rows, 'row')} in {render.count(len(made.files), 'file')} in {made.out_dir}. Next:")
    render.say(f"  barograph --config {shlex.quote(str(made.config))} run")


@command(
    "completion",
    examples=[
        ('eval "$(barograph completion bash)"', "in ~/.bashrc"),
        ('eval "$(barograph completion zsh)"', "in ~/.zshrc"),
        ("barograph completion fish > ~/.config/fish/completions/barograph.fish", "once, for fish"),
    ],
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Print a completion script for a shell.

    It completes commands, options and names. Connections and stations are completed from the configuration.
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is None:
        raise UsageError(f"no completion for {shell}", hint="bash, zsh or fish")
    click.echo(script(ctx.find_root().command, {}, "barograph", "_BAROGRAPH_COMPLETE").source())
