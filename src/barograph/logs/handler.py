"""Lines to stderr: whole, at once, in UTF-8."""

from __future__ import annotations

import io
import logging
import sys
from typing import Final

from barograph.logs.formats import Formatter

_PRIORITIES: Final = ((logging.ERROR, "<3>"), (logging.WARNING, "<4>"), (logging.INFO, "<6>"), (0, "<7>"))
"""sd-daemon(3): systemd takes the sign off the line, and the priority from it."""


class LineHandler(logging.Handler):
    """Writes each record as one line to what sys.stderr is then.

    `priorities`: with the sign of its level before it. `unsaid`: without the events of runs and commands, so that only
    what libraries warn of is told.
    """

    def __init__(self, formatter: Formatter, *, priorities: bool = False, unsaid: bool = False) -> None:
        super().__init__()
        self.lines = formatter
        self._priorities, self._unsaid = priorities, unsaid

    def emit(self, record: logging.LogRecord) -> None:
        """Under the handler's lock, so that lines of several threads never mix."""
        if self._unsaid and hasattr(record, "log_id"):
            return
        try:
            line = self.lines.format(record)
        except Exception as error:  # noqa: BLE001 - a record that cannot be shown must not end the job
            # Neither its text nor its arguments: they have passed no mask.
            line = f"a record of {record.name} could not be written: {type(error).__name__}"
        sign = next(sign for least, sign in _PRIORITIES if record.levelno >= least) if self._priorities else ""
        _write(f"{sign}{line}\n")


def _write(line: str) -> None:
    stream = sys.stderr
    try:
        if isinstance(stream, io.TextIOWrapper):
            # Whatever the locale: JSON is UTF-8.
            stream.flush()
            stream.buffer.write(line.encode("utf-8", "backslashreplace"))
        else:
            stream.write(line)
        stream.flush()
    except (OSError, ValueError):
        # Nobody listens (a closed pipe, a full disk): the store has the events, and the job goes on.
        return
