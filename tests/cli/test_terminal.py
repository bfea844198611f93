"""On a terminal: colour, tables that fit, a progress bar on stderr."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from barograph.simulate import SimulatedNetwork
from tests.cli.conftest import Cli

pty = pytest.importorskip("pty", reason="terminals of POSIX")

PROGRAM = (sys.executable, "-c", "from barograph.faces.cli.main import main; main()")
COLOUR = re.compile(r"\x1b\[[\d;]*3[0-7][\d;]*m")


def on_terminal(cli: Cli, *words: str, **environment: str) -> str:
    """What the command writes to a terminal of 80 columns (both streams)."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [*PROGRAM, "--config", str(cli.config), "--data-dir", str(cli.data_dir), *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm", "COLUMNS": "80", **environment},
    ) as process:
        os.close(theirs)
        told = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux says so when the other side has closed
                break
            if not part:
                break
            told += part
    os.close(ours)
    assert process.returncode in (0, 3)
    return told.decode()


def test_colour_and_width(cli: Cli) -> None:
    """A table fits into the terminal; what has no room is named, and a bad value is red."""
    told = on_terminal(cli, "query", "IICHTE19", "2024-10-01T06:00", "2024-10-01T07:00")
    plain = re.sub(r"\x1b\[[\d;]*m", "", told)
    assert max(map(len, plain.splitlines())) <= 80
    assert "no room for wind_direction_deg" in plain
    assert re.search(r"\n06:0\d +04:0\d +\d", plain)
    assert COLOUR.search(on_terminal(cli, "runs"))


def test_no_color(cli: Cli) -> None:
    """NO_COLOR is honoured."""
    assert not COLOUR.search(on_terminal(cli, "runs", NO_COLOR="1"))


def test_progress_bar(network: SimulatedNetwork, tmp_path: Path) -> None:
    """A run on a terminal draws a bar and takes it away; JSON on a pipe stays clean of it."""
    cli = Cli(network.config, tmp_path / "data")
    told = on_terminal(cli, "run")
    assert "ingest" in told
    assert "━" in told
    assert "\x1b[?25h" in told
