"""Records of JSON documents and of JSON lines, each with its place; what is no object is named, not dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import orjson

from barograph.errors import FormatError, LimitExceeded

_SHOWN: Final = 200
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Item:
    """A record and its 1-based place (item of the list, or line); where `problem` says why it is none, its `text`."""

    place: int
    record: dict[str, Any] | None = None
    problem: str = ""
    text: str = ""


def read_document(file: IO[bytes], path: str | None, *, name: str, limit_mib: int) -> Iterator[Item]:
    """The records in the list at a dotted path of a document ("data.rows"; None: the document is the list).

    The document is held whole, so `limit_mib` bounds it. A single object is a list of one. Raises FormatError where
    there is no JSON, or no list at the path; LimitExceeded.
    """
    file.seek(0)
    data = file.read(limit_mib * _MIB + 1)
    if len(data) > limit_mib * _MIB:
        raise LimitExceeded(
            f"is a JSON document of more than {limit_mib} MiB",
            where=name,
            hint="raise [limits] record_mib, or ask the source for JSON lines, which are streamed",
        )
    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        hint = "it may be cut short; open the connection's url in a browser"
        raise FormatError(f"is not JSON: {error}", where=name, hint=hint) from None
    walked = "the document"
    for part in path.split(".") if path else ():
        if not isinstance(value, dict) or part not in value:
            there = ", ".join(list(value)[:20]) if isinstance(value, dict) else _kind(value)
            raise FormatError(
                f"has no {part!r} in {walked}", where=name, hint=f"correct records; there is {there or 'nothing'}"
            )
        value, walked = value[part], repr(part)
    if isinstance(value, dict) and path is None:
        value = [value]
    if not isinstance(value, list):
        raise FormatError(
            f"has {_kind(value)} instead of a list in {walked}",
            where=name,
            hint='set records, as records = "data.rows"',
        )
    for place, each in enumerate(value, 1):
        yield _item(place, each)


def read_lines(file: IO[bytes], *, name: str, limit_mib: int) -> Iterator[Item]:
    """The record of each line that is not empty. Raises LimitExceeded for a line beyond `limit_mib`."""
    file.seek(0)
    number, limit = 0, limit_mib * _MIB
    while line := file.readline(limit + 1):
        number += 1
        if len(line) > limit:
            raise LimitExceeded(
                f"has a line of more than {limit_mib} MiB, line {number}",
                where=name,
                hint="raise [limits] record_mib if it is genuine",
            )
        text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if not text:
            continue
        try:
            yield _item(number, orjson.loads(text))
        except orjson.JSONDecodeError as error:
            shown = text[:_SHOWN].decode("utf-8", "backslashreplace")
            yield Item(number, problem=f"is not JSON ({error})", text=shown)


def _item(place: int, value: Any) -> Item:
    if isinstance(value, dict):
        return Item(place, value)
    return Item(place, problem="is not a JSON object", text=orjson.dumps(value)[:_SHOWN].decode("utf-8", "replace"))


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
