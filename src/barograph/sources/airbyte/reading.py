"""A `read` under way: a connector's messages -> ours, and the verdict at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from barograph.errors import FormatError, SourceError
from barograph.messages import Log, Message, Record, State
from barograph.sources.airbyte.asking import Connector
from barograph.sources.airbyte.catalog import StreamRead
from barograph.sources.airbyte.failing import damaged, error_of, too_long
from barograph.sources.airbyte.lines import TooLong
from barograph.sources.airbyte.process import ConnectorProcess, Said
from barograph.sources.airbyte.protocol import (
    Damaged,
    ErrorLine,
    Line,
    LogLine,
    RecordLine,
    StateLine,
    StatusLine,
    parse_line,
    stream_of,
)
from barograph.sources.airbyte.telling import Telling


class Reading:
    """What one `read` has said so far."""

    def __init__(self, connector: Connector, streams: Sequence[StreamRead], telling: Telling) -> None:
        self._connector, self._telling = connector, telling
        self._streams = {stream.name: stream for stream in streams}
        self._records: Counter[str] = Counter()
        self._since_state: Counter[str] = Counter()
        self._held: dict[str, State] = {}
        self._statuses: dict[str, str] = {}
        self._errors: list[ErrorLine] = []
        self._controls = 0

    def messages(self, process: ConnectorProcess) -> Iterator[Message]:
        """Everything until the end of its output. Raises FormatError, SourceError."""
        where, stream = self._connector.where, None
        try:
            for said in process.lines():
                if said.stderr:
                    text = said.line.decode("utf-8", errors="replace")
                    yield from self._telling.log(LogLine("warning", text, message=False))
                    continue
                line = self._parse(said)
                if line is None:
                    continue
                if not isinstance(line, LogLine) or line.message:
                    process.alive()
                if isinstance(line, RecordLine):
                    stream = line.stream
                yield from self._take(line, said)
        except TooLong as error:
            raise too_long(error, stream_of(error.head) or stream, self._connector.limits.record_mib, where) from None

    def _parse(self, said: Said) -> Line | None:
        try:
            return parse_line(said.line)
        except Damaged as error:
            raise damaged(str(error), said.number, self._connector.where) from None

    def _take(self, line: Line, said: Said) -> Iterator[Message]:
        if isinstance(line, RecordLine):
            yield self._record(line, said)
        elif isinstance(line, StateLine):
            yield from self._state(line, said)
        elif isinstance(line, LogLine):
            yield from self._telling.log(line)
        elif isinstance(line, ErrorLine):
            self._errors.append(line)
            text = f"{self._connector.name}: {self._connector.masks.text(line.text)[:1000]} ({line.failure_type})"
            if len(self._errors) <= len(self._streams):
                yield Log("error", text)
        elif isinstance(line, StatusLine):
            self._statuses[line.stream] = line.status
        elif line.type == "CONTROL":
            yield from self._control()

    def _record(self, line: RecordLine, said: Said) -> Record:
        stream = self._stream(line.stream, said)
        self._records[stream.name] += 1
        self._since_state[stream.name] += 1
        return Record(stream.ordered(line.data), stream.ours)

    def _state(self, line: StateLine, said: Said) -> Iterator[Message]:
        if line.stream is None and len(self._streams) > 1:
            if any(stream.incremental for stream in self._streams.values()):
                raise SourceError(
                    "the connector keeps one state for all its streams; it cannot be kept with each one's records",
                    where=self._connector.where,
                    hint='make a connection for each stream, or set sync_mode = "full_refresh"',
                )
            return
        name = line.stream if line.stream is not None else next(iter(self._streams))
        stream = self._stream(name, said)
        if not stream.incremental:
            return
        came = self._since_state.pop(name, 0)
        if line.records is not None and line.records > came:
            raise FormatError(
                f"line {said.number:,} of the connector's output: a state of stream {name} covers {line.records:,} "
                f"records, but {came:,} came before it",
                where=self._connector.where,
                hint="the state is not kept; try another version of the connector",
            )
        state = State(line.payload, stream.ours)
        self._held.pop(name, None)
        if came or line.records is not None:
            yield state
        else:
            # It may speak of records that are still to come; a good end, or the next state, settles that.
            self._held[name] = state

    def _control(self) -> Iterator[Message]:
        self._controls += 1
        if self._controls == 1:
            text = "asks to change its configuration (a renewed token?); barograph.toml stays as it is"
            yield Log("warning", f"{self._connector.name}: {text}")

    def _stream(self, name: str, said: Said) -> StreamRead:
        if (stream := self._streams.get(name)) is None:
            raise FormatError(
                f"line {said.number:,} of the connector's output is of stream {name!r}, which was not asked for",
                where=self._connector.where,
                hint=f"asked for were {', '.join(map(repr, self._streams))}",
            )
        return stream

    def held_states(self) -> Iterator[State]:
        """The states that waited for a good end."""
        yield from self._held.values()

    def failure(self, code: int) -> SourceError | None:
        """Why the read was no success: a TRACE ERROR, its exit code, or a stream that is not complete."""
        where = self._connector.where
        if self._errors:
            return error_of(self._errors[0], self._connector.masks, where)
        if code:
            told = f"exit code {code}" if code <= 128 else f"signal {code - 128}"
            return SourceError(
                f"the connector ended with {told} after {self._records.total():,} records{self._telling.last_words()}",
                where=where,
                hint="what it logged stands in `barograph logs`; `barograph connector check` tries the configuration",
            )
        # Connectors of the first years tell no statuses.
        open_streams = [name for name in self._streams if self._statuses.get(name) != "COMPLETE"]
        if self._statuses and open_streams:
            told = ", ".join(f"{name} ({self._statuses.get(name, 'never begun')})" for name in open_streams)
            return SourceError(
                f"the connector ended without completing {told}",
                where=where,
                hint="what it logged stands in `barograph logs`; the next sync tries it again",
            )
        return None
