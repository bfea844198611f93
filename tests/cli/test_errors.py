"""Errors: an exit code and a line or two on stderr, never a traceback, never a secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from barograph.faces.cli.command import App
from tests.cli.conftest import Cli, call

PROGRAM = (sys.executable, "-c", "from barograph.faces.cli.main import main; main()")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nope"], 2, "no command 'nope'"),
        (["qury", "X", "2024"], 2, "did you mean query?"),
        (["query"], 2, "missing argument 'STATION'"),
        (["query", "X", "2024", "--nope"], 2, "no such option '--nope'"),
        (["--nope", "stations"], 2, "no such option '--nope'"),
        (["query", "X", "2024", "--data-dir", "d"], 2, "`barograph --data-dir … query`"),
        (["export", "--format", "xml"], 2, "'xml' is not one of"),
        (["--config", "nope.toml", "run"], 2, "nope.toml: no such configuration file"),
        (["--store", "paper://desk", "stations"], 2, "not a store's URL"),
        (["run", "nope"], 2, "no connection 'nope'"),
        (["query", "X", "2024"], 1, "there is no record yet"),
        (["simulate", "out", "--fault", "nope"], 2, "there is no fault 'nope'"),
    ],
)
def test_errors_are_short_and_on_stderr(words: list[str], code: int, said: str) -> None:
    """What is wrong is said in at most two lines on stderr, with the exit code of its kind; stdout stays empty."""
    result = call(*words)
    assert result.exit_code == code
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["query", "IICHTE91", "2024-10-01"], 1, "did you mean IICHTE19"),
        (["query", "IICHTE19", "2024-13-01"], 2, "'2024-13-01' is not a date"),
        (["query", "IICHTE19", "2024-10-01", "--variables", "temprature"], 2, "did you mean temperature"),
        (["sql", "SELECT nope FROM reports"], 2, "no column 'nope'"),
        (["sql", "DELETE FROM reports"], 2, "DELETE is not a question"),
        (["export", "--output", "missing/folder/x.csv"], 2, "cannot be written"),
        (["plot", "IICHTE19", "2030-01-01", "-o", "x.png"], 1, "no reports"),
    ],
)
def test_errors_of_questions(cli: Cli, words: list[str], code: int, said: str) -> None:
    """A question that cannot be answered ends like any other error."""
    result = cli(*words, code=code)
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) <= 2


def test_reading_makes_no_file(tmp_path: Path) -> None:
    """A mistyped --data-dir must not leave an empty record behind."""
    for words in (["stations"], ["logs"], ["runs"], ["status"], ["query", "X", "2024"]):
        call("--data-dir", str(tmp_path / "typo"), *words)
    assert not (tmp_path / "typo").exists()


def broken(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the job fail in a way that nobody foresaw."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("barograph.pipeline.run", fail)


def test_unexpected_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug shows as one line that can be reported; its traceback only where it is asked for."""
    broken(ZeroDivisionError("a bug"), monkeypatch)
    result = call("run")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "error: internal error: ZeroDivisionError: a bug"
    assert "please report it" in result.stderr
    assert "Traceback" not in result.stderr
    monkeypatch.setenv("BAROGRAPH_DEBUG", "1")
    assert "Traceback" in call("run").stderr


def test_interrupt_is_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 130 and a line, not with a traceback."""
    broken(KeyboardInterrupt(), monkeypatch)
    result = call("run")
    assert result.exit_code == 130
    assert result.stderr.strip() == "interrupted; nothing is broken, and the same command may be run again"


def test_operating_system_errors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is not a bug of ours."""
    broken(OSError(28, "No space left on device", "/data/meteo.db"), monkeypatch)
    result = call("run")
    assert (result.exit_code, result.stderr) == (1, "error: /data/meteo.db: No space left on device\n")


@pytest.mark.parametrize("words", [["stations"], ["status"], ["run"], ["query", "X", "2024"], ["rebuild", "--yes"]])
def test_no_password_is_shown(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The password of a store's URI stands in no output, wherever it came from."""
    for url in ("mongodb://user:s3cret@host:99999/meteo", "paper://user:s3cret@desk"):
        result = call("--store", url, *words)
        assert result.exit_code in (1, 2)
        assert "s3cret" not in result.output
        monkeypatch.setenv("BAROGRAPH_STORE", url)
        assert "s3cret" not in call(*words).output


def test_suggested_commands_carry_no_password() -> None:
    """A command to copy repeats the global options, but not a URI with a password in it."""
    app = App("my file.toml", "data", None, "mongodb://user:s3cret@host/meteo")
    assert app.prefix == "barograph --config 'my file.toml' --data-dir data"
    assert App(store_url="sqlite:///x.db").prefix == "barograph --store sqlite:///x.db"


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
def test_real_process(cli: Cli) -> None:
    """The installed entry point: exit codes, streams, and a reader that goes away."""
    options = ("--config", str(cli.config), "--data-dir", str(cli.data_dir))
    with subprocess.Popen([*PROGRAM, *options, "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as exporting:
        assert exporting.stdout is not None
        assert exporting.stderr is not None
        assert exporting.stdout.readline().startswith(b"station_id,utc_time,temperature")
        exporting.stdout.close()
        assert exporting.stderr.read() == b""
    assert exporting.returncode == 141
    done = subprocess.run([*PROGRAM, *options, "query", "nope", "2024"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no station 'nope'")
