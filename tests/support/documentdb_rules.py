"""Whether Amazon DocumentDB 5.0 would take a command: every command document is walked, and held against the list.

    violations("find", {"find": "reports", "filter": {"$where": "1"}, "$db": "meteo"})
    # [find.filter: $where is not on the list, find: no sort]

Data (inserted documents, values that are set) is only looked at for its field names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from tests.support.documentdb_language import Language, Violation
from tests.support.documentdb_list import ALLOWED, Allowed

_SCALARS: Final = frozenset({str, int, float, bool, type(None), bytes, datetime})
"""Nothing inside."""
WITH_DOCUMENTS: Final = frozenset(
    {"find", "insert", "update", "delete", "findAndModify", "aggregate", "count", "distinct", "create", "createIndexes"}
)
"""Commands whose first value names a collection that documents are read from or written to."""


def violations(name: str, command: Mapping[str, Any], allowed: Allowed = ALLOWED) -> list[Violation]:
    """All that is not on the list, in the order of the document. Of a command that may not be seen ({}), its name."""
    check = Check(allowed)
    check.command(name, command, name)
    return check.found


class Check(Language):
    """One walk through one command."""

    def __init__(self, allowed: Allowed) -> None:
        super().__init__(allowed)
        self._transaction = False
        self._options: dict[str, Callable[[Any, str], None]] = {
            "listCollections.filter": partial(self.keys, section="list-collections", key="filter"),
            "collMod.index": partial(self.keys, section="index", key="modify"),
            "$readPreference": partial(self.keys, section="command-fields", key="read-preference"),
            "validationLevel": partial(self.one_of, section="validator", key="levels"),
            "validationAction": partial(self.one_of, section="validator", key="actions"),
            "filter": self.query,
            "query": self.query,
            "projection": self.projection,
            "fields": self.projection,
            "sort": self.sort,
            "pipeline": self.pipeline,
            "documents": self.documents,
            "update": self.update,
            "updates": self.statements,
            "deletes": self.statements,
            "indexes": self.indexes,
            "validator": self.validator,
            "readConcern": self.read_concern,
            "writeConcern": self.write_concern,
        }
        self._inside = allowed.names("documents", "forbidden-in-names")
        self._before = tuple(allowed.names("documents", "forbidden-before-names"))

    def command(self, name: str, command: Mapping[str, Any], path: str) -> None:
        """A command; `path` begins with its name."""
        if name not in self.allowed.commands:
            self.violate(path, name, "feature")
            return
        self._transaction = command.get("autocommit") is False
        if self._transaction and name not in self.allowed.names("transactions", "commands"):
            self.violate(path, name, "feature", "is not possible in a transaction")
        for option, value in list(command.items())[1:]:
            self.option(name, option, value, f"{path}.{option}")
        self.namespace(name, command, path)
        self.order(name, command, path)
        if name == "explain" and isinstance(inner := command.get("explain"), Mapping):
            inner_name = next(iter(inner))
            self.command(inner_name, inner, f"{path}.{inner_name}")

    def option(self, name: str, option: str, value: Any, path: str) -> None:
        """One field of a command."""
        known = self.allowed.commands[name] | self.allowed.names("command-fields", "any")
        if option in self.allowed.names("command-fields", "transaction"):
            if not self._transaction:
                self.violate(path, option, "retryable", "is a retryable write")
        elif option == "capped":
            self.violate(path, f"capped:{str(value).lower()}", "feature")
        elif option not in known:
            self.violate(path, option, "field")
        elif walk := self._options.get(f"{name}.{option}") or self._options.get(option):
            walk(value, path)

    def namespace(self, name: str, command: Mapping[str, Any], path: str) -> None:
        """Which database and collection."""
        if name not in WITH_DOCUMENTS:
            return
        database, collection = command.get("$db"), command.get(name)
        if database in self.allowed.names("databases", "without-documents"):
            self.violate(path, database, "feature", "holds no documents")
        if isinstance(collection, str):
            if collection.startswith("system."):
                self.violate(path, collection, "feature", "is not there")
            if len(collection.encode()) > self.allowed.number("index", "collection-name-bytes"):
                self.violate(path, collection, "field", "is too long a name")

    def order(self, name: str, command: Mapping[str, Any], path: str) -> None:
        """Nothing comes in an order of its own."""
        if name == "find" and not command.get("sort") and not _one(command.get("filter")) and not _probe(command):
            self.violate(path, "", None, "no sort, so in no order")
        if name == "aggregate" and isinstance(stages := command.get("pipeline"), Sequence) and not _settled(stages):
            self.violate(path, "", None, "$sort is not the last stage, so in no order")

    def read_concern(self, value: Mapping[str, Any], path: str) -> None:
        """The level, and no point in time."""
        levels = self.allowed.names("concerns", "read-in-transaction" if self._transaction else "read")
        for name, detail in value.items():
            if name != "level":
                # The driver sends afterClusterTime in a causally consistent session.
                self.violate(f"{path}.{name}", "'causal consistency'", "feature", f"asks for it ({name})")
            elif detail not in levels:
                self.violate(f"{path}.level", detail, "feature")

    def write_concern(self, value: Mapping[str, Any], path: str) -> None:
        """Acknowledged, journalled writes."""
        self.keys(value, path, section="concerns", key="write")
        if value.get("j") is False:
            self.violate(f"{path}.j", "j: false", "feature", "is not possible")

    def statements(self, value: Sequence[Mapping[str, Any]], path: str) -> None:
        """Elements of an update or delete command."""
        kind = path.rpartition(".")[2]
        for number, statement in enumerate(value):
            here = f"{path}[{number}]"
            self.keys(statement, here, section="statements", key=kind)
            self.query(statement.get("q", {}), f"{here}.q")
            if "u" in statement:
                self.update(statement["u"], f"{here}.u")
            for place, condition in enumerate(statement.get("arrayFilters", ())):
                self.query(condition, f"{here}.arrayFilters[{place}]")

    def update(self, value: Any, path: str) -> None:
        """Update operators, or a whole document."""
        if not isinstance(value, Mapping):
            self.violate(path, "an aggregation pipeline", "pipeline", "is no update")
        elif any(name.startswith("$") for name in value):
            for operator, fields in value.items():
                here = f"{path}.{operator}"
                if operator not in self.allowed.names("update", "operators"):
                    self.violate(here, operator, "field")
                elif isinstance(fields, Mapping):
                    for name, new in fields.items():
                        self.new_value(operator, new, f"{here}.{name}")
        else:
            self.document(value, path)

    def new_value(self, operator: str, value: Any, path: str) -> None:
        """What an update operator does to one field."""
        if operator == "$currentDate":
            return
        if isinstance(value, Mapping):
            if operator == "$pull":
                self.condition(value, path)
                return
            if operator in ("$push", "$addToSet") and "$each" in value:
                self.keys(value, path, section="update", key="modifiers")
                value = value["$each"]
        self.data(value, path)

    def documents(self, value: Sequence[Mapping[str, Any]], path: str) -> None:
        """Documents to insert."""
        for number, document in enumerate(value):
            self.document(document, f"{path}[{number}]")

    def document(self, value: Mapping[str, Any], path: str) -> None:
        """A whole document to store."""
        most = self.allowed.number("documents", "index-key-bytes")
        if isinstance(key := value.get("_id"), str) and len(key.encode()) > most:
            self.violate(f"{path}._id", f"{len(key.encode())} bytes", "field", "are too long for an index key")
        self.data(value, path)

    def data(self, value: Any, path: str) -> None:
        """Field names inside of data; only containers are entered."""
        if isinstance(value, Mapping):
            for name, part in value.items():
                if name.startswith(self._before) or any(sign in name for sign in self._inside):
                    self.violate(f"{path}.{name}", name, "field", "cannot be a field's name")
                if type(part) not in _SCALARS:
                    self.data(part, f"{path}.{name}")
        elif isinstance(value, (list, tuple)) and not _SCALARS.issuperset(map(type, value)):
            for number, part in enumerate(value):
                if type(part) not in _SCALARS:
                    self.data(part, f"{path}[{number}]")

    def indexes(self, value: Sequence[Mapping[str, Any]], path: str) -> None:
        """Definitions of indexes."""
        for number, index in enumerate(value):
            here = f"{path}[{number}]"
            self.keys(index, here, section="index", key="options")
            for name, direction in index.get("key", {}).items():
                self.one_of(direction, f"{here}.key.{name}", section="index", key="directions")
                if name.startswith("$") or ".$" in name:
                    self.violate(f"{here}.key.{name}", name, "field")
            if len(index.get("key", {})) > self.allowed.number("index", "most-fields"):
                self.violate(f"{here}.key", len(index["key"]), "field", "fields are too many")
            if len(str(index.get("name", "")).encode()) > self.allowed.number("index", "name-bytes"):
                self.violate(f"{here}.name", index["name"], "field", "is too long a name")
            if filters := index.get("partialFilterExpression"):
                self.operators_in(
                    filters, self.allowed.names("index", "partial-filter"), f"{here}.partialFilterExpression"
                )

    def operators_in(self, value: Any, operators: frozenset[str], path: str) -> None:
        """Only these operators, at any depth."""
        if isinstance(value, Mapping):
            for name, part in value.items():
                if name.startswith("$") and name not in operators:
                    self.violate(f"{path}.{name}", name, "field")
                self.operators_in(part, operators, f"{path}.{name}")
        elif isinstance(value, list):
            for number, part in enumerate(value):
                self.operators_in(part, operators, f"{path}[{number}]")

    def validator(self, value: Mapping[str, Any], path: str) -> None:
        """$jsonSchema, or nothing."""
        for name, schema in value.items():
            if name == "$jsonSchema":
                self.schema(schema, f"{path}.{name}")
            else:
                self.violate(f"{path}.{name}", name, "feature")


def _one(query: Any) -> bool:
    """Whether a query asks for the document of one id."""
    value = query.get("_id", {}) if isinstance(query, Mapping) else {}
    return not isinstance(value, Mapping) or "$eq" in value


def _probe(command: Mapping[str, Any]) -> bool:
    """Whether a find only asks if there is a document."""
    return command.get("limit") == 1 and command.get("projection") == {"_id": 1}


def _settled(stages: Sequence[Any]) -> bool:
    """Whether a pipeline gives its documents in an order, or only one, or none."""
    if not stages or not all(isinstance(stage, Mapping) and len(stage) == 1 for stage in stages):
        return True  # nothing to say of what no server takes
    named = [next(iter(stage.items())) for stage in stages]
    if named[-1][0] in ("$sort", "$group", "$out") or (named[0][0] == "$match" and _one(named[0][1])):
        return True
    return any(
        name == "$count" or (name == "$group" and not isinstance(value.get("_id"), (str, Mapping, list)))
        for name, value in named
    )
