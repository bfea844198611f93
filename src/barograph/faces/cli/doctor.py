"""The command `doctor`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from barograph.faces.cli.command import App, command, json_option, pass_app

EXIT_CODES: Final = {"ok": 0, "failed": 1, "warning": 3}


@command(
    "doctor",
    examples=[
        ("barograph doctor", "before the first night, and when something is odd"),
        ("barograph doctor --offline", "without asking any server"),
        ("barograph doctor --json | jq -r '.findings[] | select(.verdict != \"ok\") | .cure'", "what to do"),
    ],
)
@click.option("--offline", is_flag=True, help="Leave out what needs the network.")
@json_option
@pass_app
def doctor(app: App, *, offline: bool, as_json: bool) -> None:
    """Check what the job needs, and tell the cures.

    The configuration and the variables that it refers to; who may read the files that hold secrets; Python, libraries,
    timezones; the landing zone and the place of the backups (a small object is written under _barograph/doctor and
    removed again); the store: its schema, the rights to read and to write, for MongoDB the version, TLS, a write to a
    majority, the replica set and the oplog; each enabled connection's source, without reading it or spending its quota;
    free space; the clock against the servers that told the time; NTP and the systemd timers, where this machine has
    them. Servers are asked all at once, each for some seconds. No secret is shown.

    Exits with 0 when all is well, 1 when a check failed, 3 when there are warnings only.
    """
    from barograph.faces.cli import render
    from barograph.faces.cli.render import BAD, GOOD, ODD, STRONG, Cell
    from barograph.ops.doctor import examine, worst

    findings = examine(lambda: app.settings, None if app.config is None else Path(app.config), offline=offline)
    verdict = worst(findings)
    if as_json:
        render.json({"verdict": verdict, "findings": [asdict(finding) for finding in findings]})
    else:
        colours = {"ok": GOOD, "warning": ODD, "failed": BAD}
        for finding in findings:
            word = Cell(f"{finding.verdict:<8}", colours[finding.verdict])
            render.say(word, Cell(finding.name, STRONG), f": {finding.what}")
            if finding.cure:
                render.say(f"          {finding.cure}")
        wrong = {name: sum(found.verdict == name for found in findings) for name in ("failed", "warning")}
        click.echo()
        if verdict == "ok":
            render.say(Cell("all is well", f"bold {GOOD}"), f" ({len(findings)} checks)")
        else:
            told = f"{wrong['failed']} failed, {render.count(wrong['warning'], 'warning')}"
            render.say(Cell(told, f"bold {colours[verdict]}"), f" of {len(findings)} checks")
    if code := EXIT_CODES[verdict]:
        raise click.exceptions.Exit(code)
