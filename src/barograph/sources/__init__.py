"""Sources: what servers and files say, record by record, in their own words. They fetch and change nothing.

One module per kind of server; each speaks `barograph.messages`. `open_source` is the only door.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from barograph.config import Connection
from barograph.errors import ConfigError
from barograph.sources.base import Access, Messages, Opener, ReadRequest, Source

__all__ = ["SOURCES", "Access", "Messages", "ReadRequest", "Source", "open_source"]

SOURCES: Final[dict[str, str]] = {
    "wunderground-table": "wunderground_table:WundergroundTable",
    "infoclimat": "infoclimat:Infoclimat",
    "airbyte": "airbyte.source:AirbyteSource",
}
"""Kind -> its module here and its class; imported when a connection of the kind is opened."""


def open_source(connection: Connection, access: Access) -> Source:
    """The source that `connection` names. Raises ConfigError for a kind that does not exist."""
    if (place := SOURCES.get(connection.source)) is None:
        raise ConfigError(
            f"source = {connection.source!r} is not known",
            where=f"connection {connection.name}",
            hint=f"one of {', '.join(SOURCES)}",
        )
    module, _, name = place.partition(":")
    kind: Opener = getattr(import_module(f"barograph.sources.{module}"), name)
    return kind(connection, access)
