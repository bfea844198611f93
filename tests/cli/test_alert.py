"""`alert`: what failed, on the screen and at a web hook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from barograph.config import adopt_credentials
from barograph.errors import ConfigError
from tests.cli.conftest import call
from tests.support.http_server import HttpServer, plain, too_many

PATH: Final = "/hooks/s3cr3t-t0ken"
TAKEN: Final = plain("ok")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    with HttpServer() as server:
        monkeypatch.setenv("BAROGRAPH_ALERT_URL", server.on(PATH, TAKEN))
        yield server


def said_to(hook: HttpServer) -> list[dict[str, Any]]:
    """The messages so far."""
    return [json.loads(seen.body) for seen in hook.requests_to(PATH)]


def test_the_hook_is_told(hook: HttpServer) -> None:
    """Which unit, on which machine, and what status finds, with the commands that mend it."""
    done = call("alert", "barograph-run.service")
    assert done.exit_code == 0, done.stderr
    (said,) = said_to(hook)
    assert said["unit"] == "barograph-run.service"
    assert "barograph-run.service failed" in said["text"]
    assert said["problems"] == [{"what": "no run yet", "command": "barograph run"}]
    assert "barograph-run.service failed" in done.stdout
    assert "no run yet" in done.stdout


def test_a_busy_hook_is_asked_again(hook: HttpServer) -> None:
    """Two refusals, then it takes it; the message is there once."""
    hook.on(PATH, plain("busy", 503), too_many("0"), TAKEN)
    assert call("alert", "--test").exit_code == 0
    *refused, taken = said_to(hook)
    assert refused == [taken, taken]
    assert taken["test"] is True


@pytest.mark.parametrize("status", [404, 500])
def test_a_hook_that_refuses(hook: HttpServer, status: int) -> None:
    """Exit 1; the message still stands on the screen, and the address, a secret, nowhere."""
    hook.on(PATH, plain("no", status))
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
