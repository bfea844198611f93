"""A connection's secrets out of everything that its connector says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from barograph.config import Connection
from barograph.sources.masking import is_secret_name

_SHORTEST: Final = 4
"""A shorter value would blot out ordinary words."""


class Masks:
    """Replaces the values of the variables that a connection refers to, and of settings named like secrets, by ***."""

    def __init__(self, connection: Connection) -> None:
        found = {form for value in _values(connection) for form in _forms(value)}
        self._texts = sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """`text` without the secrets."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, "***")
        return text


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


def _forms(value: str) -> Iterator[str]:
    """A secret as texts may repeat it: as it is, as JSON, in an address, and line by line."""
    for text in (value, *value.splitlines(), *_inner(value)):
        yield from (text, json.dumps(text)[1:-1], quote(text, safe=""), repr(text)[1:-1])


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
                yield from item.splitlines()
