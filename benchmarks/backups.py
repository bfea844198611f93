"""(e) Backups: a year of ten stations taken, verified and restored, of both engines; rates, sizes, memory."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.backed import Backed, backed
from benchmarks.bulk import Databases, Files
from benchmarks.ingest import ingested
from benchmarks.process import run_module, say
from benchmarks.report import Section, Table

STAGES: Final = ("create", "verify", "restore")
DONE: Final = (
    "create: every document read, packed (zstd 3), hashed, written to a folder. verify: read, unpacked, hashed. "
    "restore: verified first, then inserted into an empty store, then read again and held against the manifest. A "
    "fresh process each; the peak is that of the whole process."
)
CONTENT: Final = "Each restored store has the content that was backed up, and both engines have the same (SHA-256)."
PACKED: Final = (
    "Size: of the parts; beside it the documents as BSON, which is what MongoDB keeps before its own compression."
)


def measure(folder: Path, mongo: Databases | None, *, quick: bool) -> Section:
    """Both engines hold the same reports; each stage once."""
    stations, days = (2, 2) if quick else (10, 365)
    say(f"(e) landing {days} days of {stations} stations")
    run_module("benchmarks.landed", str(folder / "backups"), "answer", str(stations), str(days))
    rows: list[list[str]] = []
    contents: set[str] = set()
    for name, databases in (("SQLite", Files(folder)), ("MongoDB", mongo)):
        if databases is None:
            continue
        place = folder / f"backups-{name}"
        with ExitStack() as stack:
            url = stack.enter_context(databases.fresh())
            ingested(folder / "backups", url, "answer", stations)
            results = {"create": backed("create", url, place), "verify": backed("verify", url, place)}
        with databases.fresh() as url:
            results["restore"] = backed("restore", url, place)
        for stage, result in results.items():
            say(f"(e) {name}, {stage}: {result.rate:,.0f} reports/s")
            rows.append(_row(f"{name}, {stage}", result))
            contents.add(result.content)
        shutil.rmtree(place)
    assert len(contents) == 1, "the engines hold different contents"
    header = ["", "reports", "seconds", "reports/s", "packed MB", "raw MB", "packed : raw", "peak MB"]
    title = f"{days} days of {stations} stations at 5 minutes"
    return Section("(e) Backups", [Table(title, header, rows)], [], [DONE, PACKED, CONTENT])


def _row(name: str, result: Backed) -> list[str]:
    return [
        name,
        f"{result.reports:,}",
        f"{result.seconds:.1f}",
        f"{result.rate:,.0f}",
        f"{result.packed / 1e6:.1f}",
        f"{result.raw / 1e6:.1f}",
        f"{result.packed / result.raw:.2f}",
        f"{result.peak / 1e6:.0f}",
    ]
