"""Holds a parsed configuration file against the tables; its errors name the table, the key and the line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn

from barograph.config.kinds import SourceKind, kind_of
from barograph.config.lines import Keys, key_lines
from barograph.config.secrets import is_reference
from barograph.config.tables import LONGEST_LOG, TABLES, Option, Secret
from barograph.errors import ConfigError
from barograph.model import LONGEST_INTERVAL

_KIND_NAMES: Final = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of strings",
    dict: "a table",
    date: "a date",
}
_SIGNED: Final = ("latitude", "longitude", "elevation")


def local_path(url: str | None, base: Path) -> str | None:
    """A relative path from the file, made absolute against the file's folder; URLs pass."""
    if url is None or "://" in url:
        return url
    return str((base / Path(url).expanduser()).absolute())


class Checker:
    """Knows the file, so that every complaint points into it. `base` is the folder of its relative paths."""

    def __init__(self, path: Path | None, base: Path) -> None:
        self.path, self.base = path, base

    def tables(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Every table with its values' types checked. Raises ConfigError."""
        checked: dict[str, Any] = {}
        for name, body in raw.items():
            if name not in TABLES:
                self.fail(f"unknown table [{name}]", name, hint=f"known are {', '.join(TABLES)}")
            if not isinstance(body, dict):
                self.fail(f"[{name}] must be a table", name)
            if name in ("stations", "connections"):
                for key, entry in body.items():
                    if not isinstance(entry, dict):
                        self.fail(f"[{name}.{key}] must be a table", f"{name}.{key}")
                entries = {key: self._entry(name, f"{name}.{key}", entry) for key, entry in body.items()}
                checked[name] = entries
            else:
                checked[name] = self._table(name, body, TABLES[name])
        return checked

    def _entry(self, name: str, title: str, body: Mapping[str, Any]) -> dict[str, Any]:
        options = TABLES[name]
        if name == "connections":
            options = {**options, **self.kind(title, body).options}
        return self._table(title, body, options)

    def kind(self, title: str, body: Mapping[str, Any]) -> SourceKind:
        """The kind of source that a connection's table names."""
        source = body.get("source")
        if source is None:
            self.fail("source is missing", title, hint=TABLES["connections"]["source"].help, table=title)
        try:
            return kind_of(str(source))
        except ConfigError as error:
            self.fail(error.what, "source", hint=error.hint, table=title)

    def _table(self, title: str, body: Mapping[str, Any], options: Mapping[str, Option]) -> dict[str, Any]:
        result = {}
        for key, value in body.items():
            if key not in options:
                self.fail(f"unknown key {key!r} in [{title}]", key, hint=f"known are {', '.join(options)}", table=title)
            result[key] = self._value(title, key, value, options[key].kind)
        return result

    def _value(self, title: str, key: str, value: Any, kind: type) -> Any:
        named = f"[{title}] {key}"
        if kind is Secret:
            if not isinstance(value, str) or not is_reference(value):
                what = f"{named} must name a variable of the environment, never hold the secret itself"
                self.fail(what, key, hint=f'write {key} = "${{VARIABLE}}"', table=title)
            return value
        if kind is float and type(value) is int:
            value = float(value)
        if kind is date and isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                self.fail(f"{named} = {value!r} is not a date", key, hint='write it as "2024-10-01"', table=title)
        if kind is list and isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        if type(value) is not kind:
            self.fail(f"{named} must be {_KIND_NAMES[kind]}, not {value!r}", key, table=title)
        if isinstance(value, int | float):
            self._number(title, key, value)
        return value

    def _number(self, title: str, key: str, value: float) -> None:
        if key == "log_days" and value > LONGEST_LOG:
            what = f"[{title}] {key} = {value} is more than {LONGEST_LOG}"
            self.fail(what, key, hint="0 keeps them for ever", table=title)
        if key == "interval" and title.startswith("stations.") and not 1 <= value <= LONGEST_INTERVAL:
            what = f"[{title}] interval = {value} is not between 1 and {LONGEST_INTERVAL} minutes"
            self.fail(what, key, hint="it is the time from one report to the next", table=title)
        if key not in _SIGNED and value < 0:
            self.fail(f"[{title}] {key} = {value} must not be negative", key, table=title)

    def fail(self, what: str, key: str | Keys, *, hint: str = "", table: str | Keys = "") -> NoReturn:
        """Raise ConfigError at the line of `key`, looked for in [table] first."""
        raise ConfigError(what, where=f"{self.path}{self.line(key, table)}", hint=hint)

    def line(self, key: str | Keys, table: str | Keys = "") -> str:
        """`:line` of the place in the file that sets or opens `key` in a table, or of what it would stand in.

        `key` and `table` are paths: a tuple of keys, or a text of TOML with dots and quotes.
        """
        if self.path is None:
            return ""
        lines = self._lines
        inside, path = _parts(table), _parts(key)
        whole = (*inside, *path)
        places = [whole, path, *(whole[:end] for end in range(len(whole) - 1, 0, -1))]
        number = next((lines[place] for place in places if place in lines), None)
        return "" if number is None else f":{number}"

    @cached_property
    def _lines(self) -> dict[Keys, int]:
        return {} if self.path is None else key_lines(self.path.read_text(encoding="utf-8"))


def _parts(title: str | Keys) -> Keys:
    """The keys of a table's title, "connections.c" or [connections."c"]."""
    if isinstance(title, tuple) or not title:
        return tuple(title)
    try:
        value: Any = tomllib.loads(f"[{title}]")
    except tomllib.TOMLDecodeError:
        return tuple(title.split("."))
    parts = []
    while value:
        key, value = next(iter(value.items()))
        parts.append(key)
    return tuple(parts)
