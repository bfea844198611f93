"""Everything that a package needs to bring a kind of source of its own, see docs/sources/python.md.

A plugin is a `SourcePlugin`, named by an entry point of the group `barograph.sources` whose name is the kind's:

    [project.entry-points."barograph.sources"]
    my-console = "my_package:PLUGIN"

It is imported only when a connection says `source = "my-console"`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from barograph.config import MAPPING_OPTIONS, Connection, Limits, Option, Secret, SourceKind
from barograph.decode.base import DecodeContext, Decoded, Decoder, Opener
from barograph.errors import FormatError, LimitExceeded, SourceRefused, SourceUnavailable
from barograph.mapping import MappedColumn, TableMapping
from barograph.messages import Log, Message, Record, Span, State
from barograph.model import LandedObject, Note, Rejection, Station
from barograph.sources.base import Access, Messages, ReadRequest, Source
from barograph.sources.fetch import fetch

__all__ = [
    "MAPPING_OPTIONS",
    "Access",
    "Connection",
    "DecodeContext",
    "Decoded",
    "Decoder",
    "FormatError",
    "LandedObject",
    "LimitExceeded",
    "Limits",
    "Log",
    "MappedColumn",
    "Message",
    "Messages",
    "Note",
    "Opener",
    "Option",
    "ReadRequest",
    "Record",
    "Rejection",
    "Secret",
    "Source",
    "SourceKind",
    "SourcePlugin",
    "SourceRefused",
    "SourceUnavailable",
    "Span",
    "State",
    "Station",
    "TableMapping",
    "fetch",
]


@dataclass(frozen=True, slots=True)
class SourcePlugin:
    """A kind of source.

    `kind`: what the configuration knows of it: one line about it, its settings, and how its records are read:
    `decoder="table"` with a `mapping` of its columns (or MAPPING_OPTIONS among its options, so that the connection says
    them), or the name of another built-in decoder. `open` gives the far end of a connection. `decode` reads landed
    objects where no built-in decoder does.
    """

    kind: SourceKind
    open: Callable[[Connection, Access], Source]
    decode: Decoder | None = None
