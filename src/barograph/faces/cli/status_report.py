"""`barograph status` for people: what needs attention first, the rest in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from barograph.faces.cli import render
from barograph.faces.cli.render import BAD, GOOD, ODD, QUIET, STRONG, Cell, Column
from barograph.faces.cli.report import state

if TYPE_CHECKING:
    from barograph.ops.status import StationRow, Status
    from barograph.query.overview import ConnectionRow

T = TypeVar("T")

SHOWN: Final = 10
"""Connections, stations and failed objects that are shown unless all are asked for."""
SHARE: Final = 0.95
"""A station that was less complete yesterday is shown among the first."""
NAME: Final = 24
"""Characters of a station's name; the id tells it apart."""

_WORDS: Final = {"ok": ("all is well", GOOD), "attention": ("needs attention", ODD), "failed": ("failed", BAD)}


def show(found: Status, *, everything: bool) -> None:
    """The screen."""
    word, colour = _WORDS[found.result]
    render.say(Cell(word, f"bold {colour}"))
    _last_run(found)
    _places(found)
    _connections(found, everything=everything)
    _stations(found, everything=everything)
    if found.failed_objects:
        render.heading(f"Failed objects ({len(found.failed_objects)})")
        shown = list(found.failed_objects.items())[: None if everything else SHOWN]
        for key, error in shown:
            render.say(Cell(key, BAD), f": {error.removeprefix(f'{key}: ')}")
        _folded(len(found.failed_objects) - len(shown), "failed object")
    if found.problems:
        render.heading("What is wrong, and what to do")
        for problem in found.problems:
            render.say(Cell("- ", STRONG), problem.what)
            render.command_line(f"    {problem.command}")


def _last_run(found: Status) -> None:
    if (run := found.last_run) is None:
        return
    began, ended = (datetime.fromisoformat(run[key]) for key in ("started", "finished"))
    told = ", ".join(f"{run['reports'][name]:,} {name}" for name in ("new", "changed", "unchanged", "rejected"))
    render.say(
        "last run  ", f"{run['command']} ", state(run["status"]), f", {render.age(ended, found.now)} ({run['run_id']})"
    )
    render.say(Cell(f"          {told}, {render.duration(ended - began)}", QUIET))


def _places(found: Status) -> None:
    trouble = Cell("cannot be reached", BAD)
    store: list[str | Cell] = [found.store]
    if "store" in found.unreached:
        store += [", ", trouble]
    render.say("store     ", *store)
    if (replica := found.replica) is not None:
        colour = GOOD if replica.verdict == "healthy" else ODD if replica.verdict == "degraded" else BAD
        up = sum(member.healthy is not False for member in replica.members)
        members = f", {up} of {len(replica.members)} members answer" if replica.members else f", {replica.kind}"
        render.say("replicas  ", Cell(replica.verdict, colour), members)
    elif "replica set" in found.unreached:
        render.say("replicas  ", trouble)
    render.say("landing   ", found.landing)
    render.say("backups   ", *([trouble] if found.backups is None else _backups(found)))
    render.say("free      ", render.size(found.free_bytes))


def _backups(found: Status) -> list[str | Cell]:
    kept = found.backups
    if kept is None or kept.last is None:
        return [Cell("none yet", ODD)]
    told: list[str | Cell] = [f"{kept.count}, the last {render.age(kept.last, found.now)}"]
    if kept.drill_failed is not None:
        return [*told, "; ", Cell(f"the last drill failed {render.age(kept.drill_failed, found.now)}", BAD)]
    if kept.drilled is None:
        return [*told, "; ", Cell("never restored in a drill", ODD)]
    return [*told, f"; a drill succeeded {render.age(kept.drilled, found.now)}"]


def _connections(found: Status, *, everything: bool) -> None:
    rows, rest = _chosen(found.connections, partial(_rank_of_connection, late=found.late), everything=everything)
    if not rows:
        return
    render.heading("Connections" + (f" ({len(found.connections)})" if rest else ""))
    head = [
        Column("name"),
        Column("state"),
        Column("last sync", drop=3),
        Column("", drop=1, name="age"),
        Column("health", drop=2),
        Column("next due", drop=4),
        Column("enabled", drop=5),
    ]
    render.table(head, [_connection(row, found) for row in rows])
    _folded(len(rest), "connection", sum(_rank_of_connection(row, late=found.late)[0] == 0 for row in rest))


def _rank_of_connection(row: ConnectionRow, *, late: frozenset[str]) -> tuple[int, float]:
    """0: needs attention, 1: unsteady, 2: well, 3: off."""
    if not row.enabled:
        return 3, 0.0
    if row.state in ("failed", "never") or row.name in late:
        return 0, 0.0
    return 2 if row.history.health == "good" else 1, 0.0


def _connection(row: ConnectionRow, found: Status) -> tuple[str | Cell, ...]:
    now = found.now
    return (
        row.name,
        Cell("late", ODD) if row.name in found.late and row.state != "failed" else state(row.state),
        render.instant(row.last_sync),
        "" if row.last_sync is None else render.age(row.last_sync, now),
        state(row.history.health),
        render.minute(row.next_due),
        "yes" if row.enabled else Cell("no", QUIET),
    )


def _stations(found: Status, *, everything: bool) -> None:
    rows, rest = _chosen(found.stations, _rank_of_station, everything=everything)
    if not rows:
        return
    render.heading("Stations" + (f" ({len(found.stations)})" if rest else ""))
    head = [
        Column("id"),
        Column("name", drop=4),
        Column("reports", right=True, drop=3),
        Column("last report", drop=2),
        Column("", name="age"),
        Column("yesterday", right=True, drop=1),
        Column("7 days", right=True, drop=1),
    ]
    render.table(head, [_station(row, found.now) for row in rows])
    _folded(len(rest), "station", sum(_rank_of_station(row)[0] < 2 for row in rest))


def _rank_of_station(row: StationRow) -> tuple[int, float]:
    """Silent ones, then incomplete ones, the worst first; then the others."""
    if row.silent:
        return 0, 0.0 if row.last is None else row.last.timestamp()
    share = 1.0 if row.recent.yesterday is None else row.recent.yesterday
    return (1, share) if share < SHARE else (2, 0.0)


def _station(row: StationRow, now: datetime) -> tuple[str | Cell, ...]:
    age = "never" if row.last is None else render.age(row.last, now)
    name = row.stored.station.name or ""
    return (
        row.station_id,
        name if len(name) <= NAME else name[: NAME - 1] + "…",
        render.number(row.stored.summary.count),
        render.minute(row.last),
        Cell(age, BAD) if row.silent else age,
        _share(row.recent.yesterday),
        _share(row.recent.week),
    )


def _share(share: float | None) -> Cell:
    """Cut and not rounded, as `completeness` shows it: one report that is missing must not read as 100 %."""
    if share is None:
        return Cell("")
    text = "100 %" if share >= 1 else f"{int(share * 1000 + 1e-6) / 10:.1f} %"
    return Cell(text, "" if share >= SHARE else ODD)


def _chosen(items: Sequence[T], rank: Callable[[T], tuple[int, float]], *, everything: bool) -> tuple[list[T], list[T]]:
    """All of a few, in their order; of many the first by rank; and those that are left out."""
    if everything or len(items) <= SHOWN:
        return list(items), []
    ranked = sorted(items, key=rank)
    return ranked[:SHOWN], ranked[SHOWN:]


def _folded(count: int, noun: str, wrong: int = 0) -> None:
    if count:
        which = f", {wrong:,} of which need{'s' * (wrong == 1)} attention" if wrong else ""
        render.say(Cell(f"and {render.count(count, f'more {noun}')}{which} (--all shows them)", QUIET))
