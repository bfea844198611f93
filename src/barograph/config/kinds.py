"""The kinds of sources, as the configuration knows them: which settings a connection of each may have.

What a kind does stands in `barograph.sources`, how its records are read in `barograph.decode`; both go by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from barograph.config import api_options
from barograph.config.plugins import broken, installed, load_plugin
from barograph.config.tables import FIRST_DAY, MAPPING_OPTIONS, Option
from barograph.errors import ConfigError
from barograph.mapping import TableMapping


@dataclass(frozen=True, slots=True)
class SourceKind:
    """What the configuration must know of a kind.

    `options` come on top of the settings that every connection has. `url` is the address where a connection names none
    (None: it must name one). `station`: the connection must name a station with a timezone. `decoder` is the kind whose
    decoder reads its records, where that is another one. A kind whose decoder is "table" takes MAPPING_OPTIONS among
    its options, or says its columns itself, in `mapping`. `zones`: each of its `stations` needs a description with a
    timezone.
    decoder reads its records, where that is another one. `paths` are options that name files: a text with a slash, and
    in a table every text that begins with `local:`, is made absolute against the folder of the configuration file.
    """

    summary: str
    options: Mapping[str, Option] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    url: str | None = None
    station: bool = False
    decoder: str | None = None
    mapping: TableMapping | None = None
    zones: bool = False
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
    "infoclimat-api": SourceKind(
        "Infoclimat's opendata server: what is new of a list of stations",
        api_options.INFOCLIMAT_API,
        required=("stations", "token", "start"),
        url="https://www.infoclimat.fr/opendata/",
        decoder="infoclimat",
    ),
    "wunderground-pws": SourceKind(
        "Weather Underground's API for personal stations (PWS v2)",
        api_options.WUNDERGROUND_PWS,
        required=("stations", "api_key", "start"),
        url="https://api.weather.com/v2/pws",
        zones=True,
    ),
    "meteofrance-synop": SourceKind(
        "Météo-France's yearly files of 3-hourly SYNOP reports",
        api_options.METEOFRANCE_SYNOP,
        required=("start",),
    ),
    "iem-asos": SourceKind(
        "METAR reports of airports, from the archive of the Iowa Environmental Mesonet",
        api_options.IEM_ASOS,
        required=("stations", "start"),
        url="https://mesonet.agron.iastate.edu/cgi-bin/request/asos.py",
    ),
    "table": SourceKind(
        "any table whose columns you name: CSV, JSON, JSON lines or .xlsx, from a path, a server or a bucket",
        {
            **MAPPING_OPTIONS,
            "content": Option(str, None, "csv, json, jsonl or xlsx; default what its first bytes say"),
            "records": Option(str, None, "JSON: the dotted path of the list of records in the answer"),
            "delimiter": Option(
                str, None, "CSV: what stands between two cells; default , ; or tab, as the header has it"
            ),
            "encoding": Option(str, "utf-8", "CSV: the encoding, by its name in Python (cp1252, iso8859-15)"),
            "header_row": Option(
                int, None, "CSV, .xlsx: the line of the column names; default the first that is not empty"
            ),
            "headers": Option(dict, None, "HTTP headers to send; one that holds a secret names a ${VARIABLE}"),
        },
    ),
    "airbyte": SourceKind(
        "whatever an Airbyte connector reads: it is run as a program of its own",
        {**AIRBYTE_OPTIONS, **MAPPING_OPTIONS},
        required=("connector",),
        url="connector:",
        decoder=LANDED_ONLY,
        paths=("connector", "config"),
    ),
}


def kind_of(name: str) -> SourceKind:
    """The kind of that name, built in or installed. Raises ConfigError for one that does not exist, or is broken."""
    if (kind := SOURCE_KINDS.get(name)) is not None:
        return kind
    if (plugin := load_plugin(name)) is None:
        known = ", ".join([*SOURCE_KINDS, *installed()])
        raise ConfigError(f"source = {name!r} is not known", hint=f"one of {known}")
    kind = getattr(plugin, "kind", None)
    if not isinstance(kind, SourceKind):
        raise broken(name, f"its kind is {kind!r}, not a barograph.plugin.SourceKind")
    if getattr(plugin, "decode", None) is None and kind.decoder is None:
        raise broken(name, "it has neither a decode function nor the name of a decoder")
    if kind.decoder == "table" and kind.mapping is None and "columns" not in kind.options:
        raise broken(name, 'its decoder is "table", but it has neither a mapping nor MAPPING_OPTIONS among its options')
    return kind
