"""The kinds of sources, as the configuration knows them: which settings a connection of each may have.

What a kind does stands in `barograph.sources`, how its records are read in `barograph.decode`; both go by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from barograph.config.tables import FIRST_DAY, Option
from barograph.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SourceKind:
    """What the configuration must know of a kind.

    `options` come on top of the settings that every connection has. `url` is the address where a connection names none
    (None: it must name one). `station`: the connection must name a station with a timezone. `decoder` is the kind whose
    decoder reads its records, where that is another one. `paths` are options that name files: a text with a slash, and
    in a table every text that begins with `local:`, is made absolute against the folder of the configuration file.
    """

    summary: str
    options: Mapping[str, Option] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    url: str | None = None
    station: bool = False
    decoder: str | None = None
    paths: tuple[str, ...] = ()


LANDED_ONLY: Final = "none"
"""The decoder of a connection whose records are landed and never ingested."""

SYNC_MODES: Final = ("full_refresh", "incremental")

AIRBYTE_OPTIONS: Final[dict[str, Option]] = {
    "connector": Option(str, None, 'an installed connector ("source-faker==7.2.1"), or the path of any executable'),
    "config": Option(dict, None, "the connector's own settings, as its spec names them; secrets as ${VARIABLE}"),
    "streams": Option(list, None, "the streams to read, each landed in a folder of its own; default the only one"),
    "stream_prefix": Option(str, None, "put before the names of `streams` where they are landed"),
    "sync_mode": Option(str, None, "full_refresh or incremental; default incremental where a stream can"),
    "decoder": Option(str, LANDED_ONLY, "the kind of source whose records these are; none: landed, never ingested"),
    "first_day": FIRST_DAY,
    "idle_timeout": Option(float, 600.0, "seconds without a message before the connector is given up; 0: for ever"),
    "timeout": Option(float, 0.0, "seconds before a sync is given up, whatever the connector says; 0: none"),
}

SOURCE_KINDS: Final[dict[str, SourceKind]] = {
    "wunderground-table": SourceKind(
        "a Weather Underground history table: a workbook with a sheet per local day, or CSV",
        {"first_day": FIRST_DAY},
        station=True,
    ),
    "infoclimat": SourceKind("one answer of Infoclimat's opendata server, from its address or a file"),
    "airbyte": SourceKind(
        "whatever an Airbyte connector reads: it is run as a program of its own",
        AIRBYTE_OPTIONS,
        required=("connector",),
        url="connector:",
        decoder=LANDED_ONLY,
        paths=("connector", "config"),
    ),
}


def kind_of(name: str) -> SourceKind:
    """The kind of that name. Raises ConfigError for one that does not exist."""
    if (kind := SOURCE_KINDS.get(name)) is None:
        raise ConfigError(f"source = {name!r} is not known", hint=f"one of {', '.join(SOURCE_KINDS)}")
    return kind
