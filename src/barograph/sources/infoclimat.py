"""Infoclimat's opendata answer: one JSON object that holds every station asked for."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import orjson

from barograph.config import MIB, Connection
from barograph.errors import FormatError, SourceRefused
from barograph.formats.answer import Head, Rows, scan_answer
from barograph.messages import Log, Message, Record
from barograph.sources.base import Access, Messages, ReadRequest
from barograph.sources.fetch import fetch
from barograph.sources.fetched import Fetched
from barograph.sources.masking import quote, scrub

WHOLE_BYTES: Final = 32 * MIB
"""An answer up to this size is one record, as Airbyte lands it."""

RECORD_BYTES: Final = 7_500_000
"""What the rows of one record may measure where a larger answer is cut; its head comes on top."""

_WHICH: Final = "the connection's url must be an opendata request (version=2&method=get&format=json) or a saved answer"
_COMPLETE: Final = "is the download complete? fetch it again"


class Infoclimat:
    """One request's answer, from the server or from a file."""

    spans: ClassVar[bool] = False

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection = connection
        self._limits = access.limits

    def read(self, request: ReadRequest) -> Messages:  # noqa: ARG002 - read whole, always
        """The answer as one record, keys in their order; beyond 32 MiB as several, each an answer of its own.

        Raises what `AnswerReader.read` raises, LimitExceeded beyond `limits.source_mib`, SourceUnavailable where it
        cannot be had now.
        """
        url = self._connection.reveal(self._connection.url)
        with fetch(url, self._limits) as fetched:
            yield from AnswerReader(url).read(fetched)


class AnswerReader:
    """Reads answers of one address; `url` is known for its secrets only, which no message may show."""

    def __init__(self, url: str) -> None:
        self._url = url

    def read(self, fetched: Fetched) -> Messages:
        """The answer as one record, or in pieces.

        A piece repeats the head (status, errors, data, stations, metadata, `_params`) around some rows of `hourly`, in
        their order, less than 8 MB of them. Such an answer is streamed twice, once to check all of it and once to
        cut it; memory is bounded by a piece and the head, not by the answer.

        Raises SourceRefused where the answer is no data (plain text, HTML, a status other than OK, errors, other
        JSON), FormatError where it is cut short, damaged or not UTF-8.
        """
        self._check_start(fetched)
        if fetched.size <= WHOLE_BYTES:
            answer = _parse(fetched.read(), fetched.name)
            yield from self._check(answer, fetched.name)
            yield _record(answer)
        else:
            yield from self._in_pieces(fetched)

    def _check_start(self, fetched: Fetched) -> None:
        """Refuse what does not even begin as a JSON object or array."""
        url, start = self._url, fetched.read(4096)
        text = start.removeprefix(codecs.BOM_UTF8).lstrip()
        if not text:
            raise SourceRefused(f"is empty ({fetched.size} bytes)", where=fetched.name, hint="fetch it again")
        if text.startswith((b"{", b"[")):
            return
        if start.startswith((b"PK\x03\x04", b"\x1f\x8b")):
            kind = "a zip archive or workbook" if start.startswith(b"PK") else "gzip"
            raise FormatError(f"is not JSON but {kind}", where=fetched.name, hint="unpack it, or name the JSON file")
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start:
            raise FormatError("is not UTF-8 JSON; it may be UTF-16", where=fetched.name, hint="save it as UTF-8")
        kind = "HTML" if text.startswith(b"<") else "plain text"
        hint = "open the connection's url in a browser"
        if kind == "plain text":
            hint = "Infoclimat binds a token to one IPv4 address; ask for a token for this machine's public address"
        raise SourceRefused(f"answered {kind} in place of JSON: {quote(start, url)}", where=fetched.name, hint=hint)

    def _check(self, answer: Any, where: str) -> Iterator[Log]:
        """Refuse JSON that is no answer, or an answer that says no; log what is strange about a good one."""
        if not isinstance(answer, dict):
            raise SourceRefused(f"is JSON, but {_kind(answer)} and no Infoclimat answer", where=where, hint=_WHICH)
        hourly = answer.get("hourly")
        if not {"status", "hourly"} & answer.keys() or not isinstance(hourly or {}, dict):
            keys = ", ".join(list(answer)[:8]) or "none"
            raise SourceRefused(f"is JSON, but no Infoclimat answer (its keys: {keys})", where=where, hint=_WHICH)
        status, errors = answer.get("status"), answer.get("errors")
        if errors or status not in (None, "OK"):
            said = scrub(orjson.dumps(errors or []).decode(), self._url)[:200]
            raise SourceRefused(
                f"answered status {scrub(str(status), self._url)[:50]!r}, errors {said}",
                where=where,
                hint="check stations, dates and token in the connection's url",
            )
        if status is None:
            yield Log("warning", f"{where}: the answer has no status; its rows are taken as they are")
        if not any(not name.startswith("_") for name in hourly or {}):
            yield Log(
                "warning",
                f"{where}: the answer says OK but holds no hourly rows — start and end must be dates without a time, "
                "and the stations must have data in between",
            )

    def _in_pieces(self, fetched: Fetched) -> Iterator[Message]:
        head: dict[str, Any] = {}
        filled: set[str] = set()
        for part in scan_answer(fetched.pieces(), where=fetched.name):
            if isinstance(part, Head):
                head = part.values
            else:
                _parse_rows(part, fetched.name)
                filled.add(part.station)
        yield from self._check(head, fetched.name)
        if not head.get("hourly"):
            yield _record(head)
            return
        # The scanner leaves None in the place of an array; arrays without rows stand in the first record.
        around = {name: value for name, value in head["hourly"].items() if value is not None}
        empty: dict[str, Any] = {name: [] for name in head["hourly"] if name not in around and name not in filled}
        for hourly in _packed(scan_answer(fetched.pieces(), where=fetched.name), empty, fetched.name):
            yield _record({**head, "hourly": {**hourly, **around}})


def _packed(parts: Iterator[Rows | Head], first: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """Rows by station, in their order, as many as one record takes."""
    hourly, size, cut = first, 0, False
    for part in parts:
        if isinstance(part, Head):
            continue
        more = sum(map(len, part.rows))
        if size and size + more > RECORD_BYTES:
            yield hourly
            hourly, size, cut = {}, 0, True
        hourly.setdefault(part.station, []).extend(_parse_rows(part, where))
        size += more
    if hourly or not cut:
        yield hourly


def _parse_rows(part: Rows, where: str) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = orjson.loads(b"[%b]" % b",".join(part.rows))
    except orjson.JSONDecodeError as error:
        place = f"hourly.{part.station}, among rows {part.index:,} to {part.index + len(part.rows) - 1:,}"
        what = f"is damaged JSON or not UTF-8 ({error.msg}) in {place}"
        raise FormatError(what, where=where, hint=_COMPLETE) from error
    return rows


def _parse(data: bytes, where: str) -> Any:
    try:
        return orjson.loads(data.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise _not_json(data, error, where) from error


def _not_json(data: bytes, error: orjson.JSONDecodeError, where: str) -> FormatError:
    """Where the text stops being JSON, in bytes and lines."""
    try:
        text = data.decode()
    except UnicodeDecodeError as bad:
        # A file cut inside of a character is incomplete, not wrongly encoded.
        if bad.end < len(data) or "unexpected end" not in bad.reason:
            line = data.count(b"\n", 0, bad.start) + 1
            return FormatError(
                f"is not UTF-8: byte 0x{data[bad.start]:02x} at offset {bad.start:,} (line {line:,}); it may be "
                "Windows-1252 or ISO 8859-1 (Latin-1)",
                where=where,
                hint="save it as UTF-8",
            )
        text = data[: bad.start].decode()
    at = len(text[: error.pos].encode())
    return FormatError(
        f"is truncated or damaged JSON: {error.msg} at byte {at:,} of {len(data):,}, line {error.lineno:,}",
        where=where,
        hint=_COMPLETE,
    )


def _record(answer: dict[str, Any]) -> Record:
    return Record({key: value for key, value in answer.items() if value is not None})


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(type(value), "a number")
