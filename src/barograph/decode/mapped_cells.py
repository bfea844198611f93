"""The cells that a mapping names, out of a table's columns and out of JSON values inside of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from barograph.decode.envelope import RawBatch, plain_name
from barograph.mapping import TableMapping

PLACES: Final = ("Sheet", "Row")
UNREAD: Final = "_unread"
"""The column in which our own sync lands a line of the source that it could not split, and why."""

KEPT: Final = ("_line", "_extracted_at")


@dataclass(slots=True)
class Cells:
    """Picks a mapping's columns, batch by batch, and remembers what the table has.

    `filled` are the table's columns that ever held a value, `found` the mapping's; `used` are the table's columns that
    the mapping took its cells from.
    """

    mapping: TableMapping
    seen: dict[str, None] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    found: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    @property
    def known(self) -> list[str]:
        """The table's columns, as far as the mapping tells."""
        return list(dict.fromkeys(part for name in self.mapping.names for part in (name, name.partition(".")[0])))

    def pick(self, batch: RawBatch) -> pl.DataFrame:
        """The mapping's columns under the names that it gives them, `_line`, `_extracted_at`, `__sheet` and `__row`.

        A name is the column of that name, else one that differs in blanks, case and a final dot alone, else the path
        of a value inside of a column of JSON objects. Empty cells are null.
        """
        cells_of = pl.col(batch.columns)
        frame = batch.frame.with_columns(pl.when(cells_of != "").then(cells_of)) if batch.columns else batch.frame
        empty = dict(zip(frame.columns, frame.null_count().row(0), strict=True)) if frame.width else {}
        here = [name for name in batch.columns if empty[name] < frame.height]
        self.seen.update(dict.fromkeys(batch.columns))
        self.filled.update(here)
        # A silent "T" is not the time that stands in "t": what the mapping names itself is no other's spelling.
        plain = {plain_name(name): name for name in reversed(here) if name not in self.mapping.names}
        direct: dict[str, str] = {}
        paths: dict[str, dict[str, tuple[str, ...]]] = {}
        for name in self.mapping.names:
            if name in here or plain_name(name) in plain:
                direct[name] = name if name in here else plain[plain_name(name)]
                self.used.add(direct[name])
            elif (place := _inside(name, here)) is not None:
                paths.setdefault(place[0], {})[name] = place[1]
                self.used.add(place[0])
        cells = [frame.get_column(source).alias(name) for name, source in direct.items()]
        for column, wanted in paths.items():
            cells += _values(frame.get_column(column), wanted)
        picked = frame.select(
            *KEPT,
            *(_place(name, frame.columns).alias(f"__{name.lower()}") for name in PLACES),
            _place(UNREAD, frame.columns).alias("__unread"),
        ).hstack(cells)
        self.found.update(cell.name for cell in cells if cell.null_count() < frame.height)
        absent = [name for name in self.mapping.names if name not in picked.columns]
        whole = picked.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
        # In one order for every batch, so that rows of several can be put under each other.
        return whole.select(*KEPT, "__sheet", "__row", "__unread", *self.mapping.names)


def _place(name: str, columns: Iterable[str]) -> pl.Expr:
    return pl.col(name) if name in columns else pl.lit(None, dtype=pl.String)


def _inside(name: str, columns: Iterable[str]) -> tuple[str, tuple[str, ...]] | None:
    """The column and the path in it of a dotted name, the longest column first."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if (column := ".".join(parts[:end])) in columns:
            return column, tuple(parts[end:])
    return None


def _values(column: pl.Series, wanted: dict[str, tuple[str, ...]]) -> list[pl.Series]:
    """Values inside of a column of JSON texts, each as text: parsed once for all paths, where every text allows it."""
    texts = column.to_frame("json")
    if (shape := _shape(wanted.values())) is not None:
        try:
            decoded = texts.select(pl.col("json").str.json_decode(shape))
            return decoded.select(_field(path).alias(name) for name, path in wanted.items()).get_columns()
        except pl.exceptions.PolarsError:
            pass  # Some text is no object, or has one where another has a number: value by value, then.
    # What is no object stands for each of its values, which it cannot be: the row is refused for it.
    nested = pl.col("json").str.contains(r"^\s*[{\[]")
    return texts.select(
        pl.when(nested).then(pl.col("json").str.json_path_match(_json_path(path))).otherwise(pl.col("json")).alias(name)
        for name, path in wanted.items()
    ).get_columns()


def _field(path: tuple[str, ...]) -> pl.Expr:
    value = pl.col("json")
    for part in path:
        value = value.struct.field(part)
    return value


def _shape(paths: Iterable[tuple[str, ...]]) -> pl.Struct | None:
    """The struct that holds all paths; None where one leads through a list, or ends on the way of another."""
    tree: dict[str, Any] = {}
    for path in paths:
        at = tree
        for part in path[:-1]:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                return None
        if any(part.isdecimal() for part in path) or at.setdefault(path[-1], "") != "":
            return None
    return _struct(tree)


def _struct(tree: dict[str, Any]) -> pl.Struct:
    return pl.Struct({name: _struct(value) if isinstance(value, dict) else pl.String() for name, value in tree.items()})


def _json_path(path: tuple[str, ...]) -> str:
    return "$" + "".join(f"[{part}]" if part.isdecimal() else f"['{part}']" for part in path)
