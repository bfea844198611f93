"""[connections.NAME.columns] and its neighbours as a TableMapping; a complaint points at the line of the very key."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from barograph.config.checker import Checker
from barograph.config.secrets import references
from barograph.config.settings import Connection
from barograph.config.tables import MAPPING_OPTIONS
from barograph.config.timezones import is_timezone
from barograph.mapping import STATION_COLUMNS, TIME_FORMATS, MappedColumn, TableMapping, time_format_problem
from barograph.units import UNITS, unit_of
from barograph.variables import BY_NAME, NAMES

_COLUMNS: Final = "columns"
_OWN: Final = ("time", "missing", "decimal")
_TIME: Final = ("column", "format", "timezone")
CONTENTS: Final = ("csv", "json", "jsonl", "xlsx")
_SECRET_HEADER: Final = re.compile(r"auth|token|key|pass|secret|cookie|credential", re.IGNORECASE)


def make_mapping(name: str, options: Mapping[str, Any], station: str | None, checker: Checker) -> TableMapping:
    """The mapping that a connection's options say. Raises ConfigError."""
    return _Reader(("connections", name), checker).mapping(options, station)


def check_table(connection: Connection, checker: Checker) -> None:
    """Hold the settings of a connection of the kind "table" against what they may say. Raises ConfigError."""
    if connection.source == "table":
        _Reader(("connections", connection.name), checker).table_options(connection.options)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the settings of one connection; `table` is its path in the file."""

    table: tuple[str, ...]
    checker: Checker

    def mapping(self, options: Mapping[str, Any], station: str | None) -> TableMapping:
        columns = options.get(_COLUMNS)
        if columns is None:
            self._fail("the table [columns] is missing", (), MAPPING_OPTIONS[_COLUMNS].help)
        column = options.get("station_column")
        if column is None and station is None:
            self._fail("no station", (), "set station, or station_column where each row names its own")
        if column is not None and station is not None:
            self._fail("station and station_column exclude each other", ("station_column",), "keep one of them")
        time, time_format, timezone = self._time(columns)
        return TableMapping(
            columns=self._variables(columns),
            time=time,
            time_format=time_format,
            timezone=timezone,
            station=column,
            station_prefix=options.get("station_prefix") or "",
            missing=self._missing(columns),
            decimal=self._decimal(columns),
            station_columns=self._station_columns(options.get("station_columns") or {}),
            license_info=options.get("license_info"),
        )

    def _fail(self, what: str, key: tuple[str, ...], hint: str = "") -> NoReturn:
        named = ".".join(self.table)
        path = " ".join(key)
        self.checker.fail(
            f"[{named}] {path}: {what}" if path else f"[{named}]: {what}", key, hint=hint, table=self.table
        )

    # ------------------------------------------------------------------------------------------------ the variables

    def _variables(self, columns: Mapping[str, Any]) -> dict[str, MappedColumn]:
        found: dict[str, MappedColumn] = {}
        for variable, said in columns.items():
            if variable in _OWN:
                continue
            if variable not in BY_NAME:
                near = get_close_matches(variable, NAMES, n=1)
                meant = f"did you mean {near[0]}? " if near else ""
                hint = f"{meant}known are {', '.join(NAMES)}, and {', '.join(_OWN)}"
                self._fail("unknown variable", (_COLUMNS, variable), hint)
            found[variable] = self._variable(variable, said)
        if not found:
            self._fail("maps no variable", (_COLUMNS,), 'name the column of one, as temperature = "T air"')
        return found

    def _variable(self, variable: str, said: Any) -> MappedColumn:
        key = (_COLUMNS, variable)
        if isinstance(said, str):
            self._text(said, key)
            return MappedColumn(said)
        if not isinstance(said, dict):
            self._fail(f"must be a column's name or a table, not {said!r}", key, 'as { column = "T air", unit = "°F" }')
        self._only(said, ("column", "unit"), key)
        column, unit = said.get("column"), said.get("unit", "")
        self._text(column, (*key, "column") if "column" in said else key)
        if not isinstance(unit, str) or not _is_unit(variable, unit):
            known = ", ".join(_units(variable)) or "none: leave unit out"
            self._fail(f"{unit!r} is no unit of {variable}", (*key, "unit"), f"known are {known}")
        return MappedColumn(str(column), unit)

    def _only(self, said: Mapping[str, Any], known: Iterable[str], key: tuple[str, ...]) -> None:
        for each in said:
            if each not in known:
                self._fail("unknown key", (*key, each), f"known are {', '.join(known)}")

    def _text(self, value: Any, key: tuple[str, ...]) -> str:
        if not isinstance(value, str) or not value.strip():
            self._fail("must name a column of the table" if value is not None else "names no column", key)
        return value

    # ------------------------------------------------------------------------------------------------ the time

    def _time(self, columns: Mapping[str, Any]) -> tuple[tuple[str, ...], str, str]:
        said = columns.get("time")
        key = (_COLUMNS, "time")
        if said is None:
            self._fail("time is missing", (_COLUMNS,), 'as time = { column = "When", timezone = "Europe/Paris" }')
        if isinstance(said, str | list):
            said = {"column": said}
        if not isinstance(said, dict):
            self._fail(f"must be a column's name or a table, not {said!r}", key)
        self._only(said, _TIME, key)
        named = said.get("column")
        at = (*key, "column") if "column" in said and isinstance(columns["time"], dict) else key
        names = tuple(self._text(each, at) for each in (named if isinstance(named, list) else [named]))
        if not names:
            self._fail("names no column", at)
        time_format = said.get("format", "iso")
        problem = time_format_problem(time_format) if isinstance(time_format, str) else "must be a text"
        if problem is not None:
            hint = f'one of {", ".join(TIME_FORMATS)}, or a pattern as "%d/%m/%Y %H:%M"'
            self._fail(f"{time_format!r} {problem}", (*key, "format"), hint)
        return names, time_format, self._timezone(said, time_format)

    def _timezone(self, said: Mapping[str, Any], time_format: str) -> str:
        key = (_COLUMNS, "time")
        timezone = said.get("timezone")
        if timezone is None:
            if time_format in TIME_FORMATS or "%z" in time_format:
                return "UTC"
            hint = 'set timezone to "UTC", to an IANA name as "Europe/Paris", or to "station"'
            self._fail("its format says no offset, so the clock of the times is not known", key, hint)
        if not isinstance(timezone, str) or not (timezone == "station" or is_timezone(timezone)):
            hint = '"UTC", an IANA name as "Europe/Paris", or "station" for the clock of each row\'s station'
            self._fail(f"{timezone!r} is not a timezone", (*key, "timezone"), hint)
        return timezone

    # ------------------------------------------------------------------------------------------------ the rest

    def table_options(self, options: Mapping[str, Any]) -> None:
        """Settings of the kind "table" beside its mapping."""
        if (content := options.get("content")) is not None and content not in CONTENTS:
            self._fail(f"{content!r} is not known", ("content",), f"one of {', '.join(CONTENTS)}")
        if (delimiter := options.get("delimiter")) is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            self._fail(f"{delimiter!r} is no delimiter", ("delimiter",), 'one character, as ";"')
        try:
            codecs.lookup(options["encoding"])
        except LookupError:
            self._fail(f"{options['encoding']!r} is no encoding", ("encoding",), "as utf-8, cp1252 or iso8859-15")
        if options.get("header_row") == 0:
            self._fail("lines are counted from 1", ("header_row",))
        for name, value in (options.get("headers") or {}).items():
            key = ("headers", name)
            if not isinstance(value, str) or not re.fullmatch(r"[!#$%&'*+.^`|~\w-]+", name, re.ASCII):
                self._fail(f"{name!r} must be the name of a header, and its value a text", key)
            if _SECRET_HEADER.search(name) and not any(references(value)):
                hint = f'write {name} = "${{VARIABLE}}", with the word before it that the server wants'
                self._fail("must name a variable of the environment, never hold the secret itself", key, hint)

    def _missing(self, columns: Mapping[str, Any]) -> tuple[str, ...]:
        said = columns.get("missing", [])
        if isinstance(said, str):
            said = [said]
        if not isinstance(said, list):
            self._fail("must be a list of texts", (_COLUMNS, "missing"), 'as missing = ["-", "-999"]')
        for place, mark in enumerate(said):
            if not isinstance(mark, str | int | float) or isinstance(mark, bool):
                self._fail(f"{mark!r} is neither text nor number", (_COLUMNS, "missing", str(place)))
        return tuple(map(str, said))

    def _decimal(self, columns: Mapping[str, Any]) -> str:
        decimal = columns.get("decimal", ".")
        if decimal not in (".", ","):
            self._fail(f"{decimal!r} is not known", (_COLUMNS, "decimal"), 'one of ".", ","')
        return str(decimal)

    def _station_columns(self, said: Mapping[str, Any]) -> dict[str, str]:
        key = "station_columns"
        self._only(said, STATION_COLUMNS, (key,))
        return {name: self._text(column, (key, name)) for name, column in said.items()}


def _is_unit(variable: str, unit: str) -> bool:
    known = BY_NAME[variable]
    return unit in ("", known.unit) or bool(known.dimension and unit_of(known.dimension, unit))


def _units(variable: str) -> list[str]:
    """How the units of a variable are written, its canonical one first."""
    known = BY_NAME[variable]
    others = UNITS.get(known.dimension or "", {})
    return [*([known.unit] if known.unit else []), *(unit for unit in others if unit != known.unit.lower())]
