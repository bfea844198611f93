"""A connection's secrets, kept out of everything that its source says: errors, log lines, records."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import orjson

from barograph.config import Connection
from barograph.errors import BarographError
from barograph.logs import Known
from barograph.messages import Log, Record
from barograph.sources.base import Messages


def without(secrets: Known, data: dict[str, Any]) -> dict[str, Any]:
    """A record without the secrets; the same object where it holds none."""
    # Most sources have no secret: their records, a million in a backfill, are not written out to look for one.
    if secrets.is_empty or not secrets.stand_in(orjson.dumps(data).decode()):
        return data
    clean: dict[str, Any] = secrets.value(data)
    return clean


def named(error: BarographError, secrets: Known, connection: str) -> BarographError:
    """An error of the same kind without the secrets, and with the connection's name."""
    where = secrets.text(error.where)
    if not where.startswith("connection "):
        where = f"connection {connection}, {where}" if where else f"connection {connection}"
    return type(error)(secrets.text(error.what), where=where, hint=secrets.text(error.hint))


def guarded(messages: Messages, connection: Connection) -> Messages:
    """What a source says, without its secrets; a server may repeat a key in an error, a redirect or a record.

    Errors name the connection.
    """
    secrets = Known(connection.secrets)
    with closing(messages):
        try:
            for message in messages:
                if isinstance(message, Log):
                    yield Log(message.level, secrets.text(message.message))
                elif isinstance(message, Record):
                    yield Record(without(secrets, message.data), message.stream)
                else:
                    yield message
        except BarographError as error:
            clean = named(error, secrets, connection.name)
            if str(clean) == str(error):
                raise
            raise clean from None
