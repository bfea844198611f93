"""The job's commands: run, sync, ingest, rebuild, verify."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from barograph.faces.cli.command import App, Failure, command, json_option, pass_app
from barograph.faces.cli.complete import connection_names

if TYPE_CHECKING:
    from barograph.messages import Span
    from barograph.model import RunReport
    from barograph.pipeline import Job

_names = click.argument("names", metavar="[CONNECTION]...", nargs=-1, shell_complete=connection_names)


def _span_options(function: Callable[..., None]) -> Callable[..., None]:
    last = click.option("--to", "last", metavar="DATE", help="And up to this UTC day (included); default now.")
    first = click.option("--from", "first", metavar="DATE", help="Ask again for everything from this UTC day on.")
    return first(last(function))


def _backfill(first: str | None, last: str | None) -> Span | None:
    """The span that --from and --to name."""
    if first is None and last is None:
        return None
    if first is None:
        raise click.UsageError("--to needs --from")
    from barograph.messages import Span
    from barograph.model import utc_now
    from barograph.query.spans import parse_span

    start = parse_span(first, utc=True).start
    return Span(start, utc_now() if last is None else parse_span(last, utc=True).end)


@command(
    "run",
    examples=[
        ("barograph run", "every enabled connection"),
        ("barograph run meteo_ichtegem meteo_madeleine", "only these two"),
        ("barograph run --from 2024-10-01 --to 2024-10-07", "ask the servers for these days again"),
        ("barograph run --json | jq .reports", "what came of it, for a script"),
    ],
)
@_names
@_span_options
@json_option
@pass_app
def run(app: App, *, names: tuple[str, ...], first: str | None, last: str | None, as_json: bool) -> None:
    """Sync, then ingest: the nightly job.

    Pulls the exports of the named connections (default: every enabled one) onto the landing zone, and brings the
    record up to it. Running it again adds nothing twice. Ends with what arrived, what was stored, and every rejected
    row with its place and its reason.

    --from and --to ask servers for past days again (a backfill); only sources that can be asked for a span take part.

    Exits with 0 when everything is stored, 3 when something was rejected or failed, 1 when nothing could be done.
    """
    from barograph.pipeline import run as run_job

    span = _backfill(first, last)
    do(app, lambda job: run_job(job, names, span=span), as_json=as_json)


@command(
    "sync",
    examples=[("barograph sync", "every enabled connection"), ("barograph sync meteo_infoclimat", "only this one")],
)
@_names
@_span_options
@json_option
@pass_app
def sync(app: App, *, names: tuple[str, ...], first: str | None, last: str | None, as_json: bool) -> None:
    """Pull exports onto the landing zone only.

    The record is not touched. An export is landed as a new generation only when its content has changed. A connection
    that fails costs only itself: the others are synced, and the exit code is 3.

    --from and --to ask servers for past days again (a backfill); only sources that can be asked for a span take part.
    """
    from barograph.pipeline import sync as sync_job

    span = _backfill(first, last)
    do(app, lambda job: sync_job(job, names, span=span), as_json=as_json)


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

    do(app, ingest_job, as_json=as_json)


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

    do(app, ask_and_rebuild, as_json=as_json)


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


def do(app: App, work: Callable[[Job], RunReport], *, as_json: bool) -> None:
    """Do the work, show its report, and leave with the exit code that its status means."""
    from barograph.faces.cli import render
    from barograph.faces.cli.metrics import publish
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
    publish(app)
    if code := EXIT_CODES[report.status]:
        raise click.exceptions.Exit(code)
