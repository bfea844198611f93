"""Why a mongod ended: its exit code and its JSON log, in words.

The patterns are of MongoDB 6.0; tests/ops/test_mongod_log.py makes a real mongod fail in most of these ways.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from barograph.ops.mongod import why_not

TAIL: Final = 256 * 1024
"""Bytes at the end of a log that are looked at; a start that fails writes about 10 kB, a stack trace 60."""
FULL: Final = 4 * 1024 * 1024
"""Free bytes below which a disk counts as full: the log itself may have had no room to say so."""
WORDS: Final = 300

EXIT_NET_ERROR: Final = 48
EXIT_BAD_OPTIONS: Final = 2

# After a fatal assertion these follow, and say nothing more.
_ECHOES: Final = frozenset({23089, 23090, 23091, 23092, 31430, 31431, 6384300})
_SHUTTING_DOWN: Final = 23138


@dataclass(frozen=True, slots=True)
class Ending:
    """Why it ended, and what to do."""

    what: str
    hint: str
    passing: bool = False
    """Whether it may be over in a moment: a process that is just ending still holds its port and its lock."""


@dataclass(frozen=True, slots=True)
class _Cause:
    pattern: re.Pattern[str]
    ending: Ending


def _cause(pattern: str, what: str, hint: str, *, passing: bool = False) -> _Cause:
    return _Cause(re.compile(pattern), Ending(what, hint, passing))


# The first that matches holds. WiredTiger reports files of another version as "Permission denied", so they come first.
_CAUSES: Final = (
    _cause(
        r"No space left on device|Disk quota exceeded", "the disk is full", "free space, then `barograph cluster up`"
    ),
    _cause(
        r"DBPathInUse",
        "another mongod runs on its data folder",
        "`ps -ef | grep mongod` shows it; stop that one first",
        passing=True,
    ),
    _cause(
        r"unsupported WiredTiger source file version|Invalid feature compatibility version"
        r"|too recent to start up|UPGRADE PROBLEM",
        "its data were written by another version of MongoDB",
        "name the mongod that wrote them, or the release after it, in BAROGRAPH_MONGOD",
    ),
    _cause(r"Too many open files", "it may not open enough files", "raise the limit: ulimit -n 64000"),
    _cause(
        r"Unable to acquire security key|permissions on \S+ are too open",
        "it cannot use the key file",
        "it must belong to you, with mode 0600",
    ),
    _cause(
        r"WT_TRY_SALVAGE|[Dd]ata corruption|fatal read error|smaller than allocation size|checksum error"
        r"|Failed to open a WiredTiger cursor",
        "its data are damaged",
        "while the others are whole: remove its data folder, and `barograph cluster up` copies it again",
    ),
    _cause(
        r"Permission denied|Operation not permitted|Read-only file system",
        "it may not write its files",
        "see that they belong to you, and that the file system is writable",
    ),
    _cause(r"Cannot allocate memory|JSInterpreterFailure|out of memory", "it gets no memory", "free memory, try again"),
)


def why_it_ended(code: int, said: str, log: str, *, port: int, free: int) -> Ending:
    """Why a mongod ended right after its start.

    `said` is what it printed, `log` what it logged, `free` the bytes left on the disk of its data.
    """
    text = f"{said}\n{log}"
    if code == EXIT_NET_ERROR or "Address already in use" in text:
        return Ending(
            f"port {port} is taken by another program",
            f"`ss -ltnp 'sport = :{port}'` shows which; stop it, or choose another port when the set is made: "
            "`barograph cluster destroy`, then `barograph cluster up --port N`",
            passing=True,
        )
    if free < FULL:
        return _CAUSES[0].ending
    if (found := next((cause for cause in _CAUSES if cause.pattern.search(text)), None)) is not None:
        return found.ending
    if code == EXIT_BAD_OPTIONS or not log.strip():
        return Ending(*why_not(code, said))
    return Ending(f"mongod ended with exit code {code}: {last_words(log)}", "its log says more")


def last_words(log: str) -> str:
    """The last error of a log, else its last message; of the errors that follow a fatal one, none."""
    last, error = "", ""
    for entry in _entries(log):
        last = _told(entry)
        if entry.get("s") in ("E", "F") and entry.get("id") not in _ECHOES:
            error = last
    return error or last or "its log is empty"


def how_it_ended(log: str) -> str:
    """How a mongod that is down ended, by the end of its log."""
    entries = list(_entries(log))
    if not entries:
        return "its log is empty"
    ended = entries[-1]
    if ended.get("id") == _SHUTTING_DOWN:
        code = ended.get("attr", {}).get("exitCode")
        return "was shut down" if code == 0 else f"ended with exit code {code}: {last_words(log)}"
    if any(entry.get("s") == "F" for entry in entries[-20:]):
        return f"ended with an error: {last_words(log)}"
    return "ended without a word in its log: killed, or the machine went down"


def tail(path: Path, start: int = 0) -> str:
    """The end of a log, from byte `start` on at the earliest; nothing where there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(max(start, path.stat().st_size - TAIL))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _entries(log: str) -> Iterator[dict[str, Any]]:
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            # Cut by the beginning of the tail, or by a full disk.
            continue
        if isinstance(entry, dict):
            yield entry


def _told(entry: dict[str, Any]) -> str:
    """The message of an entry, with the error that it carries."""
    attr = entry.get("attr", {})
    error = attr.get("error", attr.get("reason", ""))
    if isinstance(error, dict):
        error = error.get("errmsg", "")
    elif isinstance(attr.get("message"), dict):
        # WiredTiger's own: the number of the error outside, its words inside.
        error = f"{attr['message'].get('msg', '')}: {attr['message'].get('error_str', '')}"
    text = f"{entry.get('msg', '')}: {error}" if error else str(entry.get("msg", ""))
    return " ".join(text.split())[:WORDS]
