"""(b) Bulk ingest: years of 5-minute reports from the landing zone into both engines, rate and peak memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks.ingest import Ingested, ingested
from benchmarks.landed import Form, join_parts, landed_size
from benchmarks.process import run_module, say
from benchmarks.report import Section, Table, Target, median
from benchmarks.weather import PER_DAY

SQLITE_RATE: Final = 150_000
MONGO_RATE: Final = 80_000
MEMORY: Final = 500
ONE_LINE: Final = 150
LANDED: Final = (
    "All of it went through `barograph.landing.land`: tables of 11 columns of text with units, in the station's local "
    "time with both clock changes, a blank row before each day; the answer's values are strings and nulls."
)
STAGE: Final = (
    "The stage is timed inside a fresh process: decode, flag, merge, store, ledger, logs, summaries, run report. The "
    "peak is that of the whole process. A rate is the best of several: the rest of the machine can only lower it."
)
MEMBERS: Final = (
    "MongoDB: three members on this machine, which share its cores with the job; majority writes, journaled. CPU is "
    "the job's own."
)


class Databases(Protocol):
    """Where MongoDB databases come from."""

    def fresh(self) -> AbstractContextManager[str]:
        """The URL of an empty database, which is dropped afterwards."""


@dataclass(frozen=True, slots=True)
class Landed:
    """Something in a landing zone of its own."""

    name: str
    folder: Path
    form: Form
    stations: int
    days: int
    joined: bool = False

    @property
    def reports(self) -> int:
        """How many are in it."""
        return self.stations * self.days * PER_DAY

    def land(self) -> None:
        """Put it there."""
        say(f"(b) landing {self.name}: {self.reports:,} reports")
        run_module("benchmarks.landed", str(self.folder), self.form, str(self.stations), str(self.days))
        if self.joined:
            join_parts(self.folder)


@dataclass(frozen=True, slots=True)
class Engine:
    """A store, and what is asked of it."""

    name: str
    rounds: int
    rate: int
    databases: Databases

    def ingest(self, landed: Landed) -> Ingested:
        """Ingest into an empty store."""
        with self.databases.fresh() as url:
            result = ingested(landed.folder, url, landed.form, landed.stations)
        assert result.reports == landed.reports, f"{landed.name}: {result.reports} of {landed.reports} reports stored"
        say(f"(b) {self.name}, {landed.name}: {result.rate:,.0f} reports/s, {result.peak / 1e6:.0f} MB")
        return result


def measure(folder: Path, mongo: Databases | None, *, quick: bool) -> Section:
    """Fresh processes, in turns; a rate is the best of several, as what else the machine does can only lower it."""
    stations, days = (2, 2) if quick else (5, 365)
    forms: tuple[Form, ...] = ("csv", "jsonl", "answer")
    usual = [Landed(_NAMES[form], folder / form, form, stations, days) for form in forms]
    large = [
        Landed("one JSONL object", folder / "object", "jsonl", 1, 3650, joined=True),
        Landed("one answer, one line", folder / "line", "answer", 10, 365),
    ]
    every = usual if quick else [*usual, *large]
    for landed in every:
        landed.land()
    engines = [Engine("SQLite", 1 if quick else 3, SQLITE_RATE, Files(folder))]
    if mongo is not None:
        engines.append(Engine("MongoDB", 1 if quick else 3, MONGO_RATE, mongo))
    rows: list[list[str]] = []
    targets: list[Target] = []
    for engine in engines:
        results = _results(engine, usual, every[len(usual) :])
        rows += [_row(engine, landed, results[landed.name]) for landed in every]
        slowest = min(max(result.rate for result in results[landed.name]) for landed in usual)
        peak = max(result.peak for found in results.values() for result in found) / 1e6
        targets += [
            Target(f"{engine.name}, the slowest form", slowest, engine.rate, "reports/s"),
            Target(f"{engine.name}, the highest peak of all", peak, MEMORY, "MB", "less"),
        ]
    assert quick or landed_size(large[1].folder) > ONE_LINE * 1e6, "the answer is too small"
    header = ["", "landed MB", "reports", "best reports/s", "median", "CPU µs/report", "peak MB"]
    notes = [f"{stations} stations, {days} days of 5-minute reports each. {LANDED}", STAGE, MEMBERS]
    if mongo is None:
        notes.append("No mongod was found: nothing was measured on MongoDB.")
    return Section(
        "(b) Bulk ingest", [Table("From the landing zone into an empty store", header, rows)], targets, notes
    )


_NAMES: Final[dict[Form, str]] = {"csv": "CSV", "jsonl": "JSONL", "answer": "Infoclimat answer"}


class Files:
    """SQLite files, as databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a file that does not exist yet; it is removed afterwards."""
        yield f"sqlite:///{self._folder / 'bulk.db'}"
        for path in self._folder.glob("bulk.db*"):
            path.unlink()


def _results(engine: Engine, usual: list[Landed], once: list[Landed]) -> dict[str, list[Ingested]]:
    """What is usual several times, in turns, the rest once."""
    results: dict[str, list[Ingested]] = {landed.name: [] for landed in (*usual, *once)}
    for landed in (*(usual * engine.rounds), *once):
        results[landed.name].append(engine.ingest(landed))
    return results


def _row(engine: Engine, landed: Landed, results: list[Ingested]) -> list[str]:
    rates = [result.rate for result in results]
    return [
        f"{engine.name}, {landed.name}",
        f"{landed_size(landed.folder) / 1e6:,.0f}",
        f"{landed.reports:,}",
        f"{max(rates):,.0f}",
        f"{median(rates):,.0f}",
        f"{min(result.cpu for result in results) / landed.reports * 1e6:.1f}",
        f"{max(result.peak for result in results) / 1e6:.0f}",
    ]
