"""(c) Access time: a day, a month and a year of one station in hand, by engine and by design of the database."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from barograph.store import open_store
from benchmarks.bulk import Databases
from benchmarks.designs import EmbeddedArray, OneDocumentPerReport, connect
from benchmarks.ingest import ingested
from benchmarks.landed import station_id
from benchmarks.process import run_module, say
from benchmarks.report import Section, Table, Target, median, milliseconds, p95
from benchmarks.weather import FIRST_DAY

Read = Callable[[str, datetime, datetime], pl.DataFrame]

STATION: Final = station_id(0, "csv")
FIRST: Final = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
WARM_UP: Final = 3

SQLITE: Final = "SQLite"
MONGO: Final = "MongoDB as designed"
ROWS: Final = "one document per report, rows"
COLUMNS: Final = "one document per report, columns"
EMBEDDED: Final = "embedded in the station"

IN_HAND: Final = (
    "In hand: a polars DataFrame of all variables (13 columns), its values in memory. SQLite and MongoDB as designed "
    "are read through `Store.read`. Every design was checked to return the same frame."
)
TURNS: Final = (
    "Spans begin at random UTC midnights; the designs take turns in blocks. MongoDB: the primary of a local replica "
    "set, readConcern majority, everything in its cache."
)
PER_REPORT: Final = (
    "One document per report: index on (station_id, utc_time), projection without _id; rows go to polars as "
    "dictionaries, or are taken apart into columns first. The targets take the quicker of the two."
)
TOO_LARGE: Final = (
    "The server cuts the span out of the station's document with `$filter`; a year of 5-minute reports would exceed "
    "the 16 MB that a document may have."
)


@dataclass(frozen=True, slots=True)
class Length:
    """A length of span, how often each design reads one, and how often in a row before it is the next one's turn.

    In turns one by one, each read would find the caches full of what the others left, which no reader does in earnest.
    """

    name: str
    days: int
    rounds: int
    block: int


def measure(folder: Path, mongo: Databases | None, *, quick: bool) -> Section:
    """Every design reads the same spans in turns; what each returns is compared before anything is timed."""
    if mongo is None:
        return Section("(c) Access time", [], [], ["No mongod was found: nothing was measured."])
    days, embedded_days = (20, 10) if quick else (365, 200)
    lengths = [Length("day", 1, 10, 5), Length("month", 5, 4, 2), Length("year", 20, 2, 1)]
    if not quick:
        lengths = [Length("day", 1, 200, 20), Length("month", 30, 40, 5), Length("year", 365, 12, 3)]
    say(f"(c) landing and storing {days} days of one station in every design")
    run_module("benchmarks.landed", str(folder / "access"), "csv", "1", str(days))
    with ExitStack() as stack:
        readers = _readers(stack, folder, mongo, timedelta(days=embedded_days))
        times = {}
        for length in lengths:
            say(f"(c) a {length.name}, {length.rounds} times each")
            times[length.name] = _times(readers, length, days, embedded_days)
    return Section(
        "(c) Access time",
        [_table(times, lengths, embedded_days)],
        _targets(times, embedded_days),
        [IN_HAND, TURNS, PER_REPORT, f"Embedded: at {embedded_days} days. {TOO_LARGE}"],
    )


def _readers(stack: ExitStack, folder: Path, mongo: Databases, embedded: timedelta) -> dict[str, Read]:
    """Every design, filled with the same reports."""
    urls = {SQLITE: f"sqlite:///{folder / 'access.db'}", MONGO: stack.enter_context(mongo.fresh())}
    stores = {}
    for name, url in urls.items():
        ingested(folder / "access", url, "csv", 1)
        stores[name] = open_store(url)
        stack.callback(stores[name].close)
    frame = stores[SQLITE].read(STATION, FIRST - timedelta(days=1), FIRST + timedelta(days=400))
    database = stack.enter_context(connect(stack.enter_context(mongo.fresh()))).get_default_database()
    single, array = OneDocumentPerReport(database, frame), EmbeddedArray(database, frame)
    single.fill(STATION, frame)
    array.fill(STATION, frame.filter(pl.col("utc_time") < FIRST + embedded))
    return {
        SQLITE: stores[SQLITE].read,
        MONGO: stores[MONGO].read,
        ROWS: single.read_rows,
        COLUMNS: single.read_columns,
        EMBEDDED: array.read,
    }


def _times(readers: dict[str, Read], length: Length, days: int, embedded_days: int) -> dict[str, list[float]]:
    """Seconds of every read, by design."""
    choose = random.Random(length.days)
    able = {name: read for name, read in readers.items() if name != EMBEDDED or length.days <= embedded_days}
    last = min(days, embedded_days if EMBEDDED in able else days) - length.days
    spans = _spans(choose, length, last)
    for _ in range(WARM_UP):
        _compare(able, next(spans))
    times: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(0, length.rounds, length.block):
        block = [next(spans) for _ in range(length.block)]
        for name, read in able.items():
            for start, end in block:
                begun = time.perf_counter()
                read(STATION, start, end)
                times[name].append(time.perf_counter() - begun)
    return times


def _spans(choose: random.Random, length: Length, last: int) -> Iterator[tuple[datetime, datetime]]:
    """Spans of whole UTC days, without an end."""
    while True:
        start = FIRST + timedelta(days=choose.randint(0, last))
        yield start, start + timedelta(days=length.days)


def _compare(readers: dict[str, Read], span: tuple[datetime, datetime]) -> None:
    """Check that every design returns the same frame; this warms them up, too."""
    frames = {name: read(STATION, *span) for name, read in readers.items()}
    wanted = frames[SQLITE]
    assert wanted.height > 0
    for name, frame in frames.items():
        assert frame.equals(wanted), f"{name} returns another frame than {SQLITE}"


def _table(times: dict[str, dict[str, list[float]]], lengths: list[Length], embedded_days: int) -> Table:
    names = list(times["day"])
    header = ["", *(f"{length.name} {which}" for length in lengths for which in ("median", "p95"))]
    rows = []
    for name in names:
        row = [f"{name} ({embedded_days} days)" if name == EMBEDDED else name]
        for length in lengths:
            found = times[length.name].get(name)
            row += ["–", "–"] if found is None else [milliseconds(median(found)), milliseconds(p95(found))]
        rows.append(row)
    told = ", ".join(f"a {length.name} of {length.days} days" for length in lengths[1:])
    return Table(f"All variables of one station in hand; ms ({told})", header, rows)


def _targets(times: dict[str, dict[str, list[float]]], embedded_days: int) -> list[Target]:
    middle = {length: {name: median(found) for name, found in by.items()} for length, by in times.items()}
    single = {length: min(by[ROWS], by[COLUMNS]) for length, by in middle.items()}
    day, year = middle["day"], middle["year"]
    return [
        Target("a day, MongoDB as designed : one document per report", single["day"] / day[MONGO], 2.5, "x"),
        Target("a year, MongoDB as designed : one document per report", single["year"] / year[MONGO], 8, "x"),
        Target(f"a day, MongoDB as designed : embedded at {embedded_days} days", day[EMBEDDED] / day[MONGO], 50, "x"),
        Target("a day, SQLite : MongoDB as designed", day[MONGO] / day[SQLITE], 5, "x"),
        Target("a year, SQLite : MongoDB as designed", year[MONGO] / year[SQLITE], 4, "x"),
    ]
