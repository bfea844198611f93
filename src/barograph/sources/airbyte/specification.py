"""What a connector's specification says of its settings: a JSON schema with a few words of Airbyte's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of `[connections.NAME.config]`; those inside of tables under a dotted path."""

    path: str
    kind: str
    default: str
    help: str


def settings_of(specification: Mapping[str, Any]) -> list[Setting]:
    """Every setting that a connector takes, in the order of its specification."""
    return list(_settings(specification.get("connectionSpecification") or {}, ""))


def _settings(schema: Mapping[str, Any], path: str) -> Iterator[Setting]:
    required = schema.get("required") or ()
    for name, inner in (schema.get("properties") or {}).items():
        if not isinstance(inner, dict):
            continue
        here = f"{path}.{name}" if path else name
        kind = _kind(inner)
        marks = [
            kind,
            *(["required"] if name in required else []),
            *(["secret"] if inner.get("airbyte_secret") else []),
        ]
        default = inner.get("default", inner.get("const"))
        text = " ".join(str(inner.get("description") or inner.get("title") or "").split())
        yield Setting(here, ", ".join(marks), "" if default is None else str(default), text)
        yield from _settings(inner, here)
        for choice in inner.get("oneOf") or ():
            yield from _settings(choice, f"{here}[{choice.get('title', '?')}]")


def _kind(schema: Mapping[str, Any]) -> str:
    if schema.get("enum"):
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type", "object")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def plain_secrets(config: Mapping[str, Any], specification: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings that the connector calls secret and that stand in the configuration as plain text."""
    schema = specification.get("connectionSpecification") or {}
    return tuple(sorted(set(_plain(config, schema, "config"))))


def _plain(value: Any, schema: Any, path: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _plain(value, choice, path)
    if schema.get("airbyte_secret") and isinstance(value, str) and "${" not in value and value:
        yield path
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _plain(item, (schema.get("properties") or {}).get(key), f"{path}.{key}")
    if isinstance(value, list):
        for item in value:
            yield from _plain(item, schema.get("items"), path)
