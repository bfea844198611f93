"""A real S3 server on 127.0.0.1 (moto, in a process of its own), for tests.

Run as a module it is that process: it prints its port, and ends when its standard input closes. So it ends with the
test process even where that one is killed.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

REGION: Final = "eu-west-3"
STOP_SECONDS: Final = 10.0
_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class S3Server:
    """The server while it runs, as a context manager; stopping it makes its endpoint refuse connections."""

    port: int = 0
    process: subprocess.Popen[str] | None = None

    @property
    def endpoint(self) -> str:
        """Where it answers, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The usual AWS environment that leads an S3 client here."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
        }

    def lead_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the whole AWS environment of this process by this server's."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def create_bucket(self, name: str) -> None:
        """Make an empty bucket. The request is unsigned: the server checks no signature."""
        body = (
            f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        )
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("PUT", f"/{name}", body)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"bucket {name!r} was not made: {answer.status} {text}")

    def start(self) -> None:
        """Start it on a free port; returns when it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.s3_server"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.strip().isdigit():
            self.stop()
            raise RuntimeError(f"the S3 server did not start: {line!r}")
        self.port = int(line)

    def stop(self) -> None:
        """Stop it and wait for its end; its objects are gone."""
        if self.process is None:
            return
        process, self.process = self.process, None
        try:
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _serve() -> None:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    _serve()
