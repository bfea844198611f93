"""What goes wrong with a connector, as errors of ours."""

from __future__ import annotations

from typing import Final

from barograph.errors import FormatError, LimitExceeded, SourceError, SourceRefused, SourceUnavailable
from barograph.logs import Known
from barograph.sources.airbyte.lines import TooLong
from barograph.sources.airbyte.protocol import ErrorLine

_KINDS: Final = {"config_error": SourceRefused, "transient_error": SourceUnavailable}


def error_of(line: ErrorLine, masks: Known, where: str) -> SourceError:
    """A TRACE ERROR as an error of ours: config_error is final, transient_error may be tried again."""
    kind = _KINDS.get(line.failure_type, SourceError)
    stream = f" (stream {line.stream})" if line.stream else ""
    hint = {
        "config_error": "correct the connection's config; `barograph connector check` tries it",
        "transient_error": "the next sync tries it again",
    }.get(line.failure_type, "what the connector logged before stands in `barograph logs`")
    text = " ".join(masks.text(line.text).split())[:1000]
    return kind(f"the connector failed{stream}: {text} ({line.failure_type})", where=where, hint=hint)


def too_long(error: TooLong, stream: str | None, record_mib: int, where: str) -> FormatError:
    """The error for a line beyond `[limits] record_mib`."""
    of = f" (stream {stream})" if stream else ""
    return LimitExceeded(
        f"line {error.number:,} of the connector's output{of} is longer than {record_mib} MiB",
        where=where,
        hint="raise [limits] record_mib if the record is genuine",
    )


def damaged(problem: str, number: int, where: str) -> FormatError:
    """The error for a message that cannot be read."""
    return FormatError(
        f"line {number:,} of the connector's output: {problem}",
        where=where,
        hint="nothing that it said after its last state is kept; try another version of the connector",
    )
