"""What a source says, in the terms of Airbyte's protocol: records, states, logs.

A source is an iterator of messages. A record's `data` is what the server or the file said, value for value, in the
source's own names and units; nothing is converted before the landing zone. `stream` names one of several streams of a
source; "" is the only one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Record:
    """One record; keys whose value is null are left out, as Airbyte's CDK 7 does."""

    data: dict[str, Any]
    stream: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A checkpoint of a stream; it is saved only after every record of the stream before it is landed.

    A stream that gives a State is incremental: each State closes a batch, which is landed beside what stands. A stream
    that gives none is a full refresh: its records are landed at the end, if they are not what stands already.
    """

    data: dict[str, Any]
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The properties of a stream in the order of its catalog, before its first record; a source may know none."""

    names: tuple[str, ...]
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the operator."""

    level: Literal["info", "warning", "error"]
    message: str


Message: TypeAlias = Record | State | Columns | Log


@dataclass(frozen=True, slots=True)
class Span:
    """What a backfill asks for: instants with start <= instant < end (UTC)."""

    start: datetime
    end: datetime
