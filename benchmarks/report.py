"""What a run found: tables and targets, as plain text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True)
class Target:
    """A number that must be reached; `measured` and `bound` are in `unit`."""

    what: str
    measured: float
    bound: float
    unit: str
    better: Literal["more", "less"] = "more"

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.measured >= self.bound if self.better == "more" else self.measured <= self.bound

    def row(self, *, judged: bool) -> list[str]:
        """As the row of a table."""
        sign = "≥" if self.better == "more" else "≤"
        verdict = ("reached" if self.reached else "MISSED") if judged else "too small to judge"
        return [self.what, amount(self.measured, self.unit), f"{sign} {amount(self.bound, self.unit)}", verdict]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a header; columns but the first are set flush right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """For a terminal."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        body = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, "", body[0], "-" * max(map(len, body)), *body[1:], ""])

    def markdown(self) -> str:
        """For a file."""
        rule = ["---", *("---:" for _ in self.header[1:])]
        lines = ["| " + " | ".join(line) + " |" for line in (self.header, rule, *self.rows)]
        return "\n".join([f"### {self.title}", "", *lines, ""])


@dataclass(frozen=True, slots=True)
class Section:
    """One of the measurements: its tables, its targets and what a reader must know of them."""

    title: str
    tables: Sequence[Table]
    targets: Sequence[Target]
    notes: Sequence[str] = field(default_factory=tuple)

    def all_tables(self, *, judged: bool) -> list[Table]:
        """The tables, that of the targets last."""
        rows = [target.row(judged=judged) for target in self.targets]
        header = ["target", "measured", "wanted", ""]
        return [*self.tables, *([Table("Targets", header, rows)] if rows else [])]

    def text(self, *, judged: bool) -> str:
        """For a terminal."""
        notes = [f"* {note}" for note in self.notes]
        parts = [table.text() for table in self.all_tables(judged=judged)]
        return "\n".join([f"== {self.title}", "", *parts, *notes, ""])

    def markdown(self, *, judged: bool) -> str:
        """For a file."""
        notes = [f"- {note}" for note in self.notes]
        parts = [table.markdown() for table in self.all_tables(judged=judged)]
        return "\n".join([f"## {self.title}", "", *parts, *notes, ""])


def amount(value: float, unit: str) -> str:
    """A number with its unit, with as many digits as it deserves."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{text}{unit}" if unit in ("x", "") else f"{text} {unit}"


def milliseconds(seconds: float) -> str:
    """A duration in ms."""
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def p95(values: Sequence[float]) -> float:
    """The 95th percentile: the smallest value that at least 95 % of all do not exceed."""
    ordered = sorted(values)
    return ordered[-(-95 * len(ordered) // 100) - 1]


__all__ = ["Section", "Table", "Target", "amount", "median", "milliseconds", "p95"]
