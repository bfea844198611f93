"""What the tests of the sources share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import pytest

from barograph.config import Connection, Limits
from barograph.messages import Log, Message, Record
from barograph.sources import Access, ReadRequest, open_source
from tests.support.http_server import HttpServer

LIMITS = Limits(http_timeout=5, http_retries=0, source_mib=4, unpacked_mib=16)


class Read(Protocol):
    def __call__(self, source: str, url: str | Path, **connection: Any) -> list[Message]: ...


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """A scripted HTTP server, one for each test."""
    with HttpServer() as server:
        yield server


@pytest.fixture
def read() -> Read:
    """All messages of the source of a kind and url, by the package's one door."""

    def read(source: str, url: str | Path, *, first_day: date | None = None, **limits: Any) -> list[Message]:
        connection = Connection("test", source, str(url), "test", station="ST1", options={"first_day": first_day})
        return list(open_source(connection, Access(replace(LIMITS, **limits))).read(ReadRequest()))

    return read


def records(messages: list[Message]) -> list[dict[str, Any]]:
    return [message.data for message in messages if isinstance(message, Record)]


def logs(messages: list[Message]) -> list[Log]:
    return [message for message in messages if isinstance(message, Log)]
