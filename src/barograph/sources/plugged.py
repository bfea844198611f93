"""A source that another package brings, held to what a source may say, and to the errors that a sync understands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from barograph.config import Connection, broken, load_plugin
from barograph.errors import BarographError
from barograph.messages import Log, Record, State
from barograph.sources.base import Access, Messages, ReadRequest, Source
from barograph.sources.masking import hidden


class PluginSource:
    """Opens the plugin's source and passes on what it says.

    Raises ConfigError, naming the package and the reason, where it raises anything that is no BarographError, or says
    anything that is no Record, State or Log, or names a stream that the connection has not.
    """

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection = connection
        with self._guard():
            plugin: Any = load_plugin(connection.source)
            self._source: Source = plugin.open(connection, access)
            self.spans = bool(self._source.spans)

    def read(self, request: ReadRequest) -> Messages:
        """What the plugin's source says."""
        streams = tuple(self._connection.options.get("streams") or ("",))
        with self._guard(), closing(self._source.read(request)) as messages:
            for message in messages:
                if not isinstance(message, Record | State | Log):
                    raise TypeError(f"it said {type(message).__name__}, where a Record, a State or a Log is due")
                if not isinstance(message, Log) and message.stream not in streams:
                    raise ValueError(f"it named the stream {message.stream!r}, which is none of the connection's")
                yield message

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with hidden(self._connection.secrets):
            try:
                yield
            except BarographError:
                raise
            except Exception as error:
                failure = broken(self._connection.source, f"{type(error).__name__}: {error}")
                failure.where = f"connection {self._connection.name}"
                raise failure from error
