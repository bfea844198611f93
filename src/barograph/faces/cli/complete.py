"""Names on the command line: what a shell completes (from the configuration alone), and lists with commas."""

from __future__ import annotations

from typing import Final

import click

from barograph.errors import BarographError


def connection_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    """Connections of the configuration."""
    return _keys(ctx, "connections", incomplete)


def station_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    """Stations of the configuration (the record would cost a connection at each key press)."""
    return _keys(ctx, "stations", incomplete)


def variable_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    """Variables, after the last comma of what is typed."""
    from barograph.variables import NAMES

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in NAMES if name.startswith(last)]


stations_option: Final = click.option(
    "--station",
    "stations",
    metavar="ID",
    multiple=True,
    help="Only this station; repeatable.",
    shell_complete=station_ids,
)
"""`--station ID`, repeatable, as `stations`."""


def split_names(text: str | None) -> list[str] | None:
    """`a, b` as a list of names; None for None."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _keys(ctx: click.Context, table: str, incomplete: str) -> list[str]:
    from barograph.config import load

    given = ctx.find_root().params
    try:
        settings = load(given.get("config"), data_dir=given.get("data_dir"))
    except BarographError:
        # A key press is no place for an error; the command itself will tell it.
        return []
    return [name for name in getattr(settings, table) if name.startswith(incomplete)]
