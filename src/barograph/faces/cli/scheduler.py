"""`barograph scheduler`: the job at its times, in the foreground."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import click

from barograph.faces.cli.command import App, command, pass_app

if TYPE_CHECKING:
    from barograph.pipeline.scheduler import Scheduler


@command(
    "scheduler",
    examples=[
        ("barograph scheduler", "until it is stopped with Ctrl-C or SIGTERM"),
        ("barograph scheduler --once", "run what is due now and exit; for a timer of yours"),
        ("barograph scheduler --check", "whether one is at work; for a container's health check"),
    ],
)
@click.option("--once", is_flag=True, help="Run what is due now, and exit.")
@click.option("--check", is_flag=True, help="Tell whether a scheduler of this data folder works, and exit.")
@pass_app
def scheduler(app: App, *, once: bool, check: bool) -> None:
    """Sync and ingest each connection when it is due.

    Works in the foreground, for machines without systemd or cron. Takes the enabled connections whose `schedule` is
    `daily` (midnight) or a cron expression, in the timezone of [scheduler]. Connections that are due together share a
    run; none overlaps itself, here or in another process. What was missed while nothing ran is made up for once, at
    the start. barograph.toml is read again when it changes; a broken one is told, and the former one stands.

    Prints a line for each event, or tells the process log where there is one (--log-format). SIGTERM or Ctrl-C ends the
    syncs under way and exits with 0 within seconds; what they have landed is kept, and the next start goes on from
    there. A second signal ends at once.

    --check exits with 0 while a scheduler is at work, with 1 when there is none, or when it has given no sign of life
    for a minute.
    """
    from barograph.errors import ConfigError, UsageError

    if check:
        if once:
            raise UsageError("--once and --check cannot go together", hint="one of them, or neither")
        _check(app)
        return
    from barograph.pipeline.locks import scheduler_lock
    from barograph.pipeline.scheduler import Scheduler
    from barograph.wiring import opened_job

    say = partial(_say, app)
    settings = app.settings
    if settings.config_file is None:
        raise ConfigError("there is no configuration, so nothing can be due", hint="`barograph init` writes one")
    worker = Scheduler(app.load, opened_job, say, settings.config_file, complain=partial(say, level="error"))
    if once:
        from barograph.faces.cli.report import EXIT_CODES

        report = worker.once()
        code = 0 if report is None else EXIT_CODES[report.status]
        if code:
            raise click.exceptions.Exit(code)
        return
    with scheduler_lock(settings.data_dir) as lock:
        worker.beat = lock.beat
        _heed(worker)
        count = len(settings.connections)
        told = f"{count} connection{'s' * (count != 1)}, {settings.concurrency} at once"
        say(f"scheduler started (process {os.getpid()}): {told}")
        ended = worker.run()
        say("stopped" if ended else "stopped; what was still under way is completed by the next run")
    if not ended:
        # A thread in the middle of something must not be waited for; whatever it writes stands up to a kill.
        sys.stdout.flush()
        os._exit(0)


def _check(app: App) -> None:
    from barograph.pipeline.locks import scheduler_holder
    from barograph.pipeline.scheduler import SILENT

    holder = scheduler_holder(app.data_folder)
    if holder is None:
        told = f"no scheduler is at work on {app.data_folder}; `barograph scheduler` starts one"
    elif holder.silent > SILENT:
        told = (
            f"the scheduler ({holder.name}) has given no sign of life for {holder.silent:.0f} s: end it, start it again"
        )
    else:
        click.echo(f"at work: {holder.name}, heard {holder.silent:.0f} s ago")
        return
    click.echo(told)
    raise click.exceptions.Exit(1)


def _heed(worker: Scheduler) -> None:
    """SIGTERM and SIGINT: stop; the second one: at once."""

    def heed(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        if worker.asked_to_stop:
            os._exit(128 + number)
        worker.stop()

    signal.signal(signal.SIGTERM, heed)
    signal.signal(signal.SIGINT, heed)


def _say(app: App, text: str, level: str = "info") -> None:
    from barograph.logs import COMMANDS, emit
    from barograph.model import utc_now

    if app.logs:
        emit(level, text, logger=COMMANDS)
        return
    # Each line at once: a log is read while it is written. In one piece: several threads tell.
    sys.stdout.write(f"{utc_now():%Y-%m-%d %H:%M:%SZ} {' '.join(text.split())}\n")
    sys.stdout.flush()
