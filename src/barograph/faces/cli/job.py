"""The job's commands: run, sync, ingest, rebuild, verify."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from barograph.faces.cli.command import App, Failure, command, json_option, pass_app
from barograph.faces.cli.complete import connection_names

if TYPE_CHECKING:
    from barograph.model import RunReport
    from barograph.pipeline import Job

_names = click.argument("names", metavar="[CONNECTION]...", nargs=-1, shell_complete=connection_names)


@command(
    "run",
    examples=[
        ("barograph run", "every enabled connection"),
        ("barograph run meteo_ichtegem meteo_madeleine", "only these two"),
        ("barograph run --json | jq .reports", "what came of it, for a script"),
    ],
)
@_names
@json_option
@pass_app
def run(app: App, *, names: tuple[str, ...], as_json: bool) -> None:
    """Sync, then ingest: the nightly job.

    Pulls the exports of the named connections (default: every enabled one) onto the landing zone, and brings the
    record up to it. Running it again adds nothing twice. Ends with what arrived, what was stored, and every rejected
    row with its place and its reason.

    Exits with 0 when everything is stored, 3 when something was rejected or failed, 1 when nothing could be done.
    """
    from barograph.pipeline import run as run_job

    _do(app, lambda job: run_job(job, names), as_json=as_json)


@command(
    "sync",
    examples=[("barograph sync", "every enabled connection"), ("barograph sync meteo_infoclimat", "only this one")],
)
@_names
@json_option
@pass_app
def sync(app: App, *, names: tuple[str, ...], as_json: bool) -> None:
    """Pull exports onto the landing zone only.

    The record is not touched. An export is landed as a new generation only when its content has changed. A connection
    that fails costs only itself: the others are synced, and the exit code is 3.
    """
    from barograph.pipeline import sync as sync_job

    _do(app, lambda job: sync_job(job, names), as_json=as_json)


@command(
    "ingest",
    examples=[
        ("barograph ingest", "what a sync, or an Airbyte of yours, has landed"),
        ("barograph --landing s3://meteo-landing ingest", "from a bucket"),
    ],
)
@json_option
@pass_app
def ingest(app: App, *, as_json: bool) -> None:
    """Bring the record up to the landing zone.

    Takes every object of the landing zone that is new, has changed, or failed before. Each row becomes a report, or a
    rejection with its place and its reason. Killed at any instant, the next ingest completes the work.
    """
    from barograph.pipeline import ingest as ingest_job

    _do(app, ingest_job, as_json=as_json)


@command(
    "rebuild",
    examples=[("barograph rebuild", "asks first, on a terminal"), ("barograph rebuild --yes", "does not ask")],
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_app
def rebuild(app: App, *, yes: bool, as_json: bool) -> None:
    """Empty the record and make it again from the landing zone.

    The landing zone is the source of truth, and the record follows from it. Reports whose objects have left the
    landing zone are gone afterwards; `barograph verify` counts them beforehand. Logs and run reports stay.
    """
    from barograph.pipeline import rebuild as rebuild_job

    def ask_and_rebuild(job: Job) -> RunReport:
        question = f"Empty the record in {job.store.url} and make it again?"
        if not yes and sys.stdin.isatty() and not click.confirm(question, err=True):
            raise Failure("not done; the record is as it was", "--yes does not ask")
        return rebuild_job(job)

    _do(app, ask_and_rebuild, as_json=as_json)


@command(
    "verify",
    examples=[
        ("barograph verify", "prove the record"),
        ("barograph verify --json | jq .differences", "what differs, for a script"),
    ],
)
@json_option
@pass_app
def verify(app: App, *, as_json: bool) -> None:
    """Compare the record with the landing zone, value by value.

    Decodes and merges the whole landing zone again, into a temporary store, and holds both side by side. Nothing is
    changed. Reports whose object has left the landing zone are counted apart: they cannot be proven, nor refuted.

    Exits with 0 when the record is proven, and with 1 when anything differs.
    """
    from barograph.faces.cli import render
    from barograph.faces.cli.report import show_verify
    from barograph.pipeline import verify as verify_job

    with app.job() as job:
        report = verify_job(job)
    if as_json:
        render.json(report.as_dict())
    else:
        show_verify(report)
    if not report.proven:
        raise click.exceptions.Exit(1)


def _do(app: App, work: Callable[[Job], RunReport], *, as_json: bool) -> None:
    """Do the work, show its report, and leave with the exit code that its status means."""
    from barograph.faces.cli import render
    from barograph.faces.cli.report import EXIT_CODES, show_run
    from barograph.store.base import LogQuery

    warnings: list[str] = []
    with app.job() as job:
        report = work(job)
        if not as_json:
            warnings = [entry.msg for entry in job.store.logs(LogQuery("warning", report.run_id))]
    if as_json:
        render.json(report.as_dict())
    else:
        show_run(report, warnings[::-1], prefix=app.prefix)
    if code := EXIT_CODES[report.status]:
        raise click.exceptions.Exit(code)
