"""The lines of a connector's stdout as values: Airbyte's protocol, version 0.2.

A line that is no JSON object with a `type` is log text. A line that begins like a message and is none is damaged, and
an error: dropped, it might have been a record.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

_LIKE_A_MESSAGE: Final = re.compile(rb'^\s*\{\s*"type"\s*:\s*"[A-Z_]+"')
_STREAM: Final = re.compile(rb'"stream"\s*:\s*"((?:[^"\\]|\\.)*)"')
_EXACT: Final = 2**63


class Damaged(Exception):
    """A message that cannot be read; its text says why."""


@dataclass(frozen=True, slots=True)
class RecordLine:
    """RECORD: top-level keys whose value is null are left out, as Airbyte's CDK 7 does."""

    stream: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StateLine:
    """STATE: `payload` goes back to the connector as it is. `stream` is None for LEGACY and GLOBAL.

    `records`: how many records of the stream the connector says to have sent since its last state, where it says so.
    """

    stream: str | None
    payload: dict[str, Any]
    records: int | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """LOG, or a line that is no message."""

    level: Literal["info", "warning", "error"]
    text: str
    message: bool = True


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """TRACE ERROR."""

    text: str
    failure_type: str
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class StatusLine:
    """TRACE STREAM_STATUS: STARTED, RUNNING, COMPLETE or INCOMPLETE."""

    stream: str
    status: str


@dataclass(frozen=True, slots=True)
class OtherLine:
    """CATALOG, SPEC, CONNECTION_STATUS, CONTROL and what is not known: the message's type and its whole body."""

    type: str
    body: dict[str, Any] = field(hash=False)


Line: TypeAlias = RecordLine | StateLine | LogLine | ErrorLine | StatusLine | OtherLine

_LEVELS: Final[dict[str, Literal["info", "warning", "error"]]] = {
    "FATAL": "error",
    "ERROR": "error",
    "WARN": "warning",
    "WARNING": "warning",
}


def parse_line(line: bytes) -> Line | None:
    """A line of stdout; None for an empty one. Raises Damaged."""
    if not line.strip():
        return None
    body = _load(line)
    if body is None:
        return LogLine("info", line.decode("utf-8", errors="replace").rstrip(), message=False)
    kind = body["type"]
    try:
        return _READERS[kind](body) if kind in _READERS else OtherLine(kind, body)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else "holds something else than the protocol says"
        raise Damaged(f"a {kind} {what}") from error


def stream_of(head: bytes) -> str | None:
    """The stream that the beginning of a RECORD's line names."""
    match = _STREAM.search(head)
    return None if match is None else match[1].decode("utf-8", errors="replace")


def _load(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a message; None for other text."""
    try:
        body: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if _LIKE_A_MESSAGE.match(line) is None:
            return None
        body = _load_python(line, str(error))
    return body if isinstance(body, dict) and isinstance(body.get("type"), str) else None


def _load_python(line: bytes, problem: str) -> Any:
    """What Python's own json writes and JSON does not know: NaN and Infinity (null here), lone surrogates (U+FFFD)."""
    try:
        return _clean(json.loads(line.decode(), parse_constant=lambda _: None, parse_int=_int))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"a message is cut short or damaged JSON: {problem}") from error


def _int(text: str) -> int | float:
    value = int(text)
    return value if -_EXACT <= value < 2 * _EXACT else float(value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _record(body: dict[str, Any]) -> Line:
    record = body["record"]
    return RecordLine(
        _name(record["stream"]), {key: value for key, value in record["data"].items() if value is not None}
    )


def _state(body: dict[str, Any]) -> Line:
    state = body["state"]
    stats = state.get("sourceStats") or {}
    count = stats.get("recordCount")
    payload = {key: value for key, value in state.items() if key not in ("sourceStats", "destinationStats")}
    stream = _name(state["stream"]["stream_descriptor"]["name"]) if state.get("stream") else None
    return StateLine(stream, payload, None if count is None else int(count))


def _log(body: dict[str, Any]) -> Line:
    log = body["log"]
    level, text = str(log.get("level", "INFO")).upper(), str(log["message"])
    if level in ("DEBUG", "TRACE"):
        return LogLine("info", "")
    if log.get("stack_trace"):
        text = f"{text}\n{log['stack_trace']}"
    return LogLine(_LEVELS.get(level, "info"), text)


def _trace(body: dict[str, Any]) -> Line:
    trace = body["trace"]
    kind = trace["type"]
    if kind == "ERROR":
        error = trace["error"]
        text = str(error.get("message") or error.get("internal_message") or "no reason given")
        stream = (error.get("stream_descriptor") or {}).get("name")
        return ErrorLine(text, str(error.get("failure_type") or "system_error"), stream)
    if kind == "STREAM_STATUS":
        status = trace["stream_status"]
        return StatusLine(_name(status["stream_descriptor"]["name"]), str(status["status"]))
    return LogLine("info", "")


_READERS: Final = {"RECORD": _record, "STATE": _state, "LOG": _log, "TRACE": _trace}
