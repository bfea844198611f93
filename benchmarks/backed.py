"""The measured process of a backup: `BAROGRAPH_STORE=URL BAROGRAPH_BACKUPS=FOLDER python -m benchmarks.backed STAGE`.

STAGE is create (of the store), verify, or restore (into the store, which is empty). Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from barograph.ops import backup
from barograph.store import open_store
from barograph.store.base import Store
from benchmarks.process import peak_memory, run_module

STAGES: Final[dict[str, Callable[[Store, backup.Backups], backup.Manifest]]] = {
    "create": backup.create,
    "verify": lambda _, backups: backup.verify(backups, backups.choose(None)),
    "restore": lambda store, backups: backup.restore(store, backups, backups.choose(None)).manifest,
}


@dataclass(frozen=True, slots=True)
class Backed:
    """Reports of the backup, its size packed and as documents (bytes), its content; seconds, peak memory (bytes)."""

    reports: int
    packed: int
    raw: int
    content: str
    seconds: float
    peak: int

    @property
    def rate(self) -> float:
        """Reports per second."""
        return self.reports / self.seconds


def backed(stage: str, store_url: str, folder: Path) -> Backed:
    """Do a stage in a fresh process."""
    settings = {"BAROGRAPH_STORE": store_url, "BAROGRAPH_BACKUPS": str(folder)}
    return Backed(**json.loads(run_module("benchmarks.backed", stage, settings=settings).output))


def main(stage: str) -> None:
    """Do a stage, and say how long it took and how much memory."""
    backups = backup.open_backups(os.environ["BAROGRAPH_BACKUPS"])
    with closing(open_store(os.environ["BAROGRAPH_STORE"])) as store:
        started = time.perf_counter()
        made = STAGES[stage](store, backups)
        seconds = time.perf_counter() - started
    told = {"reports": made.content.reports, "packed": made.packed_bytes, "raw": made.raw_bytes}
    print(json.dumps({**told, "content": made.content.sha256, "seconds": seconds, "peak": peak_memory()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
