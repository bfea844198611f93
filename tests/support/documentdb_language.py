"""Queries, projections, sorts, pipelines, expressions and schemas of MongoDB, held against DocumentDB's list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.support.documentdb_list import Allowed, Optional, Refusal

_WITH_SCHEMAS: Final = frozenset({"items", "additionalItems", "additionalProperties", "not", "allOf", "anyOf", "oneOf"})
"""Keywords that hold one schema or several."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something in a command that is not on the list: where it stands, what it is, what the server would say.

    `refusal` is None for what the server takes but barograph may not rely on; `optional` is set where it may try.
    """

    path: str
    item: str
    why: str
    refusal: Refusal | None
    optional: Optional | None = None

    def __str__(self) -> str:
        return f"{self.path}: {f'{self.item} {self.why}'.strip()}"


class Language:
    """A walk that notes what is not on the list in `found`; a `path` says where in the command it is."""

    def __init__(self, allowed: Allowed) -> None:
        self.allowed = allowed
        self.found: list[Violation] = []
        self._stages: dict[str, Callable[[Any, str], None]] = {
            "$match": self.query,
            "$group": self.group,
            "$project": self.expression,
            "$addFields": self.expression,
            "$replaceRoot": self.expression,
            "$sort": self.sort,
            "$unwind": self.unwind,
            "$lookup": self.lookup,
            "$out": self.out,
        }

    def violate(self, path: str, item: object, kind: str | None, why: str = "is not on the list") -> None:
        """Note something; `kind` names the refusal, None is for what the server would take."""
        text = str(item)
        refusal = self.allowed.refusals[kind] if kind else None
        self.found.append(Violation(path, text, why, refusal, self.allowed.optional_at(path, text)))

    def keys(self, value: Mapping[str, Any], path: str, *, section: str, key: str) -> None:
        """A document with known fields only."""
        for name in value:
            self.one_of(name, f"{path}.{name}", section=section, key=key)

    def one_of(self, name: object, path: str, *, section: str, key: str) -> None:
        """One of the entries of a list."""
        if name not in self.allowed.names(section, key):
            self.violate(path, name, "field")

    def query(self, value: Mapping[str, Any], path: str) -> None:
        """A filter."""
        for name, part in value.items():
            here = f"{path}.{name}"
            if not name.startswith("$"):
                self.condition(part, here)
            elif name not in self.allowed.names("query", "top"):
                self.violate(here, name, "feature")
            elif name in ("$and", "$or", "$nor"):
                for number, inner in enumerate(part):
                    self.query(inner, f"{here}[{number}]")
            elif name == "$expr":
                self.expression(part, here)
            elif name == "$jsonSchema":
                self.schema(part, here)

    def condition(self, value: Any, path: str) -> None:
        """What a filter asks of one field; a document without operators is compared as a whole."""
        if not isinstance(value, Mapping) or not any(name.startswith("$") for name in value):
            return
        for name, part in value.items():
            here = f"{path}.{name}"
            if name not in self.allowed.names("query", "field"):
                self.violate(here, name, "feature")
            elif name == "$not":
                self.condition(part, here)
            elif name == "$elemMatch":
                self.elements(part, here)
            elif name in self.allowed.names("query", "no-list") and isinstance(part, list):
                self.violate(here, f"array for {name} filter", "feature")
            elif name in self.allowed.names("query", "plain-lists"):
                for number, element in enumerate(part):
                    if isinstance(element, Mapping) and any(inner.startswith("$") for inner in element):
                        self.violate(f"{here}[{number}]", next(iter(element)), "feature", f"is not possible in {name}")

    def elements(self, value: Mapping[str, Any], path: str) -> None:
        """$elemMatch, of documents or of plain values."""
        plain = all(name in self.allowed.names("query", "field") for name in value)
        (self.condition if plain else self.query)(value, path)

    def projection(self, value: Mapping[str, Any], path: str) -> None:
        """Fields of a find: in or out; only aggregations compute."""
        for name, part in value.items():
            here = f"{path}.{name}"
            if isinstance(part, Mapping):
                for operator, inner in part.items():
                    if operator not in self.allowed.names("projection", "operators"):
                        self.violate(f"{here}.{operator}", operator, "expression")
                    elif operator == "$elemMatch":
                        self.elements(inner, f"{here}.{operator}")
            elif not isinstance(part, (bool, int, float)):
                self.violate(here, part, "expression", "is computed")

    def sort(self, value: Mapping[str, Any], path: str) -> None:
        """Fields and directions."""
        for name, direction in value.items():
            if isinstance(direction, Mapping):
                self.violate(f"{path}.{name}", next(iter(direction)), "feature")
            elif name == "$natural" and direction != 1:
                self.violate(f"{path}.{name}", f"{name}: {direction}", "feature")
            else:
                self.one_of(direction, f"{path}.{name}", section="sort", key="directions")

    def pipeline(self, value: Any, path: str) -> None:
        """Stages of an aggregation."""
        for number, stage in enumerate(value):
            for name, part in stage.items():
                here = f"{path}[{number}].{name}"
                if name not in self.allowed.names("aggregation", "stages"):
                    self.violate(here, name, "stage")
                elif name in self._stages:
                    self._stages[name](part, here)

    def group(self, value: Mapping[str, Any], path: str) -> None:
        """A key, and accumulators."""
        for field, part in value.items():
            here = f"{path}.{field}"
            if field == "_id":
                self.expression(part, here)
                continue
            for name, inner in part.items():
                if name not in self.allowed.names("expressions", "accumulators"):
                    self.violate(f"{here}.{name}", name, "expression")
                else:
                    self.expression(inner, f"{here}.{name}")

    def unwind(self, value: Any, path: str) -> None:
        """A path, or a document with one."""
        if isinstance(value, Mapping):
            self.keys(value, path, section="aggregation", key="unwind")

    def lookup(self, value: Mapping[str, Any], path: str) -> None:
        """A join on equality."""
        for name in value:
            if name not in self.allowed.names("aggregation", "lookup"):
                text = "$lookup on multiple join conditions and uncorrelated subquery"
                self.violate(f"{path}.{name}", text, "stage")

    def out(self, value: Any, path: str) -> None:
        """A collection of the same database."""
        if not isinstance(value, str):
            self.violate(path, "$out to another database", "feature")

    def expression(self, value: Any, path: str) -> None:
        """An expression, at any depth."""
        if isinstance(value, str):
            name = value[2:].partition(".")[0] if value.startswith("$$") else ""
            # A program's own variables begin with a small letter.
            if name[:1].isupper() and name not in self.allowed.names("expressions", "variables"):
                self.violate(path, f"$${name}", "feature")
        elif isinstance(value, Mapping):
            for name, part in value.items():
                self.operator(name, part, f"{path}.{name}")
        elif isinstance(value, (list, tuple)):
            for number, part in enumerate(value):
                self.expression(part, f"{path}[{number}]")

    def operator(self, name: str, value: Any, path: str) -> None:
        """An operator of an expression with its arguments, or a named argument or field."""
        if name.startswith("$") and name not in self.allowed.names("expressions", "operators"):
            self.violate(path, name, "expression")
        elif name == "$filter" and "limit" in value:
            self.violate(f"{path}.limit", "limit", "field")
        elif name != "$literal":
            self.expression(value, path)

    def schema(self, value: Any, path: str) -> None:
        """A JSON schema; true and false are schemas, too."""
        for name, part in value.items() if isinstance(value, Mapping) else ():
            here = f"{path}.{name}"
            if name not in self.allowed.names("validator", "keywords"):
                self.violate(here, name, "feature")
            elif name == "bsonType":
                for alias in [part] if isinstance(part, str) else part:
                    self.one_of(alias, here, section="validator", key="types")
            elif name in ("properties", "patternProperties"):
                for field, inner in part.items():
                    self.schema(inner, f"{here}.{field}")
            elif name in _WITH_SCHEMAS:
                for number, inner in enumerate(part if isinstance(part, list) else [part]):
                    self.schema(inner, f"{here}[{number}]" if isinstance(part, list) else here)
