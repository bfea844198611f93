"""Text for people: tables, numbers, times. Coloured on a terminal, aligned plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

GOOD: Final = "green"
BAD: Final = "red"
ODD: Final = "yellow"
QUIET: Final = "dim"
STRONG: Final = "bold"

GAP: Final = 2
"""Spaces between two columns."""
WRAPPED: Final = 30
"""Characters that a column which wraps gets at least, if it needs them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text with a style (of rich, used on a terminal only)."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. A title may have several lines.

    On a terminal, `wrap` folds its texts instead of cutting them. Where the table is too wide, columns are left out (a
    low `drop` stays longest, 0 always) and named below, by `name` or title.
    """

    title: str
    right: bool = False
    wrap: bool = False
    drop: int = 0
    name: str = ""


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def say(*parts: str | Cell) -> None:
    """One line of text on stdout."""
    cells = [part if isinstance(part, Cell) else Cell(part) for part in parts]
    if is_terminal():
        _console().print(*(_text(cell) for cell in cells), sep="")
    else:
        click.echo("".join(cell.text for cell in cells))


def command_line(text: str) -> None:
    """A command to be copied: the terminal breaks it where it must, we do not."""
    if is_terminal():
        _console().print(_text(Cell(text, QUIET if text.startswith("$") else "cyan")), soft_wrap=True)
    else:
        click.echo(text)


def heading(text: str) -> None:
    """A blank line and a title."""
    click.echo()
    say(Cell(text, STRONG))


def table(
    columns: Sequence[Column | str], rows: Iterable[Sequence[str | Cell]], *, more: str = "--json shows all"
) -> None:
    """A table on stdout; nothing for no rows. `more` is how to see the columns for which a terminal has no room."""
    heads = [column if isinstance(column, Column) else Column(column) for column in columns]
    cells = [[_clean(cell if isinstance(cell, Cell) else Cell(cell)) for cell in row] for row in rows]
    if not cells:
        return
    if not is_terminal():
        _plain_table(heads, cells)
        return
    kept = _fitting(heads, cells, _console().width)
    _rich_table([heads[index] for index in kept], [[row[index] for index in kept] for row in cells])
    missing = [head.name or head.title for index, head in enumerate(heads) if index not in kept]
    if missing:
        say(Cell(f"no room for {', '.join(missing)} ({more})", QUIET))


def _fitting(heads: Sequence[Column], rows: Sequence[Sequence[Cell]], room: int) -> list[int]:
    """The indices of the columns that fit beside each other."""
    widths: list[int] = []
    for index, head in enumerate(heads):
        title = max(map(len, head.title.split("\n")))
        text = max(len(row[index].text) for row in rows)
        widths.append(max(title, min(text, WRAPPED) if head.wrap else text) + GAP)
    kept: list[int] = []
    left = room + GAP
    for index in sorted(range(len(heads)), key=lambda index: heads[index].drop):
        if heads[index].drop == 0 or widths[index] <= left:
            kept.append(index)
            left -= widths[index]
    return sorted(kept)


def json(value: Any) -> None:
    """JSON on stdout, indented, in UTF-8."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def json_line(value: Any) -> None:
    """JSON on stdout, in one line."""
    import orjson

    click.echo(orjson.dumps(value))


def _text(cell: Cell) -> Text:
    from rich.text import Text

    return Text(cell.text, style=cell.style)


def _clean(cell: Cell) -> Cell:
    """What feeds and logs hold may be anything; a terminal must get no control character."""
    if cell.text.isprintable():
        return cell
    safe = (c if c.isprintable() or c == "\u00a0" else c.encode("unicode_escape").decode() for c in cell.text)
    return Cell("".join(safe), cell.style)


def _rich_table(heads: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style=STRONG, padding=(0, 1, 0, 0))
    for head in heads:
        grid.add_column(
            head.title,
            justify="right" if head.right else "left",
            no_wrap=not head.wrap,
            overflow="fold" if head.wrap else "ellipsis",
            vertical="top",
        )
    for row in rows:
        grid.add_row(*(_text(cell) for cell in row))
    _console().print(grid)


def _plain_table(heads: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    titles = [head.title.split("\n") for head in heads]
    depth = max(map(len, titles))
    lines = [[title[level] if level < len(title) else "" for title in titles] for level in range(depth)]
    lines += [[cell.text for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (
            text.rjust(size) if head.right else text.ljust(size)
            for text, size, head in zip(line, widths, heads, strict=True)
        )
        click.echo((" " * GAP).join(padded).rstrip())


def number(value: float) -> str:
    """With commas between thousands: 4,950."""
    return f"{value:,}"


def count(value: int, noun: str) -> str:
    """`1 report`, `2 reports`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def size(value: int) -> str:
    """Bytes in a unit that fits."""
    amount = float(value)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def duration(span: timedelta | float) -> str:
    """Seconds, or minutes, or hours."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def age(moment: datetime, now: datetime) -> str:
    """How long ago: `12 min ago`."""
    seconds = (now - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit} ago"
    return "just now"


def minute(moment: datetime | None) -> str:
    """A UTC instant to the minute; nothing for None."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


def instant(moment: datetime | None) -> str:
    """A UTC instant to the second (to the minute where there are none); nothing for None."""
    if moment is None:
        return ""
    value = moment.astimezone(UTC)
    return value.strftime("%Y-%m-%d %H:%M:%SZ" if value.second or value.microsecond else "%Y-%m-%d %H:%MZ")
