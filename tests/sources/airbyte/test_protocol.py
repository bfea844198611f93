"""Lines and messages, whatever stands in them."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.config import Connection
from barograph.sources.airbyte.lines import Splitter, TooLong
from barograph.sources.airbyte.masks import masks_of
from barograph.sources.airbyte.protocol import Damaged, ErrorLine, LogLine, RecordLine, StateLine, parse_line

LINES = st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(LINES, st.integers(1, 50))
def test_lines_are_the_same_however_they_arrive(lines: list[bytes], size: int) -> None:
    """Cut into pieces anywhere, with or without a last end of line."""
    data = b"\n".join(lines)
    splitter = Splitter(40)
    found = [line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])]
    found += splitter.last()
    assert found == (lines if not lines or lines[-1] else lines[:-1])
    assert splitter.number == len(found)


@given(st.binary(min_size=11, max_size=200).filter(lambda line: b"\n" not in line), st.integers(1, 50))
def test_a_line_too_long_is_refused_or_cut(line: bytes, size: int) -> None:
    """By its number, with how it begins; cut, the line after it is whole."""
    data = b"short\n" + line + b"\nnext\n"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    cut = Splitter(10, cut=True)
    assert [each for piece in pieces for each in cut.feed(piece)] == [b"short", line[:10], b"next"]
    strict = Splitter(10)
    with pytest.raises(TooLong) as caught:
        _feed(strict, pieces)
    assert caught.value.number == 2
    assert line.startswith(caught.value.head)


def _feed(splitter: Splitter, pieces: list[bytes]) -> list[bytes]:
    return [line for piece in pieces for line in splitter.feed(piece)]


@given(st.dictionaries(st.text(), VALUES, max_size=6))
def test_a_record_is_read_value_for_value(data: dict[str, object]) -> None:
    """Nulls at the top are left out, and nothing else changes, in either spelling of JSON."""
    body = {"type": "RECORD", "record": {"stream": "s", "data": data, "emitted_at": 1}}
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False, separators=(",", ":"))):
        found = parse_line(text.encode("utf-8", "surrogatepass"))
        assert found == RecordLine("s", {key: value for key, value in data.items() if value is not None})


@given(st.binary(max_size=60))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    """Any bytes are a message, log text, nothing, or damaged; never another error."""
    for text in (line, b'{"type": "RECORD", ' + line, b'{"type": "STATE", "state": ' + line + b"}"):
        with suppress(Damaged):
            parse_line(text)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "RECORD", "record": {"stream": "s"}},
        {"type": "RECORD", "record": {"stream": "s", "data": [1]}},
        {"type": "RECORD"},
        {"type": "RECORD", "record": {"stream": [], "data": {}}},
        {"type": "STATE", "state": {"data": {}, "sourceStats": {"recordCount": "many"}}},
        {"type": "STATE", "state": {"type": "STREAM", "stream": {"stream_state": {}}}},
        {"type": "TRACE", "trace": {"type": "ERROR"}},
        {"type": "LOG", "log": "text"},
    ],
)
def test_a_message_that_lacks_something_is_damaged(body: dict[str, object]) -> None:
    """It is not taken for another."""
    with pytest.raises(Damaged, match=str(body["type"])):
        parse_line(json.dumps(body).encode())


def test_states_logs_and_errors_of_every_age() -> None:
    """LEGACY and GLOBAL states, with statistics or not; levels; an error without a message."""
    legacy = parse_line(b'{"type":"STATE","state":{"data":{"a":1}}}')
    assert legacy == StateLine(None, {"data": {"a": 1}}, None)
    whole = parse_line(b'{"type":"STATE","state":{"type":"GLOBAL","global":{"stream_states":[]}}}')
    assert isinstance(whole, StateLine)
    assert whole.stream is None
    assert parse_line(b'{"type":"LOG","log":{"level":"WARN","message":"m"}}') == LogLine("warning", "m")
    assert parse_line(b'{"type":"LOG","log":{"level":"DEBUG","message":"m"}}') == LogLine("info", "")
    error = parse_line(b'{"type":"TRACE","trace":{"type":"ERROR","error":{"internal_message":"i"}}}')
    assert error == ErrorLine("i", "system_error")


@given(st.text(min_size=4, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_is_masked_in_every_spelling(secret: str, before: str, after: str) -> None:
    """As it is, and as JSON writes it."""
    connection = Connection("c", "airbyte", "", "s", options={"config": {"p": "${P}"}}, environ={"P": secret})
    masks = masks_of(connection)
    for spelling in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        if len(spelling) >= 4:
            assert spelling not in masks.text(f"{before}{spelling}{after}").replace("***", "\0" * 31)


def test_a_setting_named_like_a_secret_is_masked_too() -> None:
    """An operator may have written it down in spite of everything."""
    config = {"credentials": {"api_key": "abcd1234"}, "name": "station"}
    masks = masks_of(Connection("c", "airbyte", "", "s", options={"config": config}))
    assert masks.text("abcd1234 of station") == "*** of station"
