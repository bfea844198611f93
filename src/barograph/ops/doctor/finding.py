"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from barograph.errors import BarographError

Verdict = Literal["ok", "warning", "failed"]
ORDER: Final[tuple[Verdict, ...]] = ("ok", "warning", "failed")


@dataclass(frozen=True, slots=True)
class Finding:
    """The check, its verdict, what was seen, and where that is not well, what to do."""

    name: str
    verdict: Verdict
    what: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """The findings of a place, and how far its clock is ahead of ours (seconds; None where it tells none)."""

    findings: tuple[Finding, ...]
    ahead: float | None = None


def of_error(name: str, error: BarographError, verdict: Verdict = "failed") -> Finding:
    """An error as a finding."""
    place = f"{error.where}: " if error.where and error.where != name else ""
    return Finding(name, verdict, f"{place}{error.what}", error.hint)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict among them."""
    return max((finding.verdict for finding in findings), key=ORDER.index, default="ok")
