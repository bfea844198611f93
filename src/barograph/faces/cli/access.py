"""What `access-time` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from barograph.faces.cli import render
from barograph.model import iso

if TYPE_CHECKING:
    from barograph.query import AccessTime, Durations, Span

NOT_TOLD: Final = "not told"


def write_json(found: AccessTime, station_id: str, span: Span, url: str) -> None:
    """One object; durations in milliseconds, null where there is none or the store does not tell."""
    plan = found.plan
    render.json(
        {
            "station_id": station_id,
            "from": iso(span.start),
            "to": iso(span.end),
            "store": url,
            "rows": found.reports,
            "n": found.rounds,
            **{f"{name}_ms": value for name, value in _milliseconds(found.in_hand).items()},
            "first_document_ms": found.first_document and _milliseconds(found.first_document),
            "fetched": {"documents": found.documents, "bytes": found.bytes},
            "plan": {
                "query": plan.query,
                "stages": plan.stages,
                "index": plan.index,
                "keys_examined": plan.keys_examined,
                "documents_examined": plan.documents_examined,
                "refused": plan.refused or None,
            },
            "lazy_cursor": found.cursor and {"documents_fetched": 0, "ms": _milliseconds(found.cursor)},
        }
    )


def show(found: AccessTime, station_id: str, span: Span, url: str) -> None:
    """A table of durations, and lines on what was fetched and how it was found."""
    reports = render.count(found.reports, "report")
    render.say(f"{reports} of {station_id} on {span.label} ({span.timezone}), from {url}")
    rows = [["all in hand, decoded", *_cells(found.in_hand)]]
    if found.first_document is not None:
        rows.append(["the first document there", *_cells(found.first_document)])
    numbers = ("n", "first", "min", "median", "p95")
    heads = [render.Column("until"), *(render.Column(name, right=True) for name in numbers)]
    render.table(heads, [[row[0], str(found.rounds), *row[1:]] for row in rows])
    render.say("")
    render.say(f"fetched  {render.count(found.documents, 'document')}, {render.size(found.bytes)}")
    for line in _plan(found):
        render.say(line)
    render.command_line(f"asked    {found.plan.query}")
    if found.cursor is not None:
        lazy = _amount(found.cursor.median)
        text = f"A lazy cursor is returned after {lazy}, with nothing fetched: no access time."
        render.say(render.Cell(text, render.QUIET))


def _plan(found: AccessTime) -> list[str]:
    plan = found.plan
    if plan.refused:
        return [f"plan     {NOT_TOLD}: {plan.refused}"]
    examined = [
        f"{NOT_TOLD if number is None else render.number(number)} {what}"
        for number, what in ((plan.keys_examined, "keys"), (plan.documents_examined, "documents"))
    ]
    if plan.keys_examined is None and plan.documents_examined is None:
        examined = [NOT_TOLD]
    return [
        f"plan     {' < '.join(plan.stages) or NOT_TOLD}",
        f"index    {plan.index or NOT_TOLD}",
        f"examined {', '.join(examined)}",
    ]


def _milliseconds(durations: Durations) -> dict[str, Any]:
    return {
        "first": round(durations.first * 1000, 4),
        "min": round(durations.minimum * 1000, 4),
        "median": round(durations.median * 1000, 4),
        "p95": round(durations.p95 * 1000, 4),
    }


def _cells(durations: Durations) -> list[str]:
    return [_amount(value) for value in (durations.first, durations.minimum, durations.median, durations.p95)]


def _amount(seconds: float) -> str:
    return f"{seconds * 1000:.3f} ms"
