"""The metrics' faces on the command line, and what a run publishes at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from barograph.faces.cli.command import App, command, json_option, pass_app

if TYPE_CHECKING:
    from barograph.ops.metrics import Sample


@command(
    "metrics",
    examples=[
        ("barograph metrics", "what Prometheus would scrape"),
        ("barograph metrics --textfile /var/lib/prometheus/node-exporter/barograph.prom", "for its node exporter"),
        ("barograph metrics --listen 127.0.0.1:9464", "serve /metrics until it is stopped"),
        ("barograph metrics --emf", "for CloudWatch, as lines of a log"),
    ],
)
@click.option("--textfile", metavar="FILE", help="Write a file for node_exporter's textfile collector.")
@click.option("--listen", metavar="HOST:PORT", help="Serve http://HOST:PORT/metrics, taken anew for each scrape.")
@click.option("--emf", is_flag=True, help="Print CloudWatch's embedded metric format.")
@json_option
@pass_app
def metrics(app: App, *, textfile: str | None, listen: str | None, emf: bool, as_json: bool) -> None:
    """Measure runs, stations, servers, backups, disk.

    Without options the samples are printed as Prometheus' text. Each metric, its unit and its meaning stand in
    docs/metrics.md. A `run` writes and prints them by itself where [metrics] textfile or emf ask for it. For CloudWatch
    instants become ages, and of many stations only the stalest have series of their own ([metrics] emf_series).
    """
    from barograph.faces.cli import render
    from barograph.model import utc_now
    from barograph.ops.metrics import emf_lines, prometheus_text, write_textfile

    if listen is not None:
        _serve(app, listen)
        return
    samples = take(app)
    if textfile is not None:
        write_textfile(samples, Path(textfile))
        click.echo(f"{len(samples)} samples written to {textfile}", err=True)
    elif as_json:
        render.json([{"name": one.name, "labels": list(one.labels), "value": one.value} for one in samples])
    elif emf:
        for line in emf_lines(samples, utc_now(), app.settings.metrics_series):
            click.echo(line)
    else:
        click.echo(prometheus_text(samples), nl=False)


def take(app: App) -> list[Sample]:
    """Every sample that can be had now."""
    from barograph.errors import BarographError
    from barograph.ops.metrics import collect

    if not app.has_store():
        return collect(app.settings, None)
    try:
        with app.store() as store:
            return collect(app.settings, store)
    except BarographError as error:
        return collect(app.settings, error)


def publish(app: App) -> None:
    """What [metrics] asks for, at the end of a run."""
    settings = app.settings
    if settings.metrics_textfile is None and not settings.metrics_emf:
        return
    from barograph.model import utc_now
    from barograph.ops.metrics import emf_lines, write_textfile

    samples = take(app)
    if settings.metrics_textfile is not None:
        write_textfile(samples, settings.metrics_textfile)
    if settings.metrics_emf:
        for line in emf_lines(samples, utc_now(), settings.metrics_series):
            click.echo(line)


def _serve(app: App, listen: str) -> None:
    """Serve until SIGINT or SIGTERM."""
    import signal
    import threading

    from prometheus_client import start_http_server

    from barograph.errors import UsageError
    from barograph.ops.metrics import registry

    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise click.UsageError(f"--listen {listen!r} is not HOST:PORT")
    app.settings  # noqa: B018 - a wrong configuration ends it here, not at the first scrape
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry=registry(lambda: take(app)))
    except OSError as error:
        raise UsageError(f"cannot listen on {listen}: {error.strerror}", hint="choose another port") from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    click.echo(f"serving http://{host}:{server.server_port}/metrics", err=True)
    stop.wait()
    server.shutdown()
    server.server_close()
    thread.join()
