"""A connector under way: its lines as they come, its time, and its end on every path."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import orjson

from barograph.config import child_environment
from barograph.errors import SourceError, SourceUnavailable
from barograph.sources.airbyte import supervise
from barograph.sources.airbyte.lines import Splitter

GRACE: Final = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_MARGIN: Final = 20.0
_TICK: Final = 0.2
_CHUNK: Final = 256 * 1024
_STDERR_LINE: Final = 8192


@dataclass(frozen=True, slots=True)
class Said:
    """A line: of stderr, or of stdout with its number from 1."""

    line: bytes
    number: int
    stderr: bool


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without a message, and in all, before a connector is given up; 0: never. `tick` may raise SyncStopped."""

    idle: float = 600.0
    total: float = 0.0
    tick: Callable[[float], None] = time.sleep


class ConnectorProcess:
    """One command of a connector: a context manager that leaves no process and no file behind.

    `files` (name -> JSON value) stand in a private folder, readable for this user only, which is the working folder and
    the TMPDIR of the connector as well; "{NAME}" in `arguments` becomes the path of a file.
    """

    def __init__(
        self,
        executable: Path,
        arguments: Sequence[str],
        files: Mapping[str, Any],
        *,
        line_bytes: int,
        patience: Patience,
        where: str,
    ) -> None:
        self._executable, self._arguments, self._files = executable, arguments, files
        self._patience, self.where = patience, where
        self._out = Splitter(line_bytes)
        self._err = Splitter(_STDERR_LINE, cut=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._began = self._alive = time.monotonic()

    def __enter__(self) -> Self:
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="barograph-connector-", ignore_cleanup_errors=True)
            paths = {name: self._write(Path(self._folder.name) / name, value) for name, value in self._files.items()}
            command = [str(self._executable), *(argument.format_map(paths) for argument in self._arguments)]
            self._process = self._start(self._folder.name, command)
        except OSError as error:
            self.close()
            raise SourceError(
                f"the connector cannot be started: {error.strerror}",
                where=self.where,
                hint="is there room in the temporary folder, and are there processes left to start?",
            ) from error
        self._began = self._alive = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, path: Path, value: Any) -> str:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, with its mode from the beginning
            file.write(orjson.dumps(value))
        return str(path)

    def _start(self, folder: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        guard = [sys.executable, "-I", "-S", supervise.__file__, str(GRACE), folder]
        return subprocess.Popen(  # noqa: S603 - the operator names the connector, and the arguments are ours
            [*guard, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=child_environment() | {"TMPDIR": folder, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
            start_new_session=True,
        )

    def alive(self) -> None:
        """A message came: the time without one starts anew."""
        self._alive = time.monotonic()

    def lines(self) -> Iterator[Said]:
        """Every line of stdout and stderr, both read as they come. Raises SourceUnavailable when time is up, TooLong.

        Time that passes while the reader is busy with a line is not the connector's.
        """
        process = self._running
        assert process.stdout is not None  # noqa: S101 - they are pipes
        assert process.stderr is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            for pipe, splitter in ((process.stdout, self._out), (process.stderr, self._err)):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ, splitter)
            while selector.get_map():
                for key, _ in selector.select(_TICK):
                    splitter = key.data
                    data = _read(key.fileobj)  # type: ignore[arg-type]
                    if data == b"":
                        selector.unregister(key.fileobj)
                    for line in splitter.feed(data) if data else splitter.last() if data == b"" else ():
                        asleep = time.monotonic()
                        yield Said(line, splitter.number, splitter is self._err)
                        self._alive += time.monotonic() - asleep
                self._check()

    def wait(self) -> int:
        """The connector's exit code; a signal's number + 128. Raises SourceUnavailable when time is up."""
        while True:
            with suppress(subprocess.TimeoutExpired):
                code = self._running.wait(_TICK)
                return 128 - code if code < 0 else code
            self._check()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None  # noqa: S101 - within the block
        return self._process

    def _check(self) -> None:
        self._patience.tick(0)
        now, patience = time.monotonic(), self._patience
        if patience.idle and now - self._alive > patience.idle:
            what = f"the connector said nothing for {patience.idle:g} s and was ended"
            raise SourceUnavailable(what, where=self.where, hint="raise idle_timeout if it genuinely takes so long")
        if patience.total and now - self._began > patience.total:
            what = f"the connector was not done after {patience.total:g} s and was ended"
            raise SourceUnavailable(what, where=self.where, hint="raise timeout if it genuinely takes so long")

    def close(self) -> None:
        """End the connector and everything that it started, if they still run, and remove its files."""
        if (process := self._process) is not None:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            try:
                process.wait(GRACE + _MARGIN)
            except subprocess.TimeoutExpired:
                # The connector itself dies with its parent (PR_SET_PDEATHSIG).
                process.kill()
                process.wait()
        if self._folder is not None:
            self._folder.cleanup()


def _read(pipe: IO[bytes]) -> bytes | None:
    """What stands in a pipe; b"" at its end, None where nothing does."""
    try:
        return os.read(pipe.fileno(), _CHUNK)
    except BlockingIOError:
        return None
