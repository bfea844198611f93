"""The S3 server of the tests behaves as the landing zone needs it, through the client that barograph uses."""

from __future__ import annotations

import os

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from tests.support.s3_server import S3Server


def test_write_once_list_and_stream(s3_bucket: str) -> None:
    """A conditional write refuses a second one; listing and streaming give back what was put."""
    store = S3Store(s3_bucket)
    data = bytes(range(256)) * 4096
    obstore.put(store, "meteo/one/a.jsonl", data, mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "meteo/one/a.jsonl", b"other", mode="create")
    obstore.put(store, "meteo/two/b.jsonl", b"b", mode="create")
    listed = [item["path"] for batch in obstore.list(store, prefix="meteo") for item in batch]
    assert sorted(listed) == ["meteo/one/a.jsonl", "meteo/two/b.jsonl"]
    streamed = b"".join(bytes(chunk) for chunk in obstore.get(store, "meteo/one/a.jsonl").stream(min_chunk_size=65_536))
    assert streamed == data


def test_each_bucket_is_fresh(s3_server: S3Server, s3_bucket: str) -> None:
    """A test starts with an empty bucket and with no AWS setting but the server's."""
    assert list(obstore.list(S3Store(s3_bucket))) == []
    assert {name: value for name, value in os.environ.items() if name.startswith("AWS_")} == s3_server.environment
