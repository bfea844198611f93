"""Connections and their histories as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from barograph.faces.cli import render
from barograph.faces.cli.render import BAD, QUIET, STRONG, Cell, Column
from barograph.faces.cli.report import STATE_STYLES, state
from barograph.sources.masking import mask

if TYPE_CHECKING:
    from barograph.query.overview import ConnectionRow
    from barograph.store.base import SyncEntry


def show_list(rows: Sequence[ConnectionRow], now: datetime) -> None:
    """A line for each connection, and what went wrong below."""
    # A terminal shows the stream and how long ago, as there is no room for more; elsewhere stands all of it.
    terminal = render.is_terminal()
    if terminal and rows:
        render.say(Cell(f"landing zone {rows[0].destination.rpartition('/')[0]}", QUIET))
    columns: list[Column | str] = [
        "name",
        Column("source", drop=3),
        Column("destination", drop=5),
        Column("frequency", drop=2),
        Column("next due", drop=4),
        Column("tags", drop=7),
        Column("enabled", drop=1),
        "last sync",
        Column("duration", right=True, drop=6),
        Column("records", right=True, drop=6),
        Column("bytes", right=True, drop=8),
        "state",
        Column("health", drop=1),
    ]
    render.table(columns, [_line(row, now, terminal=terminal) for row in rows])
    for row in rows:
        if row.error:
            render.say(Cell(row.name, BAD), f": {row.error}")


def _line(row: ConnectionRow, now: datetime, *, terminal: bool) -> list[str | Cell]:
    connection, last = row.connection, row.last
    place = row.destination.rpartition("/")[2] if terminal else row.destination
    when = "never"
    if last is not None:
        when = render.age(last.finished, now) if terminal else render.instant(last.finished)
    return [
        row.name,
        connection.source,
        f"{place} ({row.format})",
        connection.schedule,
        render.instant(row.next_due),
        ", ".join(connection.tags),
        "yes" if row.enabled else Cell("no", QUIET),
        when,
        "" if last is None else render.duration(last.finished - last.started),
        "" if last is None else render.number(last.records),
        "" if last is None else render.size(last.bytes),
        state(row.state),
        _health(row),
    ]


def _health(row: ConnectionRow) -> Cell:
    verdict = row.history.health
    return Cell(f"{verdict} {row.history.strip}".strip(), STATE_STYLES.get(verdict, QUIET))


def show_history(row: ConnectionRow, entries: Sequence[SyncEntry], now: datetime) -> None:
    """One connection."""
    connection = row.connection
    render.say(Cell(row.name, STRONG), "" if row.enabled else Cell(" (disabled)", QUIET))
    due = f", next {render.instant(row.next_due)} ({row.schedule.timezone})" if row.next_due and row.schedule else ""
    for title, text in (
        ("source", f"{connection.source}, {mask(connection.url)}"),
        ("destination", f"{row.destination} ({row.format})"),
        ("frequency", f"{connection.schedule}{due}"),
        ("tags", ", ".join(connection.tags)),
    ):
        if text:
            render.say(f"{title:<12}", text)
    render.say(f"{'health':<12}", _health(row))
    if row.last is None:
        render.say(f"{'last sync':<12}", "never")
        return
    render.say(f"{'last sync':<12}", state(row.state), f", {render.age(row.last.finished, now)}")
    render.heading("Health")
    numbers = ("syncs", "failures", "success", "records", "bytes")
    render.table(
        ["last", *(Column(name, right=True) for name in numbers)],
        [
            (
                name,
                render.number(window.syncs),
                Cell(render.number(window.failures), BAD if window.failures else ""),
                "" if window.success is None else f"{window.success:.1%}",
                render.number(window.records),
                render.size(window.bytes),
            )
            for name, window in row.history.windows.items()
        ],
    )
    render.heading(f"Last syncs ({len(entries)} of {len(row.history.entries)})")
    render.table(
        ["started", Column("duration", right=True), "state", Column("records", right=True),
         Column("bytes", right=True), Column("run", drop=1), Column("error", wrap=True)],
        [
            (
                render.instant(entry.sync.started),
                render.duration(entry.sync.finished - entry.sync.started),
                state(entry.sync.status),
                render.number(entry.sync.records),
                render.size(entry.sync.bytes),
                entry.run_id,
                entry.sync.error or "",
            )
            for entry in entries
        ],
    )  # fmt: skip
