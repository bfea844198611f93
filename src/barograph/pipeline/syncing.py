"""One connection's sync: source -> landing zone."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Literal

from barograph.errors import BarographError, LandingUnavailable, SourceRefused, SyncStopped
from barograph.landing import Landed, StreamWriter
from barograph.messages import Columns, Log, Record, State
from barograph.model import SyncReport, utc_now
from barograph.sources import Access, ReadRequest, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barograph.config import Connection
    from barograph.landing import LandingZone
    from barograph.messages import Message, Span
    from barograph.pipeline.journal import Journal


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What a sync is asked for beside its connection: a span to go back to, and an event that stops it."""

    span: Span | None = None
    stop: Event = field(default_factory=Event)

    def pause(self, seconds: float) -> None:
        """Sleep. Raises SyncStopped as soon as the sync is asked to stop."""
        if self.stop.wait(seconds):
            raise stopped()


def stopped() -> SyncStopped:
    """The error of a sync that was asked to stop."""
    return SyncStopped("was stopped before its end", hint="the next sync goes on from what is landed")


def sync_connection(
    zone: LandingZone,
    connection: Connection,
    access: Access,
    journal: Journal,
    request: SyncRequest | None = None,
) -> SyncReport:
    """Read the source and land what it said, if that is news. A failure costs this connection only."""
    return _Sync(zone, connection, access, journal, request or SyncRequest()).run()


class _Sync:
    """One sync under way: a writer for each stream of the connection."""

    def __init__(
        self, zone: LandingZone, connection: Connection, access: Access, journal: Journal, request: SyncRequest
    ) -> None:
        self.zone, self.connection, self.access = zone, connection, access
        self.journal, self.request = journal, request
        self.started = utc_now()
        self.writers: dict[str, StreamWriter] = {}

    def run(self) -> SyncReport:
        error: BarographError | None = None
        with ExitStack() as stack:
            try:
                source = open_source(self.connection, self.access)
                self._open_writers(stack)
                messages = stack.enter_context(closing(source.read(self._request())))
                self._take(messages)
            except BarographError as problem:
                error = problem
            error = self._end(error)
        return self._report([writer.landed for writer in self.writers.values()], error)

    def _open_writers(self, stack: ExitStack) -> None:
        connection = self.connection
        for name in connection.options.get("streams") or ("",):
            self.writers[name] = stack.enter_context(
                closing(
                    StreamWriter(
                        self.zone,
                        connection.folder(name),
                        started=self.started,
                        format=connection.format,
                        compression=connection.compression,
                        flatten=connection.flatten,
                    )
                )
            )

    def _request(self) -> ReadRequest:
        states = {name: writer.state for name, writer in self.writers.items() if writer.state is not None}
        return ReadRequest(states, self.request.span, self.started, self.request.pause)

    def _take(self, messages: Iterator[Message]) -> None:
        for message in messages:
            if isinstance(message, Record):
                self._writer(message.stream).add(message.data)
            elif isinstance(message, State):
                self._writer(message.stream).checkpoint(message.data)
            elif isinstance(message, Columns):
                self._writer(message.stream).columns = message.names
            else:
                self._tell(message)
            if self.request.stop.is_set():
                raise stopped()

    def _writer(self, stream: str) -> StreamWriter:
        if (writer := self.writers.get(stream)) is None:
            raise SourceRefused(
                f"speaks of a stream {stream!r}",
                where=f"connection {self.connection.name}",
                hint=f"name it in the connection's streams, which are {', '.join(map(repr, self.writers))}",
            )
        return writer

    def _tell(self, log: Log) -> None:
        self.journal.event(log.level, log.message, connection=self.connection.name)

    def _end(self, broken: BarographError | None) -> BarographError | None:
        """Land what is complete, stream by stream: one that fails keeps no other from it. The first error.

        An object store that was given up is not asked again: what is not landed, the next sync reads again.
        """
        error = broken
        for writer in self.writers.values():
            if isinstance(error, LandingUnavailable):
                break
            try:
                if broken is None:
                    writer.finish()
                else:
                    writer.settle()
            except BarographError as problem:
                error = error or problem
        return error

    def _report(self, landed: list[Landed], error: BarographError | None) -> SyncReport:
        name = self.connection.name
        changed = any(one.changed for one in landed)
        objects = tuple(key for one in landed for key in one.objects)
        records, size = sum(one.records for one in landed), sum(one.bytes for one in landed)
        generation = max((one.generation for one in landed), default=0) or None
        if changed:
            told = f"sync of {name}: {records} records landed as generation {generation}"
            self.journal.event("info", told, connection=name, objects=list(objects), bytes=size)
        elif error is None:
            self.journal.event("info", f"sync of {name}: unchanged since generation {generation}", connection=name)
        if error is not None:
            told = f"sync of {name} {'was stopped' if isinstance(error, SyncStopped) else 'failed'}: {error}"
            kind = type(error).__name__
            self.journal.event("error", told, connection=name, retryable=error.retryable, exception=kind)
        return SyncReport(
            name,
            ", ".join(self.connection.folders),
            _status(error, changed=changed),
            self.started,
            _after(self.started),
            records=records,
            bytes=size,
            objects=objects,
            generation=generation,
            error=None if error is None else str(error),
        )


def _status(error: BarographError | None, *, changed: bool) -> Literal["landed", "unchanged", "failed", "stopped"]:
    if error is not None:
        return "stopped" if isinstance(error, SyncStopped) else "failed"
    return "landed" if changed else "unchanged"


def _after(started: datetime) -> datetime:
    """Now, and never before `started`: a clock may be set back meanwhile."""
    return max(started, utc_now())
