"""The lines of the process log: for people, or JSON."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

from barograph.logs.masks import Masks

FORMATS: Final = ("human", "json", "none")
LEVELS: Final = ("debug", "info", "warning", "error")

RESERVED: Final = ("timestamp", "level", "msg", "command", "run_id", "log_id", "logger", "exception", "exception_msg")
"""Fields of every JSON line; a field of an event's context that is named like one is written as context_NAME."""

_OURS: Final = ("timestamp", "level", "command", "run_id", "log_id", "logger")
"""Made here, of nothing that anybody sent: a short password must not blot the year out."""

_BREAKS: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}
"""Ends of lines to some readers, which JSON allows as they are (the rest it escapes)."""


class Formatter(logging.Formatter):
    """What both have in common: every text of a record masked, before it is written in any form."""

    def __init__(self, masks: Masks) -> None:
        super().__init__()
        self.masks = masks
        self.command = ""

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The record's fields, in the order of `RESERVED`, then its context."""
        moment = getattr(record, "moment", None) or datetime.fromtimestamp(record.created, UTC)
        context = self.masks.value(dict(getattr(record, "context", None) or {}))
        found: dict[str, Any] = {
            "timestamp": f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
            "level": "error" if record.levelno > logging.ERROR else record.levelname.lower(),
            "msg": _message(record),
            "command": self.command,
            "run_id": context.pop("run_id", None),
            "log_id": getattr(record, "log_id", None),
            "logger": record.name,
            "exception": context.pop("exception", None),
        }
        if record.exc_info and record.exc_info[0] is not None:
            found |= {"exception": record.exc_info[0].__name__, "exception_msg": str(record.exc_info[1])}
        found |= {f"context_{key}" if key in RESERVED else str(key): value for key, value in context.items()}
        return {
            key: _plain(value if key in _OURS else self.masks.value(value))
            for key, value in found.items()
            if value is not None and value != ""
        }


class HumanFormatter(Formatter):
    """`2024-10-01 00:00:03Z error RUN message`; for the journal, which has the time, without it."""

    def __init__(self, masks: Masks, *, timed: bool = True) -> None:
        super().__init__(masks)
        self._timed = timed

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = self.fields(record)
        moment = f"{fields['timestamp'][:19].replace('T', ' ')}Z" if self._timed else ""
        kind = f" ({fields['exception']}: {fields['exception_msg']})" if "exception_msg" in fields else ""
        # What a run did not say (a library, the command line) has no run.
        parts = (moment, fields["level"], fields.get("run_id", ""), f"{fields.get('msg', '')}{kind}")
        return _printable(" ".join(" ".join(parts).split()))


class JsonFormatter(Formatter):
    """One JSON object, in UTF-8."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        import orjson

        line = orjson.dumps(self.fields(record), default=lambda value: _plain(self.masks.text(str(value)))).decode()
        return line.translate(_BREAKS)


class PlainFormatter(Formatter):
    """The message alone, as Python's logging shows a library's warning where nothing is set up."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return _printable(" ".join(self.masks.text(_message(record)).split()))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        # A library's mistake must neither end the job nor hide what it wanted to say.
        return f"{record.msg} {record.args!r}"


def _plain(value: Any) -> Any:
    """Without halves of surrogate pairs, which UTF-8 cannot say, and integers beyond 64 bits, which orjson cannot."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _printable(text: str) -> str:
    """Without control characters: a terminal obeys them."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
