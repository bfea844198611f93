"""barograph under systemd: its units for this machine, and the alert that they send."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from barograph.faces.cli.command import App, command, json_option, pass_app

UNITS = Path("/etc/systemd/system")


@command(
    "install-service",
    examples=[
        ("barograph --config /etc/barograph/barograph.toml install-service", "write the units of this machine"),
        ("barograph install-service --print", "read them first"),
        ("barograph install-service --to ./units --timezone UTC --at 01:30", "somewhere else, at another time"),
    ],
)
@click.option("--to", "folder", metavar="DIR", default=str(UNITS), show_default=True, help="Where to write them.")
@click.option("--print", "printing", is_flag=True, help="Print them instead; nothing is written.")
@click.option("--user", metavar="NAME", default="barograph", show_default=True, help="Who runs the job.")
@click.option("--timezone", metavar="ZONE", default="Europe/Paris", show_default=True, help="Whose midnight it is.")
@click.option("--at", "run_at", metavar="HH:MM", default="00:00", show_default=True, help="When the job runs.")
@click.option("--backup-at", metavar="HH:MM", default="02:30", show_default=True, help="When backups are taken.")
@click.option("--memory", metavar="SIZE", default="2G", show_default=True, help="What a unit may use at most.")
@click.option("--credentials", metavar="DIR", default="/etc/barograph/credentials", show_default=True, help="Secrets.")
@json_option
@pass_app
def install_service(app: App, /, *, folder: str, printing: bool, credentials: str, as_json: bool, **said: str) -> None:
    """Write systemd units, each line with its reason.

    The nightly job (sync, then ingest), the backup, the weekly restore drill, each with its timer; the scheduler, for
    connections at their own times; and the alert that each of them sends when it fails. They run this very program as
    an unprivileged user in a sandbox: a read-only system, no homes, no devices, no capabilities. --config and
    --data-dir say where configuration and data are, else /etc/barograph/barograph.toml and /var/lib/barograph.

    Secrets lie as files in --credentials, each named like its variable (BAROGRAPH_STORE, a token of a connection,
    AWS_ACCESS_KEY_ID, BAROGRAPH_ALERT_URL), readable to root alone. The units are written, not enabled: what to do next
    is printed.
    """
    from dataclasses import asdict

    from barograph.faces.cli import render
    from barograph.ops.systemd import Machine, install, units_of

    default = Machine()
    machine = Machine(
        program=Path(sys.argv[0]).absolute() if Path(sys.argv[0]).name == "barograph" else default.program,
        config=Path(app.config).absolute() if app.config else default.config,
        data_dir=Path(app.data_dir).absolute() if app.data_dir else default.data_dir,
        credentials=Path(credentials).absolute(),
        **said,
    )
    units = units_of(machine)
    if printing:
        if as_json:
            render.json({unit.name: unit.text() for unit in units})
        else:
            click.echo("\n".join(f"# {unit.name}\n{unit.text()}" for unit in units), nl=False)
        return
    written = install(units, Path(folder))
    if as_json:
        render.json([{**asdict(each), "path": str(each.path)} for each in written])
        return
    for each in written:
        render.say(f"{each.state:<10} {each.path}")
    render.heading("What to do next")
    steps = [
        f"sudo useradd --system --no-create-home --shell /usr/sbin/nologin {machine.user}",
        f"sudo install -d -m 700 {machine.credentials}",
        "sudo systemctl daemon-reload",
        "sudo systemctl enable --now barograph-run.timer barograph-backup.timer barograph-drill.timer",
        "systemctl list-timers 'barograph-*'",
    ]
    for step in steps:
        render.command_line(f"    {step}")
    render.say("For connections at their own times enable barograph-scheduler.service in place of barograph-run.timer.")


@command(
    "alert",
    examples=[
        ("barograph alert barograph-run.service", "as systemd's OnFailure does"),
        ("barograph alert --test", "whether the web hook works"),
    ],
)
@click.argument("unit", metavar="[UNIT]", required=False)
@click.option("--test", is_flag=True, help="Send a message that says it is a test.")
@pass_app
def alert(app: App, *, unit: str | None, test: bool) -> None:
    """Tell somebody that something failed.

    Prints which UNIT failed and what `barograph status` finds, and posts it as JSON to the web hook in
    BAROGRAPH_ALERT_URL, if that is set: {"text": ...}, as Slack and Mattermost take it, with the problems as a list.

    Exits with 1 when the web hook did not take it.
    """
    from socket import gethostname

    from barograph.config import alert_url
    from barograph.errors import BarographError
    from barograph.faces.cli.status import collect
    from barograph.ops.alert import send

    if not unit and not test:
        raise click.UsageError("name the UNIT that failed, or --test")
    title = f"barograph on {gethostname()}: " + ("this is a test" if test else f"{unit} failed")
    try:
        problems = [(problem.what, problem.command) for problem in collect(app).problems]
    except BarographError as error:
        problems = [(str(error), f"{app.prefix} status")]
    lines = [title, *(f"- {what}\n  {mend}" for what, mend in problems)]
    click.echo("\n".join(lines))
    if (url := alert_url()) is None:
        click.echo("no BAROGRAPH_ALERT_URL is set, so it stands here only", err=True)
        return
    details = {"unit": unit, "test": test, "problems": [{"what": what, "command": mend} for what, mend in problems]}
    send(url, "\n".join(lines), details)
    click.echo("told the web hook", err=True)
