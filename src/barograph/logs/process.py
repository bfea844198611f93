"""Setting the process log up, and what is told to it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from barograph.logs.formats import Formatter, HumanFormatter, JsonFormatter, PlainFormatter
from barograph.logs.handler import LineHandler
from barograph.logs.masks import Masks

EVENTS: Final = "barograph.events"
"""The logger of the events that the store's `logs` have too."""

COMMANDS: Final = "barograph.command"
"""That of what a command says of itself: its begin, its end, its error, what the scheduler does."""

CHATTY: Final = ("pymongo", "urllib3", "apscheduler", "botocore", "boto3", "s3transfer", "asyncio", "fsspec")
"""Libraries that log requests below WARNING, with their addresses, commands and headers."""

for _name in (EVENTS, COMMANDS):
    # A program that uses the package and has set up no logging finds a run's events in the store, not on its stderr.
    logging.getLogger(_name).addHandler(logging.NullHandler())


def emit(
    level: str, msg: str, *, logger: str = EVENTS, moment: datetime | None = None, log_id: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Tell an event, of a type that the `logs` collection knows: info, warning, error."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    extra = {"moment": moment, "log_id": log_id, "context": dict(context or {})}
    logging.getLogger(logger).log(number, "%s", msg, extra=extra)


def is_journal(stream: str | None) -> bool:
    """Whether stderr is the journal, of which systemd says `device:inode` in JOURNAL_STREAM (systemd.exec(5)).

    A child whose stderr was sent elsewhere inherits the variable, therefore the look.
    """
    if not stream:
        return False
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


class ProcessLog:
    """The process log of one command, from `open` to `close`; several in one process follow each other."""

    def __init__(self, format: str, level: str, masks: Masks, *, journal: bool = False) -> None:  # noqa: A002
        """`journal`: stderr is systemd's journal."""
        self.masks = masks
        self.on = format != "none"
        self.lines: Formatter
        if format == "json":
            self.lines = JsonFormatter(masks)
        elif format == "human":
            self.lines = HumanFormatter(masks, timed=not journal)
        else:
            self.lines = PlainFormatter(masks)
        self._handler = LineHandler(self.lines, priorities=self.on and journal, unsaid=not self.on)
        self._level = logging.getLevelNamesMapping()[level.upper()] if self.on else logging.WARNING
        self._before: dict[str, int] = {}

    def open(self) -> None:
        """From now on."""
        root = logging.getLogger()
        root.addHandler(self._handler)
        for name, level in (("", self._level), *((name, max(self._level, logging.WARNING)) for name in CHATTY)):
            logger = logging.getLogger(name)
            self._before[name] = logger.level
            logger.setLevel(level)
        if self.on:
            logging.captureWarnings(True)

    def close(self) -> None:
        """As it was."""
        logging.getLogger().removeHandler(self._handler)
        for name, level in self._before.items():
            logging.getLogger(name).setLevel(level)
        if self.on:
            logging.captureWarnings(False)
