"""`alert`: what failed, on the screen and at a web hook."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from barograph.config import adopt_credentials
from barograph.errors import ConfigError
from tests.cli.conftest import call


class Hook(ThreadingHTTPServer):
    """Takes messages; answers what it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.taken: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/s3cr3t-t0ken"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200:
            self.server.taken.append(json.loads(body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing on the screen."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    with Hook() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("BAROGRAPH_ALERT_URL", server.url)
        yield server
        server.shutdown()


def test_the_hook_is_told(hook: Hook) -> None:
    """Which unit, on which machine, and what status finds, with the commands that mend it."""
    done = call("alert", "barograph-run.service")
    assert done.exit_code == 0, done.stderr
    (said,) = hook.taken
    assert said["unit"] == "barograph-run.service"
    assert "barograph-run.service failed" in said["text"]
    assert said["problems"] == [{"what": "no run yet", "command": "barograph run"}]
    assert "barograph-run.service failed" in done.stdout
    assert "no run yet" in done.stdout


def test_a_busy_hook_is_asked_again(hook: Hook) -> None:
    """Two refusals, then it takes it; the message is there once."""
    hook.answers = [503, 429]
    assert call("alert", "--test").exit_code == 0
    assert len(hook.taken) == 1
    assert hook.taken[0]["test"] is True


@pytest.mark.parametrize("status", [404, 500])
def test_a_hook_that_refuses(hook: Hook, status: int) -> None:
    """Exit 1; the message still stands on the screen, and the address, a secret, nowhere."""
    hook.answers = [status] * 3
    done = call("alert", "x.service")
    assert done.exit_code == 1
    assert "x.service failed" in done.stdout
    assert f"answered {status}" in done.stderr
    assert "s3cr3t" not in done.stdout + done.stderr


def test_without_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the journal only, and says so; a wrong address is a configuration error."""
    monkeypatch.delenv("BAROGRAPH_ALERT_URL", raising=False)
    done = call("alert", "x.service")
    assert done.exit_code == 0
    assert "no BAROGRAPH_ALERT_URL is set" in done.stderr
    monkeypatch.setenv("BAROGRAPH_ALERT_URL", "hooks.example/s3cr3t")
    done = call("alert", "x.service")
    assert done.exit_code == 2
    assert "s3cr3t" not in done.stderr
    assert call("alert").exit_code == 2


def test_credentials_become_variables(tmp_path: Any) -> None:
    """A credential is a variable under its own name; what the environment says already goes over it."""
    (tmp_path / "barograph_INFOCLIMAT_TOKEN").write_text("abc\n", encoding="utf-8")
    (tmp_path / "AWS_ACCESS_KEY_ID").write_text("AKIA", encoding="utf-8")
    (tmp_path / "BAROGRAPH_STORE").write_text("sqlite:///x.db", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "BAROGRAPH_STORE": "sqlite:///mine.db"}
    assert adopt_credentials(environ) == ["AWS_ACCESS_KEY_ID", "INFOCLIMAT_TOKEN"]
    assert environ["INFOCLIMAT_TOKEN"] == "abc"
    assert environ["BAROGRAPH_STORE"] == "sqlite:///mine.db"
    assert "notes.txt" not in environ
    (tmp_path / "BROKEN").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="BROKEN: the credential cannot be read"):
        adopt_credentials(environ)
    assert adopt_credentials({}) == []
