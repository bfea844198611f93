"""How far the job is, on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from barograph.faces.cli.render import count, duration, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from barograph.pipeline import Progress

QUIET_SECONDS: Final = 2.0
"""Between two plain lines about items, so that a log of 100,000 objects stays readable."""


@contextmanager
def open_progress(*, quiet: bool = False) -> Iterator[Progress]:
    """What the job tells its progress to; `quiet` shows nothing."""
    if quiet:
        from barograph.pipeline import NoProgress

        yield NoProgress()
    elif sys.stderr.isatty():
        from rich.console import Console

        bar = Bar(Console(stderr=True))
        try:
            yield bar
        finally:
            bar.stop()
    else:
        yield Lines()


class Lines:
    """A line when a stage begins and ends, and one about what is worked on from time to time."""

    def __init__(self) -> None:
        self._stage = ""
        self._total = self._done = self._items = 0
        self._began = self._told = 0.0

    def start(self, stage: str, total: int) -> None:
        """Tell that a stage begins."""
        self._stage, self._total, self._done, self._items = stage, total, 0, 0
        self._began = time.monotonic()
        self._told = 0.0

    def item(self, name: str) -> None:
        """Tell what is worked on, if the last line is not too young."""
        self._items += 1
        now = time.monotonic()
        if now - self._told >= QUIET_SECONDS:
            self._told = now
            far = f" ({size(self._done)} of {size(self._total)} done)" if self._total else ""
            click.echo(f"{self._stage}: {name}{far}", err=True)

    def advance(self, amount: int) -> None:
        """Count bytes."""
        self._done += amount

    def finish(self) -> None:
        """Tell what the stage amounted to."""
        read = f", {size(self._done)}" if self._done else ""
        took = duration(time.monotonic() - self._began)
        noun = {"sync": "connection", "ingest": "object"}.get(self._stage, "collection")
        click.echo(f"{self._stage}: {count(self._items, noun)}{read}, {took}", err=True)


class Bar:
    """A bar in bytes with the current object; gone when the work is done."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._width = console.width
        self._progress: RichProgress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[name]}", markup=False),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._total = self._done = 0
        self._began = 0.0

    def start(self, stage: str, total: int) -> None:
        """Show the bar of a stage; without a total it only moves."""
        self._progress.start()
        self._total, self._done, self._began = total, 0, time.monotonic()
        self._task = self._progress.add_task(stage, total=total or None, name="", amount=self._amount())

    def item(self, name: str) -> None:
        """Show what is worked on; of a long key its end."""
        room = max(12, self._width - 68)
        shown = name if len(name) <= room else "…" + name[1 - room :]
        if self._task is not None:
            self._progress.update(self._task, name=shown)

    def advance(self, amount: int) -> None:
        """Move the bar by bytes."""
        self._done += amount
        if self._task is not None:
            self._progress.update(self._task, advance=amount, amount=self._amount())

    def _amount(self) -> str:
        if not self._total:
            return ""
        left = (time.monotonic() - self._began) * (self._total - self._done) / self._done if self._done else 0.0
        ahead = f", {duration(left)} left" if left >= 1 else ""
        return f"{size(self._done)} of {size(self._total)}{ahead}"

    def finish(self) -> None:
        """Take the bar away."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def stop(self) -> None:
        """Give the terminal back, also after an error."""
        self._progress.stop()
