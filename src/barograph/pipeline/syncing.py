"""One connection's sync: source -> landing zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from barograph.errors import BarographError
from barograph.landing import land
from barograph.messages import Log, Message, Record
from barograph.model import SyncReport, utc_now
from barograph.sources import open_source

if TYPE_CHECKING:
    from barograph.config import Connection, Limits
    from barograph.landing import LandingZone
    from barograph.pipeline.journal import Journal


def sync_connection(zone: LandingZone, connection: Connection, limits: Limits, journal: Journal) -> SyncReport:
    """Read the source and land what it said, if that is news. A failure costs this connection only."""
    started = utc_now()
    name, stream = connection.name, connection.stream
    try:
        messages = open_source(connection, limits).read()
        landed = land(
            zone,
            stream,
            _records(messages, lambda log: journal.event(log.level, log.message, connection=name)),
            started=started,
            format=connection.format,
            compression=connection.compression,
        )
    except BarographError as error:
        journal.event("error", f"sync of {name} failed: {error}", connection=name, retryable=error.retryable)
        return SyncReport(name, stream, "failed", started, utc_now(), error=str(error))
    if landed.changed:
        told = f"sync of {name}: {landed.records} records landed as generation {landed.generation}"
        journal.event("info", told, connection=name, objects=list(landed.objects), bytes=landed.bytes)
    else:
        journal.event("info", f"sync of {name}: unchanged since generation {landed.generation}", connection=name)
    return SyncReport(
        name,
        stream,
        "landed" if landed.changed else "unchanged",
        started,
        utc_now(),
        records=landed.records,
        bytes=landed.bytes,
        objects=landed.objects,
        generation=landed.generation,
    )


def _records(messages: Iterator[Message], tell: Callable[[Log], None]) -> Iterator[dict[str, Any]]:
    for message in messages:
        if isinstance(message, Record):
            yield message.data
        elif isinstance(message, Log):
            tell(message)
