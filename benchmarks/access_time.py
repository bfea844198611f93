"""(d) Access time while the record grows: one station's day among more and more days and stations."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from pymongo import MongoClient

from barograph.store import open_store
from barograph.store.base import DayKey, StationDay, Store
from benchmarks.bulk import Databases
from benchmarks.process import say
from benchmarks.report import Section, Table, Target, median, milliseconds, p95
from benchmarks.station_days import copied, models
from benchmarks.weather import FIRST_DAY, PER_DAY

SQLITE: Final = "SQLite"
MONGO: Final = "MongoDB"
BOUND: Final = 1.5
"""How much longer a day may take in any size than in the smallest. A day that is not in the database's own cache is
read from the system's and, in MongoDB, decompressed, which costs up to a third of a read; one level more of an index
costs microseconds. A scan of the record would cost hundreds of times as much."""
PER_SAVE: Final = 300
SETTLE: Final = 20.0
"""Seconds: the members write what they were filled with to their disks."""
COLUMNS: Final = 13

HOW: Final = (
    "Each size is a database of its own, of whole days at 5 minutes. Every read is of a random station and day, "
    "through `Store.read`, all variables decoded into a DataFrame; the sizes take turns in blocks, each begun with "
    "reads that are not counted. MB: documents as they are sent, of MongoDB; the file, of SQLite."
)
CACHES: Final = (
    "The caches are smaller than the large sizes (WiredTiger 0.25 GB a member, SQLite 2 MB), so that their reads go to "
    "the page cache of the system; nothing was read from a cold disk."
)
EXAMINED: Final = "Examined: keys and documents, as MongoDB's explain tells of such a read; SQLite does not tell."


@dataclass(frozen=True, slots=True)
class Size:
    """A record of so many stations over so many days."""

    name: str
    stations: int
    days: int

    @property
    def keys(self) -> Iterator[DayKey]:
        """Its station-days, in the order in which time brings them."""
        for number in range(self.days):
            for station in range(self.stations):
                yield self.key(station, number)

    @staticmethod
    def key(station: int, number: int) -> DayKey:
        """One station-day."""
        return DayKey(f"GROW{station:04}", FIRST_DAY + timedelta(days=number))


@dataclass(frozen=True, slots=True)
class Effort:
    """How often: blocks per size, and reads in each, counted and not counted; seconds to settle after the filling."""

    blocks: int
    counted: int
    uncounted: int
    settle: float


FULL: Final = (
    Size("6 stations, a week", 6, 7),
    Size("6 stations, a year", 6, 365),
    Size("6 stations, ten years", 6, 3650),
    Size("600 stations, a week", 600, 7),
    Size("600 stations, a month", 600, 30),
)
QUICK: Final = (Size("2 stations, 3 days", 2, 3), Size("2 stations, 20 days", 2, 20), Size("8 stations, 3 days", 8, 3))


@dataclass(frozen=True, slots=True)
class Grown:
    """A filled store of one size."""

    size: Size
    store: Store
    bytes: int
    examined: str


def measure(folder: Path, mongo: Databases | None, *, quick: bool) -> Section:
    """Every size, read in turns; one engine after the other, so that neither is filled while the other is read."""
    sizes, effort = (QUICK, Effort(2, 5, 5, 0)) if quick else (FULL, Effort(20, 100, 100, SETTLE))
    patterns = models(folder / "models", 3 if quick else 30)
    times: dict[str, dict[str, list[float]]] = {}
    grown: dict[str, list[Grown]] = {}
    with ExitStack() as stack:
        grown[SQLITE] = [_sqlite(stack, folder, size, patterns) for size in sizes]
        times[SQLITE] = _times(SQLITE, grown[SQLITE], effort)
        if mongo is not None:
            grown[MONGO] = [_mongo(stack, mongo, size, patterns) for size in sizes]
            time.sleep(effort.settle)
            times[MONGO] = _times(MONGO, grown[MONGO], effort)
    notes = [HOW, CACHES, EXAMINED]
    if mongo is None:
        notes.append("No mongod was found: nothing was measured on MongoDB.")
    return Section("(d) Access time while the record grows", [_table(grown, times)], _targets(sizes, times), notes)


def _fill(store: Store, size: Size, patterns: Sequence[StationDay]) -> None:
    """Save every station-day."""
    batch: list[StationDay] = []
    total = size.stations * size.days
    for number, key in enumerate(size.keys, 1):
        # 7 is prime to their number: a station's days differ from each other and from its neighbours'.
        batch.append(copied(patterns, key, number * 7))
        if len(batch) == PER_SAVE or number == total:
            assert store.save_days(batch) == set()
            batch = []


def _mongo(stack: ExitStack, mongo: Databases, size: Size, patterns: Sequence[StationDay]) -> Grown:
    url = stack.enter_context(mongo.fresh())
    store, begun = open_store(url), time.perf_counter()
    stack.callback(store.close)
    _fill(store, size, patterns)
    client = stack.enter_context(MongoClient[dict[str, Any]](url))
    stored = int(client.get_default_database().command("dbStats")["dataSize"])
    plan = store.explain(*_span(size.key(0, size.days // 2)))
    say(f"(d) {MONGO}, {size.name}: {stored / 1e6:,.0f} MB in {time.perf_counter() - begun:.0f} s")
    return Grown(size, store, stored, f"{plan.keys_examined}, {plan.documents_examined}")


def _sqlite(stack: ExitStack, folder: Path, size: Size, patterns: Sequence[StationDay]) -> Grown:
    path, begun = folder / f"grown-{size.stations}-{size.days}.db", time.perf_counter()
    stack.callback(path.unlink)
    filling = open_store(f"sqlite:///{path}")
    _fill(filling, size, patterns)
    filling.close()  # which empties the journal into the file
    stored = path.stat().st_size
    say(f"(d) {SQLITE}, {size.name}: {stored / 1e6:,.0f} MB in {time.perf_counter() - begun:.0f} s")
    store = open_store(f"sqlite:///{path}")
    stack.callback(store.close)
    return Grown(size, store, stored, "not told")


def _span(key: DayKey) -> tuple[str, datetime, datetime]:
    start = datetime.combine(key.day, datetime.min.time(), UTC)
    return key.station_id, start, start + timedelta(days=1)


def _times(engine: str, filled: list[Grown], effort: Effort) -> dict[str, list[float]]:
    """Seconds of every counted read, by size."""
    say(f"(d) {engine}: {effort.blocks * effort.counted} reads of each size")
    times: dict[str, list[float]] = {grown.size.name: [] for grown in filled}
    choose = random.Random(3)
    for _ in range(effort.blocks):
        for grown in filled:
            spans = [_span(_any_day(grown.size, choose)) for _ in range(effort.uncounted + effort.counted)]
            seconds = [_read(grown.store.read, span) for span in spans]
            times[grown.size.name] += seconds[effort.uncounted :]
    return times


def _any_day(size: Size, choose: random.Random) -> DayKey:
    return size.key(choose.randrange(size.stations), choose.randrange(size.days))


def _read(read: Callable[[str, datetime, datetime], pl.DataFrame], span: tuple[str, datetime, datetime]) -> float:
    begun = time.perf_counter()
    frame = read(*span)
    seconds = time.perf_counter() - begun
    assert frame.shape[0] == PER_DAY, frame.shape
    assert COLUMNS - 1 <= frame.shape[1] <= COLUMNS, frame.shape
    return seconds


def _table(grown: dict[str, list[Grown]], times: dict[str, dict[str, list[float]]]) -> Table:
    header = ["", "reports"]
    for engine in times:
        header += [f"{engine} MB", "median", "p95", *(["examined"] if engine == MONGO else [])]
    rows = []
    for place, size in enumerate(found.size for found in grown[SQLITE]):
        row = [size.name, f"{size.stations * size.days * PER_DAY:,}"]
        for engine, by_size in times.items():
            found = by_size[size.name]
            row += [f"{grown[engine][place].bytes / 1e6:,.0f}", milliseconds(median(found)), milliseconds(p95(found))]
            row += [grown[engine][place].examined] if engine == MONGO else []
        rows.append(row)
    return Table("A UTC day of one station, all variables in hand; ms", header, rows)


def _targets(sizes: tuple[Size, ...], times: dict[str, dict[str, list[float]]]) -> list[Target]:
    """The slowest size beside the smallest."""
    targets = []
    for engine, by_size in times.items():
        middle = {name: median(found) for name, found in by_size.items()}
        slowest = max(middle, key=lambda name: middle[name])
        text = f"a day, {engine}, the slowest size ({slowest}) : {sizes[0].name}"
        targets.append(Target(text, middle[slowest] / middle[sizes[0].name], BOUND, "x", "less"))
    return targets
