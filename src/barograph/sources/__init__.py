"""Sources: what servers and files say, record by record, in their own words. They fetch and change nothing.

One module per kind of server; each speaks `barograph.messages`. `open_source` is the only door.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from barograph.config import Connection, kind_of
from barograph.errors import ConfigError
from barograph.sources.base import Access, Messages, Opener, ReadRequest, Source
from barograph.sources.plugged import PluginSource

__all__ = ["SOURCES", "Access", "Messages", "ReadRequest", "Source", "open_source"]

SOURCES: Final[dict[str, str]] = {
    "wunderground-table": "wunderground_table:WundergroundTable",
    "infoclimat": "infoclimat:Infoclimat",
    "infoclimat-api": "infoclimat_api:InfoclimatApi",
    "wunderground-pws": "wunderground_pws:WundergroundPws",
    "meteofrance-synop": "meteofrance_synop:MeteofranceSynop",
    "iem-asos": "iem_asos:IemAsos",
    "table": "table:Table",
    "airbyte": "airbyte.source:AirbyteSource",
}
"""Kind -> its module here and its class; imported when a connection of the kind is opened."""


def open_source(connection: Connection, access: Access) -> Source:
    """The source that `connection` names, built in or installed. Raises ConfigError for a kind that does not exist."""
    try:
        kind_of(connection.source)
    except ConfigError as error:
        raise ConfigError(error.what, where=f"connection {connection.name}", hint=error.hint) from error.__cause__
    if (place := SOURCES.get(connection.source)) is None:
        return cast("Source", PluginSource(connection, access))
    module, _, name = place.partition(":")
    kind: Opener = getattr(import_module(f"barograph.sources.{module}"), name)
    return kind(connection, access)
