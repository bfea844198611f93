"""The documentation as data: pages, their headings, links and code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(DOCS.glob("*.md")),
    *sorted(DOCS.glob("sources/*.md")),
)

_FENCE: Final = re.compile(r"^```([\w-]*)\s*$")
_FILE: Final = re.compile(r"<!-- file: (\S+) -->")
_NOT_RUN: Final = re.compile(r"<!-- not run: (.+) -->")
_LINK: Final = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_IMAGE: Final = re.compile(r"!\[([^\]]*)\]\(([^()\s]+)\)")
_HEADING: Final = re.compile(r"^#{1,6} (.+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its lines, where its text begins (1-based), and why it is not run, if so.

    `file` is the name under which the page wants it saved.
    """

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None
    file: str | None = None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    found: list[Block] = []
    begun: tuple[int, str, str | None, str | None] | None = None
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if (fence := _FENCE.match(line)) is None:
            continue
        if begun is None:
            above = [line for line in lines[max(0, number - 4) : number - 1] if line.strip()]
            marks = takewhile(lambda line: line.startswith("<!--"), reversed(above))
            reason, file = None, None
            for mark in marks:
                reason = match[1] if (match := _NOT_RUN.fullmatch(mark)) else reason
                file = match[1] if (match := _FILE.fullmatch(mark)) else file
            begun = (number + 1, fence[1], reason, file)
        else:
            text = "\n".join(lines[begun[0] - 1 : number - 1]) + "\n"
            found.append(Block(page, begun[0], begun[1], text, begun[2], begun[3]))
            begun = None
    assert begun is None, f"{page}: a block does not end"
    return found


def prose(page: Path) -> list[tuple[int, str]]:
    """The lines outside of fenced blocks, with their numbers."""
    inside, found = False, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            found.append((number, line))
    return found


def links(page: Path) -> Iterator[tuple[int, str, str]]:
    """Line, text and target of each link and image."""
    for number, line in prose(page):
        for pattern in (_LINK, _IMAGE):
            for match in pattern.finditer(line):
                yield number, match[1], match[2]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for _, line in prose(page):
        if (heading := _HEADING.match(line)) is None:
            continue
        base = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
        anchor, number = base, 0
        while anchor in found:
            number += 1
            anchor = f"{base}-{number}"
        found.add(anchor)
    return found


def cells(page: Path, head: str) -> list[list[str]]:
    """The rows of every table of the page whose head line contains `head`."""
    rows: list[list[str]] = []
    inside = False
    for _, line in prose(page):
        if not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| ---"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif head in line:
            inside = True
    assert rows, f"{page}: no table with {head!r}"
    return rows
