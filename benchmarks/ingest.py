"""The measured process of a bulk ingest: `BAROGRAPH_STORE=URL python -m benchmarks.ingest FOLDER FORM STATIONS`.

Timed is the ingest stage as the job runs it: decode, flag, merge, store, ledger, logs, summaries, run report. Prints
one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from barograph.pipeline import ingest
from barograph.wiring import opened_job
from benchmarks.landed import Form, form_of, settings
from benchmarks.process import peak_memory, run_module


@dataclass(frozen=True, slots=True)
class Ingested:
    """Reports stored, seconds and CPU seconds of the stage, peak memory of the process in bytes."""

    reports: int
    seconds: float
    cpu: float
    peak: int

    @property
    def rate(self) -> float:
        """Reports per second."""
        return self.reports / self.seconds


def ingested(folder: Path, store_url: str, form: Form, stations: int) -> Ingested:
    """Ingest what is landed under `folder` in a fresh process."""
    usage = run_module("benchmarks.ingest", str(folder), form, str(stations), settings={"BAROGRAPH_STORE": store_url})
    return Ingested(**json.loads(usage.output))


def main(folder: str, form: str, stations: str) -> None:
    """Ingest, and say how long it took and how much memory."""
    store_url = os.environ["BAROGRAPH_STORE"]
    with opened_job(settings(Path(folder), store_url, form_of(form), int(stations))) as job:
        started, busy = time.perf_counter(), time.process_time()
        report = ingest(job)
        seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    counts = report.reports
    assert report.status == "done", report.errors
    assert counts.new == counts.rows, counts
    print(json.dumps({"reports": counts.new, "seconds": seconds, "cpu": cpu, "peak": peak_memory()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
