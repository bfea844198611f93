# ruff: noqa: INP001 - a script beside the pages, not a package
"""Writes what the documentation repeats of the code: docs/commands.md, and the tables between `generated` marks.

    .venv/bin/python docs/generate.py             writes
    .venv/bin/python docs/generate.py --check     exits 1 where a page is behind the code

A table stands between `<!-- generated: NAME -->` and `<!-- end -->`, on lines of their own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import click

from barograph import errors
from barograph.config import ENVIRONMENT, SOURCE_KINDS, TABLES, SourceKind
from barograph.decode.feeds import FEEDS, Feed
from barograph.faces.cli.command import CommandGroup
from barograph.faces.cli.main import SECTIONS, root
from barograph.ops.metrics import CLOUDWATCH, METRICS
from barograph.variables import BY_NAME, VARIABLES

DOCS: Final = Path(__file__).resolve().parent
WIDTH: Final = 100
MARK: Final = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD: Final = """\
# Commands

Made from the program's own help by `docs/generate.py`; `barograph COMMAND --help` prints the same.

"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a | in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def code(value: object) -> str:
    """`value` as code, nothing for None."""
    return "" if value is None else f"`{value}`"


def settings() -> str:
    """Every setting of barograph.toml."""
    rows = [
        (code(_table_name(name)), code(key), option.kind.__name__, _default(option.default), option.help)
        for name, options in TABLES.items()
        for key, option in options.items()
    ]
    return table(("table", "setting", "type", "default", "meaning"), rows)


def _table_name(name: str) -> str:
    return {"stations": "[stations.ID]", "connections": "[connections.NAME]"}.get(name, f"[{name}]")


def _default(value: Any) -> str:
    if value is None or value == ():
        return ""
    return code(str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else value)


def kinds() -> str:
    """Every kind of source."""
    return table(("source", "what it reads"), [(code(name), kind.summary) for name, kind in SOURCE_KINDS.items()])


def kind_settings(kind: SourceKind) -> str:
    """The settings that only connections of one kind have."""
    rows = [
        (code(key), option.kind.__name__.lower(), _default(option.default), option.help)
        for key, option in kind.options.items()
    ]
    return table(("setting", "type", "default", "meaning"), rows)


def metrics() -> str:
    """Every metric."""
    rows = [
        (code(metric.name), metric.unit, ", ".join(map(code, metric.labels)) or "–", metric.help) for metric in METRICS
    ]
    return table(("metric", "unit", "labels", "meaning"), rows)


def cloudwatch() -> str:
    """The metrics that CloudWatch has under names of its own, and what is written without a dimension."""
    there = {metric.name for metric in METRICS}
    rows = [
        (
            code(metric.name),
            metric.unit,
            ", ".join(map(code, metric.labels)) or "–",
            OVER_ALL[metric.whole],
            metric.help,
        )
        for metric in CLOUDWATCH
        if metric.name not in there or metric.whole is not None
    ]
    return table(("metric", "unit", "dimension", "without it", "meaning"), rows)


def environment() -> str:
    """Every BAROGRAPH_* variable."""
    return table(("variable", "meaning"), [(code(name), meaning) for name, meaning in ENVIRONMENT.items()])


def variables() -> str:
    """The variables: names, units, types, CF names, limits."""
    rows = [
        (
            code(v.name),
            v.unit or "–",
            v.kind,
            code(v.cf_name) or "–",
            f"{v.minimum:g} to {v.maximum:g}" if v.minimum is not None and v.maximum is not None else "–",
            v.limits_from or "",
        )
        for v in VARIABLES
    ]
    return table(("variable", "unit", "type", "CF standard name", "possible", "from"), rows)


def source_columns() -> str:
    """Which column or field of each source a variable comes from."""
    rows = [(code(v.name), code(v.wunderground) or "–", code(v.infoclimat) or "–") for v in VARIABLES]
    return table(("variable", "Weather Underground column", "Infoclimat field"), rows)


def feed_columns(feed: Feed) -> str:
    """The columns of a known server's table, as its mapping names them."""
    rows = [
        (code(name), code(column.column), column.unit or "–", BY_NAME[name].unit or "–")
        for name, column in feed.mapping.columns.items()
    ]
    return table(("variable", "column", "its unit", "stored in"), rows)


def error_tree() -> str:
    """The exceptions, as drawn in the module that defines them."""
    text = (errors.__doc__ or "").partition("\n\n")[2].rpartition("\n\n")[0]
    return f"```text\n{dedent(text).strip()}\n```\n"


OVER_ALL: Final = {None: "–", "max": "greatest", "min": "least", "sum": "sum"}
TABLE_OF: Final[dict[str, Callable[[], str]]] = {
    "settings": settings,
    "environment": environment,
    "variables": variables,
    "source-columns": source_columns,
    "errors": error_tree,
    "source-kinds": kinds,
    "metrics": metrics,
    "cloudwatch": cloudwatch,
    **{f"settings-{name}": partial(kind_settings, kind) for name, kind in SOURCE_KINDS.items()},
    **{f"columns-{name}": partial(feed_columns, feed) for name, feed in FEEDS.items()},
}


def commands() -> str:
    """The page of all commands."""
    context = click.Context(root, info_name="barograph", **{**root.context_settings, "terminal_width": WIDTH})
    text = HEAD
    for title, names in SECTIONS.items():
        links = " · ".join(f"[`{name}`](#{name})" for name in names)
        text += f"- **{title}**: {links}\n"
    text += f"\n## barograph\n\n{_help(root, context)}"
    for name in (name for section in SECTIONS.values() for name in section):
        command = root.get_command(context, name)
        if command is None:
            raise LookupError(name)
        own = click.Context(command, info_name=name, parent=context, terminal_width=WIDTH)
        text += f"\n## {name}\n\n{_help(command, own)}"
        for part in command.commands_of() if isinstance(command, CommandGroup) else ():
            inner = click.Context(part, info_name=part.name, parent=own, terminal_width=WIDTH)
            text += f"\n## {name} {part.name}\n\n{_help(part, inner)}"
    return text


def _help(command: click.Command, context: click.Context) -> str:
    lines = (line.rstrip() for line in command.get_help(context).splitlines())
    return "```text\n" + "\n".join(lines).strip() + "\n```\n"


def pages() -> dict[Path, str]:
    """Every page that is made, or has a table that is, with the text that it should have."""
    found = {DOCS / "commands.md": commands()}
    for path in sorted([*DOCS.glob("*.md"), *DOCS.glob("sources/*.md")]):
        text = path.read_text(encoding="utf-8")
        if path not in found and MARK.search(text):
            found[path] = MARK.sub(lambda match: f"{match[1]}\n{TABLE_OF[match[2]]()}\n{match[3]}", text)
    return found


def stale() -> list[Path]:
    """The pages that are behind the code."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main() -> int:
    """Write the pages, or with --check only say which are stale."""
    behind = stale()
    made = pages()
    for path in behind:
        sys.stdout.write(f"{path.relative_to(DOCS.parent)}\n")
        if "--check" not in sys.argv:
            path.write_text(made[path], encoding="utf-8")
    return 1 if behind and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
