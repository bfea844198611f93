"""A connection's secrets out of everything that its connector says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from barograph.config import Connection
from barograph.logs import Known
from barograph.sources.masking import is_secret_name


def masks_of(connection: Connection) -> Known:
    """The values of the variables that a connection refers to, and of settings named like secrets."""
    return Known(text for value in _values(connection) for text in (value, *_inner(value)))


def _values(connection: Connection) -> Iterator[str]:
    yield from connection.secrets
    yield from _named(connection.options.get("config") or {})


def _named(value: Any, *, secret: bool = False) -> Iterator[str]:
    """Texts that stand in the configuration under a name such as "password"."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(item, secret=secret or is_secret_name(key))
    elif isinstance(value, list):
        for item in value:
            yield from _named(item, secret=secret)
    elif secret and isinstance(value, str) and "${" not in value:
        yield value


def _inner(value: str) -> Iterator[str]:
    """The texts of a secret that is JSON itself, such as a service account's key file."""
    if value.lstrip().startswith("{"):
        try:
            inner: Any = json.loads(value)
        except ValueError:
            return
        for item in inner.values():
            if isinstance(item, str):
                yield item
