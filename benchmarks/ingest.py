"""The measured process of a bulk ingest: `python -m benchmarks.ingest FOLDER STORE FORM STATIONS` prints one JSON line.

Timed is the ingest stage as the job runs it: decode, flag, merge, store, ledger, logs, summaries, run report.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from barograph.pipeline import ingest
from barograph.wiring import opened_job
from benchmarks.landed import FORMS, settings
from benchmarks.process import peak_memory


def main(folder: str, store_url: str, form: str, stations: str) -> None:
    """Ingest what is landed under `folder`, and say how long it took and how much memory."""
    chosen = next(known for known in FORMS if known == form)
    with opened_job(settings(Path(folder), store_url, chosen, int(stations))) as job:
        started, busy = time.perf_counter(), time.process_time()
        report = ingest(job)
        seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    told = {
        "status": report.status,
        "new": report.reports.new,
        "rows": report.reports.rows,
        "errors": report.errors,
        "seconds": seconds,
        "cpu": cpu,
        "peak": peak_memory(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
