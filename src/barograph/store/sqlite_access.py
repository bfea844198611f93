"""How SQLite finds a span's rows, and when they are there: `Store.explain` and `Store.fetch` of the engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from time import perf_counter
from typing import Any, Final

from barograph.store.base import AccessPlan, Fetch

_INDEX: Final = re.compile(r"\bUSING (?:COVERING )?(?:INDEX (\S+)|(INTEGER PRIMARY KEY))")


def explained(connection: Connection, sql: str, parameters: Sequence[str]) -> AccessPlan:
    """The plan of a SELECT; what it examines is not told."""
    steps = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    indexes = [found[1] or found[2] for step in steps if (found := _INDEX.search(step)) is not None]
    return AccessPlan(_filled(sql, parameters), tuple(steps), " ".join(dict.fromkeys(indexes)) or None)


def fetched(rows: Iterable[Sequence[Any]], begun: float) -> Fetch:
    """Take all rows, whose first cell is the blob. `execute` looks the first one up before it returns.

    So this driver has no lazy cursor; `begun` is the `perf_counter` before it was asked.
    """
    first, count, size = None, 0, 0
    for row in rows:
        if first is None:
            first = perf_counter() - begun
        count += 1
        size += len(row[0])
    return Fetch(count, size, None, first, perf_counter() - begun)


def _filled(sql: str, parameters: Sequence[str]) -> str:
    """The statement on one line, with its parameters, to be pasted into a SQLite client."""
    texts = iter(parameters)
    return " ".join(re.sub(r"\?", lambda _: "'" + next(texts).replace("'", "''") + "'", sql).split())
