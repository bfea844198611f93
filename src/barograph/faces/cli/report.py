"""What a run did, and what a verification found, as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from barograph.faces.cli import render
from barograph.faces.cli.render import BAD, GOOD, ODD, QUIET, STRONG, Cell, Column, count, number

if TYPE_CHECKING:
    from barograph.model import Counts, Rejection, RunReport, SyncReport
    from barograph.pipeline import Difference, VerifyReport

SHOWN_OBJECTS: Final = 20
SHOWN_REJECTIONS: Final = 10
SHOWN_WARNINGS: Final = 5
SHOWN_DIFFERENCES: Final = 20

EXIT_CODES: Final = {"done": 0, "failed": 1, "incomplete": 3}
"""Status of a run -> exit code."""

STATE_STYLES: Final = {
    "landed": GOOD,
    "done": GOOD,
    "unchanged": QUIET,
    "incomplete": ODD,
    "late": ODD,
    "stopped": ODD,
    "skipped": QUIET,
    "good": GOOD,
    "unsteady": ODD,
    "failing": BAD,
    "failed": BAD,
}


def state(text: str) -> Cell:
    """A state in its colour."""
    return Cell(text, STATE_STYLES.get(text, ""))


def show_run(report: RunReport, warnings: Sequence[str] = (), *, prefix: str = "barograph") -> None:
    """A run's report and what it warned of; `prefix` is how the command line starts that shows the rest of either."""
    if report.connections:
        render.say(Cell("Arrived", STRONG))
        show_connections(report.connections)
        render.say("")
    if report.command != "sync":
        show_objects(report)
    if report.rejections_total:
        render.say("")
        _rejected(report, prefix)
    _failures(report)
    if warnings:
        render.say("")
        render.say(Cell(f"Warnings ({number(len(warnings))})", STRONG))
        for text in warnings[:SHOWN_WARNINGS]:
            render.say(Cell("- ", ODD), text)
        if len(warnings) > SHOWN_WARNINGS:
            render.say(Cell("all of them:", QUIET))
            render.command_line(f"  {prefix} logs --type warning --run {report.run_id} --limit 0")
    render.say("")
    _verdict(report)


def _rejected(report: RunReport, prefix: str) -> None:
    columns = sum(rejection.rows == 0 for rejection in report.rejections)
    what = [(report.reports.rejected, "row"), (columns, "column")]
    told = f"Rejected: {' and '.join(count(value, noun) for value, noun in what if value)}"
    if len(report.rejections) < report.rejections_total:
        told += f" ({number(report.rejections_total)} log entries, of which these are the first)"
    render.say(Cell(told, STRONG))
    hidden = show_rejections(report.rejections)
    if hidden or len(report.rejections) < report.rejections_total:
        # What an earlier run has logged of the same content stands under that run.
        run = "" if report.command == "rebuild" else f" --run {report.run_id}"
        render.say(Cell("all of them:", QUIET))
        render.command_line(f"  {prefix} logs --type error{run} --limit 0")


def show_connections(reports: Sequence[SyncReport]) -> None:
    """What each connection brought."""
    render.table(
        ["connection", "state", Column("records", right=True), Column("size", right=True), Column("time", right=True)],
        [
            (
                item.connection,
                state(item.status),
                number(item.records) if item.status == "landed" else "",
                render.size(item.bytes) if item.status == "landed" else "",
                render.duration(item.finished - item.started),
            )
            for item in reports
        ],
    )


def show_objects(report: RunReport) -> None:
    """What became of each object; of very many the ones that matter."""
    objects = list(report.objects)
    if not objects:
        known = f"{count(report.skipped, 'object')} known already" if report.skipped else "the landing zone is empty"
        render.say(f"Nothing to ingest: {known}.")
        return
    if len(objects) > SHOWN_OBJECTS:
        objects.sort(key=lambda item: (item.error is None, -item.reports.rejected, -item.reports.new))
    shown = sorted(objects[:SHOWN_OBJECTS], key=report.objects.index)
    render.say(Cell("Ingested", STRONG))
    names = ("new", "changed", "unchanged", "rejected")
    rows = [(item.object, item.reports, item.error) for item in shown]
    render.table(
        [Column("object", wrap=True), *(Column(name, right=True) for name in names)],
        [
            (key, *(_counts(counts) if error is None else (Cell("failed", BAD), "", "", "")))
            for key, counts, error in rows
        ],
    )
    if len(objects) > SHOWN_OBJECTS:
        render.say(Cell(f"and {count(len(objects) - SHOWN_OBJECTS, 'object')} more", QUIET))
    if report.skipped:
        render.say(Cell(f"{count(report.skipped, 'object')} known already", QUIET))


def _counts(counts: Counts) -> tuple[Cell, ...]:
    new, changed, unchanged = (
        Cell(number(value), "" if value else QUIET) for value in (counts.new, counts.changed, counts.unchanged)
    )
    return new, changed, unchanged, Cell(number(counts.rejected), BAD if counts.rejected else QUIET)


def show_rejections(rejections: Sequence[Rejection]) -> int:
    """Where each refused row stands, what it said, and why it is not in the record; returns how many are not shown.

    Neighbours that differ in nothing but their row stand on one line.
    """
    groups = [list(group) for _, group in groupby(rejections, key=_kind)]
    shown = groups[:SHOWN_REJECTIONS]
    render.table(
        [Column("where", wrap=True), "column", "value", Column("reason", wrap=True)],
        [
            (_places(group), group[0].column or "", Cell(_short(group[0].value), BAD), group[0].reason)
            for group in shown
        ],
    )
    return sum(map(len, groups[SHOWN_REJECTIONS:]))


def _kind(rejection: Rejection) -> tuple[str | None, ...]:
    return rejection.object, rejection.sheet, rejection.column, rejection.value, rejection.reason


def _places(group: Sequence[Rejection]) -> str:
    """The object's name (without its folders), sheet, rows and lines."""
    first, last = group[0], group[-1]
    parts = [first.object.rpartition("/")[2]]
    parts += [f"sheet {first.sheet}"] if first.sheet is not None else []
    for name, low, high in (("row", first.row, last.row), ("line", first.line, last.line)):
        if low is not None:
            parts.append(f"{name} {low}" if high is None or high == low else f"{name}s {low}–{high}")
    return ", ".join(parts)


def _short(value: str | None) -> str:
    text = "" if value is None else value
    return text if len(text) <= 30 else text[:29] + "…"


def _failures(report: RunReport) -> None:
    failed: list[tuple[str, str]] = [(f"connection {c.connection}", c.error) for c in report.connections if c.error]
    failed += [(item.object, item.error.removeprefix(f"{item.object}: ")) for item in report.objects if item.error]
    if not failed:
        return
    render.say("")
    render.say(Cell(f"Failed ({len(failed)})", STRONG))
    for name, error in failed[:SHOWN_OBJECTS]:
        render.say(Cell(name, BAD), f": {error}")
    if len(failed) > SHOWN_OBJECTS:
        render.say(Cell(f"and {len(failed) - SHOWN_OBJECTS} more", QUIET))


def _verdict(report: RunReport) -> None:
    counts = report.reports
    took = render.duration(report.finished - report.started)
    told: list[str | Cell] = [state(report.status), f" in {took}: "]
    if report.command == "sync":
        landed = sum(c.status == "landed" for c in report.connections)
        told += [f"{landed} of {count(len(report.connections), 'connection')} brought something new"]
    else:
        told += [
            Cell(f"{number(counts.new)} new", STRONG),
            *(f", {number(getattr(counts, name))} {name}" for name in ("changed", "unchanged", "rejected")),
        ]
        extra = [("duplicate", counts.duplicates), ("blank row", counts.blank)]
        told += [f", {count(value, noun)}" for noun, value in extra if value]
    if report.store_waits.calls:
        told.append(Cell(f", {render.duration(report.store_waits.total_s)} of it waiting for the store", ODD))
    render.say(*told, Cell(f"  (run {report.run_id})", QUIET))
    if report.status == "incomplete":
        render.say(Cell("exit 3: the run finished, but something was rejected or failed; see above", ODD))
    elif report.status == "failed":
        render.say(Cell("exit 1: nothing could be done; see above", BAD))


def show_verify(report: VerifyReport) -> None:
    """Whether the record is proven, and every difference (the first ones)."""
    shown = report.differences[:SHOWN_DIFFERENCES]
    if shown:
        found = report.total + report.unproven
        first = f", the first {len(shown)}" if len(shown) < found else ""
        render.say(Cell(f"Differences ({number(found)}{first})", STRONG))
        render.table(
            ["kind", "station", "utc time", "variable", Column("stored", right=True), Column("landed", right=True),
             Column("object", wrap=True)],
            [_difference(item) for item in shown],
        )  # fmt: skip
        render.say("")
    held = f"{number(report.reports)} reports ({number(report.values)} values) of {count(report.stations, 'station')}"
    if report.proven:
        render.say(Cell("proven", GOOD), f": {held} equal what the landing zone says, value by value")
    else:
        render.say(
            Cell("not proven", BAD),
            f": {count(report.total, 'difference')} in {held}; `barograph rebuild` makes it from the landing zone",
        )
    if report.unproven:
        render.say(Cell("note", ODD), f": {count(report.unproven, 'report')} whose object has left the landing zone")
    for key in report.failed_objects:
        render.say(Cell("note", ODD), f": {key} cannot be read; what is whole in it was compared")


def _difference(item: Difference) -> tuple[str | Cell, ...]:
    where = item.origin if item.line is None else f"{item.origin}, line {item.line}"
    stored, landed = ("" if value is None else str(value) for value in (item.stored, item.landed))
    name = item.variable or "(report)"
    return Cell(item.kind, BAD), item.station_id, render.instant(item.utc_time), name, stored, landed, where
