"""Sources: what servers and files say, record by record, in their own words. They fetch and change nothing.

One module per kind of server; each speaks `barograph.messages`. `open_source` is the only door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from barograph.config import Connection, Limits
from barograph.errors import ConfigError
from barograph.messages import Message
from barograph.sources.infoclimat import Infoclimat
from barograph.sources.wunderground_table import WundergroundTable

__all__ = ["SOURCES", "Source", "open_source"]


class Source(Protocol):
    """One connection's far end."""

    def read(self) -> Iterator[Message]:
        """Everything it has now. Raises SourceError or FormatError; nothing is fetched before the first message."""


SOURCES: Final[dict[str, Callable[[Connection, Limits], Source]]] = {
    "wunderground-table": WundergroundTable,
    "infoclimat": Infoclimat,
}


def open_source(connection: Connection, limits: Limits) -> Source:
    """The source that `connection` names. Raises ConfigError for a kind that does not exist."""
    if (kind := SOURCES.get(connection.source)) is None:
        raise ConfigError(
            f"source = {connection.source!r} is not known",
            where=f"connection {connection.name}",
            hint=f"one of {', '.join(SOURCES)}",
        )
    return kind(connection, limits)
