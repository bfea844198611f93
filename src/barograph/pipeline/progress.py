"""How long work tells a face how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told by the pipeline, from one thread at a time, and drawn by a face."""

    def start(self, stage: str, total: int) -> None:
        """A stage begins; `total` is in bytes (0: not known)."""

    def item(self, name: str) -> None:
        """What is being worked on."""

    def advance(self, amount: int) -> None:
        """So many bytes of the stage are done."""

    def finish(self) -> None:
        """The stage is over."""


class NoProgress:
    """Tells nobody."""

    def start(self, stage: str, total: int) -> None:
        """Nothing."""

    def item(self, name: str) -> None:
        """Nothing."""

    def advance(self, amount: int) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""
