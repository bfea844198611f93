"""The line of each key of a TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from barograph.config.lines import key_lines

TEXT = '''\
# [not.a.table]
[a]
x = """
[b]
y = 1
"""
"q.k" = 'v' # = 3
[connections."my one".columns]
temperature = { column = "T [air], = {", unit = "°F" }
time = { column = [
   "Date",  # here
   "Time"], timezone = "x" }
missing = ["-",
  'n/a']
pressure.column = "P"
since = 2024-10-01 00:00:00
[[lists]]
k = 1
'''


def test_each_form_of_a_key() -> None:
    """Tables, quoted and dotted keys, inline tables, items of lists; not what only looks like one in a text."""
    one = ("connections", "my one", "columns")
    assert key_lines(TEXT) == {
        ("a",): 2, ("a", "x"): 3, ("a", "q.k"): 7, ("connections",): 8, one[:2]: 8, one: 8,
        (*one, "temperature"): 9, (*one, "temperature", "column"): 9, (*one, "temperature", "unit"): 9,
        (*one, "time"): 10, (*one, "time", "column"): 10, (*one, "time", "column", "0"): 11,
        (*one, "time", "column", "1"): 12, (*one, "time", "timezone"): 12,
        (*one, "missing"): 13, (*one, "missing", "0"): 13, (*one, "missing", "1"): 14,
        (*one, "pressure"): 15, (*one, "pressure", "column"): 15, (*one, "since"): 16,
        ("lists",): 17, ("lists", "k"): 18,
    }  # fmt: skip


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
VALUES = st.recursive(
    TEXTS | st.integers(-9, 9) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def toml(value: Any) -> str:
    """A value on one line, as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return dumps(value)


def paths(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*above, str(key))
        yield from paths(item, (*above, str(key)))


@given(table=st.dictionaries(TEXTS, VALUES, max_size=5))
def test_every_key_that_tomllib_reads_has_its_line(table: dict[str, Any]) -> None:
    """Whatever the texts hold: brackets, quotes, equals signs, number signs."""
    text = "".join(f"{dumps(key)} = {toml(value)}\n" for key, value in table.items())
    assert tomllib.loads(text) == table
    expected = {
        (key, *path): line for line, (key, value) in enumerate(table.items(), 1) for path in [(), *paths(value)]
    }
    assert key_lines(text) == expected
