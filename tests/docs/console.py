"""Runs the console and Python blocks of a page, one after the other, in one folder, and holds their output."""

from __future__ import annotations

import doctest
import io
import re
import shlex
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from barograph.config import load
from barograph.faces.cli.main import root
from tests.docs.pages import ROOT, Block

SKIP: Final = "…"
"""Alone on a line: any lines; inside of a line: any text."""

VOLATILE: Final = (
    (re.compile(r"\d{4}_\d\d_\d\d_\d{13}_\d+"), "OBJECT"),
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"), "INSTANT"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "INSTANT"),
    (re.compile(r"127\.0\.0\.1:\d+ +\d+ +(PRIMARY|SECONDARY) +\d+\.\d MB +\d.*"), "A MEMBER"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"the primary is member\d"), "the primary is MEMBER"),
    (re.compile(r"\d+(\.\d+)? (s|ms)\b"), "DURATION"),
    (re.compile(r"just now|[\d,]+ (d|h|min) ago"), "AGO"),
)
"""What differs from run to run: names and times of extractions, durations; who is elected, where, as which process."""


@dataclass(slots=True)
class Session:
    """A shell, of sorts, and a Python, in one folder."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    demo: str
    """What `make demo` printed."""
    code: int = 0
    names: dict[str, Any] = field(default_factory=dict)

    def run(self, block: Block) -> None:
        """Run a block; AssertionError where it does not do what it shows."""
        {"console": self._console, "python": self._python, "toml": self._toml}[block.language](block)

    def _console(self, block: Block) -> None:
        for number, line, expected in commands(block):
            said = self._command(line)
            where = f"{block.page.name}:{number}: $ {line}"
            assert expected or self.code == 0, f"{where}\nexit {self.code}\n{said}"
            if expected:
                hold(where, expected, said)

    def _command(self, line: str) -> str:
        words = shlex.split(line)
        if words[0] == "barograph":
            result = CliRunner().invoke(root, words[1:], prog_name="barograph")
            self.code = result.exit_code
            return result.output
        if words == ["make", "demo"]:
            assert "demo: $(INSTALLED)" in (makefile := (ROOT / "Makefile").read_text(encoding="utf-8"))
            assert "\n\t@$(BIN)/barograph demo $(ARGS)\n" in makefile
            return self.demo
        if words == ["echo", "$?"]:
            return f"{self.code}\n"
        self.code = 0
        if words[0] == "export":
            for name, _, value in (word.partition("=") for word in words[1:]):
                self.monkeypatch.setenv(name, value)
        elif words[0] == "cd":
            self.folder = (self.folder / words[1]).resolve()
            self.monkeypatch.chdir(self.folder)
        else:
            raise AssertionError(f"{line!r}: only barograph, make demo, export, cd and echo $? are run")
        return ""

    def _python(self, block: Block) -> None:
        if ">>>" not in block.text:
            code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
            with redirect_stdout(io.StringIO()):
                exec(code, self.names)  # noqa: S102 - the documentation's own example
            return
        test = doctest.DocTestParser().get_doctest(
            block.text, self.names, block.page.name, str(block.page), block.line - 1
        )
        said = io.StringIO()
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        runner = doctest.DocTestRunner(optionflags=flags, verbose=False)
        failed = runner.run(test, out=said.write, clear_globs=False).failed
        self.names = test.globs
        assert not failed, said.getvalue()

    def _toml(self, block: Block) -> None:
        path = self.folder / "of-a-page.toml"
        path.write_text(block.text, encoding="utf-8")
        load(path, environ={})


def commands(block: Block) -> list[tuple[int, str, list[str]]]:
    """Line number, command and shown output of each command of a console block; lines after > belong to the command."""
    found: list[tuple[int, str, list[str]]] = []
    lines = block.text.splitlines()
    at = 0
    while at < len(lines):
        assert lines[at].startswith("$ "), f"{block.page.name}:{block.line + at}: a console block begins with $"
        number, command = block.line + at, lines[at][2:]
        while at + 1 < len(lines) and lines[at + 1].startswith("> "):
            at += 1
            more = lines[at].removeprefix("> ")
            command = command[:-1] + more if command.endswith("\\") else f"{command}\n{more}"
        at += 1
        shown = []
        while at < len(lines) and not lines[at].startswith("$ "):
            shown.append(lines[at])
            at += 1
        found.append((number, command, [line for line in shown if line.strip()]))
    return found


def _plain(text: str) -> str:
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return " ".join(text.split())


def hold(where: str, expected: list[str], said: str) -> None:
    """Every shown line stands in the output, in the shown order, without other lines between unless … says so."""
    lines = [_plain(line) for line in said.splitlines() if line.strip()]
    at, free = 0, False
    for line in expected:
        if line.strip() == SKIP:
            free = True
            continue
        pattern = re.compile(".*".join(re.escape(_plain(part)) for part in line.split(SKIP)))
        until = len(lines) if free else at + 1
        place = next((place for place in range(at, min(until, len(lines))) if pattern.fullmatch(lines[place])), None)
        assert place is not None, f"{where}\nshows\n{line}\nwhile the output goes on with\n" + "\n".join(lines[at:])
        at, free = place + 1, False
    assert free or at == len(lines), f"{where}\nthe output has more lines:\n" + "\n".join(lines[at:])
