"""The measured process of a sync: `python -m benchmarks.synced sync|run CONFIG DATA_DIR`. Prints one JSON object.

A thread of it counts the open files every two milliseconds: what is open for less may be missed.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from barograph.config import load
from barograph.pipeline import run, sync
from barograph.wiring import opened_job
from benchmarks.process import peak_memory, run_module

_FILES: Final = Path("/proc/self/fd")
_EVERY: Final = 0.002


@dataclass(frozen=True, slots=True)
class Synced:
    """Connections that landed, records landed, reports stored; seconds, CPU seconds, peak bytes, open files."""

    landed: int
    records: int
    reports: int
    wall: float
    cpu: float
    peak: int
    files: int

    def row(self, name: str) -> list[str]:
        """As the row of a table."""
        files = str(self.files) if self.files else "–"
        size = f"{self.peak / 1e6:.0f}"
        return [name, f"{self.landed:,}", f"{self.records:,}", f"{self.wall:.2f}", f"{self.cpu:.2f}", size, files]


def synced(command: str, config: Path, data_dir: Path) -> Synced:
    """Do it in a fresh process."""
    return Synced(**json.loads(run_module("benchmarks.synced", command, str(config), str(data_dir)).output))


class _Watch(threading.Thread):
    """The most files that were open at once."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while _FILES.exists() and not self.ended.wait(_EVERY):
            # One of them is the listing itself.
            self.most = max(self.most, sum(1 for _ in _FILES.iterdir()) - 1)


def main(command: str, config: Path, data_dir: Path) -> None:
    """Do it, and say what it cost from here to its end."""
    watch = _Watch()
    watch.start()
    started, cpu = time.perf_counter(), time.process_time()
    with opened_job(load(config, data_dir=data_dir, environ={})) as job:
        report = {"sync": sync, "run": run}[command](job)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    watch.ended.set()
    watch.join()
    if report.status != "done":
        raise SystemExit(f"{command} was {report.status}: {report.errors[:3]}")
    landed = [connection for connection in report.connections if connection.status == "landed"]
    records = sum(connection.records for connection in landed)
    found = Synced(len(landed), records, report.reports.new, wall, cpu, peak_memory(), watch.most)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
