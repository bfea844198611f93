"""Backups as a person sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from barograph.faces.cli import render
from barograph.faces.cli.render import BAD, ODD, QUIET, STRONG, Cell, Column

if TYPE_CHECKING:
    from barograph.ops.backup import Listed, Manifest


def show_backup(made: Manifest) -> None:
    """A backup in a few lines."""
    content = made.content
    render.say(Cell(f"backup {made.backup_id}", STRONG), f" of {made.store}")
    reports, stations = render.count(content.reports, "report"), render.count(content.stations, "station")
    size = f"{render.size(made.packed_bytes)}, {render.size(made.raw_bytes)} unpacked"
    render.say(f"{reports} of {stations}, {size}, {made.seconds:.1f} s")
    if made.run is None:
        render.say("no run had finished")
    else:
        render.say(f"after {made.run['command']} {made.run['run_id']} ({made.run['status']})")
    if made.unfinished:
        render.say(Cell(f"unfinished then: {', '.join(made.unfinished)}", ODD))
    if made.consistency != "unchanged":
        told = "a run wrote meanwhile: the next run after a restore completes it; for an exact state take it again"
        render.say(Cell(told, ODD))
    render.say(Cell(f"content {content.sha256}", QUIET))


def show_list(found: Sequence[Listed]) -> None:
    """A table, newest first."""
    rows: list[tuple[Cell | str, ...]] = []
    for item in found:
        size, made = render.size(item.bytes), item.manifest
        if made is None:
            rows.append((item.backup_id, "", "", "", size, Cell(item.problem or "", BAD)))
            continue
        run = "" if made.run is None else made.run["run_id"]
        rows.append((item.backup_id, run, made.engine, render.number(made.content.reports), size, _drilled(item)))
    numbers = (Column("reports", right=True), Column("size", right=True))
    columns = (
        Column("backup"),
        Column("after run", drop=2),
        Column("engine", drop=3),
        *numbers,
        Column("restore drill"),
    )
    render.table(columns, rows)


def _drilled(item: Listed) -> Cell | str:
    if item.drilled is None:
        return "never"
    told = render.instant(datetime.fromisoformat(item.drilled["at"]))
    return f"passed {told}" if item.drilled["ok"] else Cell(f"failed {told}", BAD)
