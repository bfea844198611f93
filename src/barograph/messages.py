"""What a source says, in the terms of Airbyte's protocol: records, states, logs.

A source is an iterator of messages. A record's `data` is what the server or the file said, value for value, in the
source's own names and units; nothing is converted before the landing zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Record:
    """One record; keys whose value is null are left out, as Airbyte's CDK 7 does."""

    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """A checkpoint; it may be saved only after every record before it is landed."""

    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the operator."""

    level: Literal["info", "warning", "error"]
    message: str


Message: TypeAlias = Record | State | Log
