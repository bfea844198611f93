"""SQL over the record, whichever engine keeps it: polars SQL on two lazy tables, `reports` and `stations`.

The reports are read in pieces while the statement runs, and only the columns that it mentions. Conditions of WHERE on
station_id, and comparisons of utc_time with a constant, decide beforehand what is read at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Final

import polars as pl
from polars.io.plugins import register_io_source

from barograph.errors import UsageError
from barograph.query.read import REPORTS_SCHEMA, STATIONS_SCHEMA, Query
from barograph.query.spans import Span

_START: Final = re.compile(r"(?:\s|--[^\n]*|/\*.*?\*/|\()*(\w*)", re.DOTALL)
_READING: Final = ("SELECT", "WITH", "FROM", "VALUES", "SHOW", "EXPLAIN", "DESCRIBE")
_FILES: Final = re.compile(r"\b(?:read|scan)_\w+", re.IGNORECASE)
_TICK: Final = timedelta(milliseconds=1)
_ALWAYS: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def sql(query: Query, statement: str, spans: Mapping[str, Span] | None = None) -> pl.DataFrame:
    """The answer to one SELECT over `reports` (REPORTS_SCHEMA) and `stations` (STATIONS_SCHEMA).

    `spans` bounds what `reports` holds (None: the whole record of every station). Instants are written as strings,
    '2024-10-01T06:00:00Z'; without Z they are UTC. Raises UsageError with what polars has against the statement.
    """
    _check(statement)
    tables = {"reports": lazy(query, spans), "stations": query.stations_frame().lazy()}
    try:
        with pl.SQLContext(tables) as context:
            return context.execute(statement).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise _usage(error) from error


def lazy(query: Query, spans: Mapping[str, Span] | None = None) -> pl.LazyFrame:
    """The reports of `spans` (None: the whole record) as a lazy frame of REPORTS_SCHEMA, read when it is collected.

    Rows come by station id, then time. Errors of the store pass through `collect`.
    """
    chosen = query.spans() if spans is None else dict(spans)

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        columns = list(REPORTS_SCHEMA) if with_columns is None else with_columns
        needed = set(columns) | set([] if predicate is None else predicate.meta.root_names())
        left = n_rows
        for piece in query.scan(narrow(chosen, predicate), columns=[c for c in REPORTS_SCHEMA if c in needed]):
            rows = piece if predicate is None else piece.filter(predicate)
            rows = rows.select(columns).head(rows.height if left is None else left)
            yield rows
            if left is not None and (left := left - rows.height) <= 0:
                return

    return register_io_source(source, schema=REPORTS_SCHEMA, is_pure=True, explain_name="barograph")


def narrow(spans: Mapping[str, Span], predicate: pl.Expr | None) -> dict[str, Span]:
    """The part of `spans` outside of which `predicate` cannot hold; what it does not understand it leaves alone."""
    result = dict(spans)
    for part in [] if predicate is None else _conjuncts(predicate):
        about = set(part.meta.root_names())
        if about == {"station_id"}:
            kept = pl.DataFrame({"station_id": list(result)}, schema={"station_id": pl.String}).filter(part)
            result = {station_id: result[station_id] for station_id in kept.get_column("station_id")}
        elif about == {"utc_time"}:
            start, end = _bounds(part)
            result = {
                station_id: replace(span, start=max(span.start, start), end=min(span.end, end))
                for station_id, span in result.items()
            }
    return result


def _conjuncts(expression: pl.Expr) -> Iterator[pl.Expr]:
    """The parts of `a AND b AND …`; an expression of another kind is its own part."""
    operands = expression.meta.pop()
    if len(operands) == 2 and expression.meta.eq(operands[1] & operands[0]):
        yield from _conjuncts(operands[1])
        yield from _conjuncts(operands[0])
    else:
        yield expression


def _bounds(part: pl.Expr) -> tuple[datetime, datetime]:
    """Bounds [start, end) that a comparison of utc_time with a constant instant sets; _ALWAYS where it sets none."""
    operands = part.meta.pop()
    start, end = _ALWAYS
    for column, constant in (operands, operands[::-1]) if len(operands) == 2 else ():
        if not (column.meta.is_column() and constant.meta.is_literal()):
            continue
        instant = pl.select(constant).item()
        if not isinstance(instant, datetime) or instant.tzinfo is None:
            continue
        instant = max(start, min(end - _TICK, instant))
        equal = (column == constant, constant == column)
        later = (column > constant, column >= constant, constant < column, constant <= column, *equal)
        earlier = (column < constant, column <= constant, constant > column, constant >= column, *equal)
        start = instant if any(map(part.meta.eq, later)) else start
        end = instant + _TICK if any(map(part.meta.eq, earlier)) else end
    return start, end


def _check(statement: str) -> None:
    """Refuse what is not a question to the record: polars would carry out a DELETE in memory, and read any file."""
    found = _START.match(statement)
    word = found[1].upper() if found else ""
    if word not in _READING:
        what = f"{word} is not a question" if word else "the statement is empty"
        raise UsageError(what, where="SQL", hint="write one SELECT over the tables reports and stations")
    if (file := _FILES.search(statement)) is not None:
        raise UsageError(f"{file[0]} is not allowed", where="SQL", hint="the tables are reports and stations")


def _usage(error: pl.exceptions.PolarsError) -> UsageError:
    """What polars says, without its plan, and what to do about it."""
    text = re.split(r"\n\s*\n", str(error).strip())[0].strip()
    hint = "the tables are reports and stations; SHOW TABLES, or SELECT * FROM reports LIMIT 1, shows what they hold"
    if isinstance(error, pl.exceptions.ColumnNotFoundError) and (name := re.search(r'"([^"]*)"', text)) is not None:
        text = f"no column {name[1]!r}"
        close = get_close_matches(name[1].lower(), [*REPORTS_SCHEMA, *STATIONS_SCHEMA], n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(dict.fromkeys(close))}?" if close else hint
    elif "datetime" in text.lower():
        hint = "write an instant as '2024-10-01T06:00:00Z'"
    return UsageError(" ".join(text.split()), where="SQL", hint=hint)
