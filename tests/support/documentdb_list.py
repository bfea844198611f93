"""docs/documentdb-5.0.toml as data: what barograph may ask of Amazon DocumentDB 5.0, and what it may only try."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "documentdb-5.0.toml"


@dataclass(frozen=True, slots=True)
class Refusal:
    """How DocumentDB refuses: an error code, and a text with a place for what is refused."""

    code: int
    text: str

    def document(self, item: str) -> dict[str, Any]:
        """The reply."""
        return {"ok": 0, "code": self.code, "errmsg": self.text.format(item)}


@dataclass(frozen=True, slots=True)
class Optional:
    """What may be tried: where it stands in a command (`=` for one value), and how barograph does without."""

    what: str
    paths: tuple[str, ...]
    evidence: str
    without: str

    def covers(self, path: str, item: str) -> bool:
        """Whether what is found at a path of a command is meant."""
        return any(
            allowed in (path, f"{path}={item}") or path.startswith((f"{allowed}.", f"{allowed}["))
            for allowed in self.paths
        )


class Allowed:
    """The list. `names("query", "top")` are the entries of `[query] top`."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.commands: dict[str, frozenset[str]] = {
            name: frozenset(options) for name, options in document["commands"].items()
        }
        self.refusals = {name: Refusal(*entry) for name, entry in document["refusals"].items()}
        self.optional = tuple(Optional(**{**entry, "paths": tuple(entry["paths"])}) for entry in document["optional"])
        self.local_modules: tuple[str, ...] = tuple(document["local"]["modules"])
        self._names = {
            (section, key): frozenset(entry)
            for section, table in document.items()
            if isinstance(table, dict)
            for key, entry in table.items()
            if isinstance(entry, list) and section not in ("commands", "refusals")
        }

    def names(self, section: str, key: str) -> frozenset[Any]:
        """The entries of a list."""
        return self._names[section, key]

    def number(self, section: str, key: str) -> int:
        """A limit."""
        value: int = self._document[section][key]
        return value

    def optional_at(self, path: str, item: str) -> Optional | None:
        """What may be tried at this place, if anything may."""
        return next((entry for entry in self.optional if entry.covers(path, item)), None)


def load(path: Path = PATH) -> Allowed:
    """Read the list."""
    return Allowed(tomllib.loads(path.read_text(encoding="utf-8")))


ALLOWED: Final = load()
