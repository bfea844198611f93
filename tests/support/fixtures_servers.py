"""Fixtures of the servers that tests talk to, as a pytest plugin."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support.http_server import HttpServer
from tests.support.s3_server import S3Server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server for the whole test run."""
    with S3Server() as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a fresh bucket; the AWS environment leads to its server for the length of the test."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3_server.create_bucket(name)
    s3_server.lead_here(monkeypatch)
    return name


@pytest.fixture
def http_server() -> Iterator[HttpServer]:
    """A scripted HTTP server, one for each test."""
    with HttpServer() as server:
        yield server
