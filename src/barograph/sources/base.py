"""What a source is given and what it gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

from barograph.config import Connection, Limits
from barograph.messages import Message, Span
from barograph.model import utc_now

Messages: TypeAlias = Generator[Message, None, None]
"""What a source says; closing it lets go of whatever the source holds, at any point."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What one sync asks of a source.

    `states`: what the last landed State of each stream said. `span`: a backfill, None for what is new. `now`: when the
    sync began. `sleep` pauses between requests, in seconds; it raises SyncStopped when the sync is asked to stop.
    """

    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    span: Span | None = None
    now: datetime = field(default_factory=utc_now)
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Access:
    """What the machine lends to a source: bounds, and a folder for what it keeps (installed connectors)."""

    limits: Limits
    data_dir: Path = Path("barograph-data")


class Source(Protocol):
    """One connection's far end."""

    spans: ClassVar[bool]
    """Whether it can be asked for a span; a file or a table is always read whole."""

    def read(self, request: ReadRequest) -> Messages:
        """What it has. Raises SourceError or FormatError; nothing is fetched before the first message."""


Opener = Callable[[Connection, Access], Source]
