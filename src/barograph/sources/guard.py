"""A connection's secrets, kept out of everything that its source says: errors, log lines, records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any, Final
from urllib.parse import quote, quote_plus

import orjson

from barograph.config import Connection
from barograph.errors import BarographError
from barograph.messages import Log, Record
from barograph.sources.base import Messages

SHORTEST: Final = 4
"""A shorter value is no secret, and would blot out ordinary words."""


class Blotter:
    """Replaces secrets by ***, as they are and as an address or JSON writes them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {
            form
            for secret in secrets
            if len(secret) >= SHORTEST
            for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *_json(secret))
        }
        # A longer form first: it may hold a shorter one.
        self._forms = sorted(forms, key=len, reverse=True)
        self._bytes = [form.encode() for form in self._forms]

    def text(self, text: str) -> str:
        """`text` without the secrets."""
        for form in self._forms:
            text = text.replace(form, "***")
        return text

    def data(self, data: dict[str, Any]) -> dict[str, Any]:
        """A record without the secrets; the same object where it holds none."""
        if not self._bytes:
            return data
        written = orjson.dumps(data)
        if not any(form in written for form in self._bytes):
            return data
        for form in self._bytes:
            written = written.replace(form, b"***")
        clean: dict[str, Any] = orjson.loads(written)
        return clean

    def error(self, error: BarographError, connection: str) -> BarographError:
        """An error of the same kind without the secrets, and with the connection's name."""
        where = self.text(error.where)
        if not where.startswith("connection "):
            where = f"connection {connection}, {where}" if where else f"connection {connection}"
        return type(error)(self.text(error.what), where=where, hint=self.text(error.hint))


def guarded(messages: Messages, connection: Connection) -> Messages:
    """What a source says, without its secrets; a server may repeat a key in an error, a redirect or a record.

    Errors name the connection.
    """
    blotter = Blotter(connection.secrets)
    with closing(messages):
        try:
            for message in messages:
                if isinstance(message, Log):
                    yield Log(message.level, blotter.text(message.message))
                elif isinstance(message, Record):
                    yield Record(blotter.data(message.data), message.stream)
                else:
                    yield message
        except BarographError as error:
            clean = blotter.error(error, connection.name)
            if str(clean) == str(error):
                raise
            raise clean from None


def _json(text: str) -> tuple[str, ...]:
    """Inside of a JSON text, in Unicode and in ASCII, and as Python's repr shows the latter."""
    ascii_only = json.dumps(text)[1:-1]
    return json.dumps(text, ensure_ascii=False)[1:-1], ascii_only, ascii_only.replace("\\", "\\\\")
