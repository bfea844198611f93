"""What a day costs when all reports are embedded in the station's document, up to the server's refusal at 16 MB.

    python -m benchmarks.embedded_curve [--mongodb URI] [--quick] [--keep FILE]    measures (two to four minutes)
    python -m benchmarks.embedded_curve --draw PNG                                 draws what was kept

Day after day the same 288 reports go into either design: appended to the station's document by one `$push`, or saved as
a document of their own through `Store.save_days`. Every few days, days at random are read: cut out by the server with
`$filter`, or through `Store.read`. The embedded design ends where the server refuses; the day documents go on to the
end of a year.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl
from pymongo.errors import WriteError

from barograph.store import open_store
from barograph.store.base import DayKey, StationDay, Store
from barograph.variables import NAMES
from benchmarks import machine
from benchmarks.bulk import Databases
from benchmarks.designs import EmbeddedArray, connect
from benchmarks.embedded_picture import draw
from benchmarks.process import ROOT, say
from benchmarks.report import median
from benchmarks.servers import servers, version
from benchmarks.station_days import copied, models
from benchmarks.weather import FIRST_DAY

KEPT: Final = ROOT / "benchmarks" / "embedded_curve.csv"
STATION: Final = "EMBEDDED"
YEAR: Final = 365
ROUNDS: Final = 5
EVERY: Final = 5
"""Days between two measurements of reads."""
READS: Final = 7
"""Reads of which the median is taken."""
WARM_UP: Final = 10
TOO_LARGE: Final = (17419, 10334)
"""Error codes of the update that would exceed the limit, and of the document that does."""

COLUMNS: Final = ("embedded_mb", "embedded_insert_ms", "embedded_read_ms", "day_insert_ms", "day_read_ms")


@dataclass(frozen=True, slots=True)
class Design:
    """A way to keep days: how one is added, and how one is read."""

    add: Callable[[StationDay], object]
    read: Callable[[str, datetime, datetime], pl.DataFrame]
    size: Callable[[], int]

    @classmethod
    def day_documents(cls, store: Store) -> Design:
        """Barograph's own."""
        return cls(lambda day: store.save_days([day]), store.read, lambda: 0)

    @classmethod
    def embedded(cls, array: EmbeddedArray) -> Design:
        """All reports inside of the station's document."""
        return cls(lambda day: array.add(day.key.station_id, _reports(day)), array.read, lambda: array.size(STATION))


def measure(folder: Path, databases: Databases, days: int, rounds: int) -> tuple[pl.DataFrame, str]:
    """A row per day, each figure the median of the rounds, and the refusal (nothing, if `days` ended before).

    Each design is filled and read on its own: beside updates of 16 MB, everything else waits for the members.
    """
    patterns = models(folder, 30)
    passes: list[pl.DataFrame] = []
    refusal = ""
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: day documents")
        with databases.fresh() as url, closing(open_store(url)) as store:
            own, nothing = _passed(Design.day_documents(store), patterns, days, "day")
            assert nothing == ""
        say(f"round {number + 1} of {rounds}: embedded in the station")
        with databases.fresh() as url, connect(url) as client:
            array = EmbeddedArray(client.get_default_database(), _reports(patterns[0]))
            embedded, refusal = _passed(Design.embedded(array), patterns, days, "embedded")
        say(refusal)
        passes.append(own.join(embedded, on="day", how="left", maintain_order="left"))
    middle = pl.concat(passes).group_by("day", maintain_order=True).median()
    return middle.select("day", *COLUMNS), refusal


def _passed(design: Design, patterns: Sequence[StationDay], days: int, name: str) -> tuple[pl.DataFrame, str]:
    """Days one after the other, until the server refuses one."""
    choose = random.Random(5)
    for number in range(WARM_UP):
        design.add(copied(patterns, _key("WARM", number), number))
        design.read(*_span(number, "WARM"))
    rows: list[dict[str, float | None]] = []
    refusal = ""
    for number in range(days):
        day = copied(patterns, _key(STATION, number), number)
        try:
            row: dict[str, float | None] = {"day": number + 1, f"{name}_insert_ms": _milliseconds(design.add, day)}
        except WriteError as error:
            if error.code not in TOO_LARGE:
                raise
            refusal = f"refused on day {number + 1}: {error.details['errmsg'] if error.details else error}"
            break
        row |= {f"{name}_read_ms": None, f"{name}_mb": design.size() / 1e6}
        if number % EVERY == 0:
            places = [choose.randrange(number + 1) for _ in range(READS)]
            wanted = _reports(copied(patterns, _key(STATION, places[0]), places[0]))
            found = design.read(*_span(places[0]))
            assert found.select(wanted.columns).equals(wanted), "it returns other reports than were added"
            row[f"{name}_read_ms"] = median([_milliseconds(design.read, *_span(place)) for place in places])
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None), refusal


def _key(station_id: str, number: int) -> DayKey:
    return DayKey(station_id, FIRST_DAY + timedelta(days=number))


def _reports(day: StationDay) -> pl.DataFrame:
    """The observed values, without flags and provenance: the embedded design is measured without them."""
    return day.frame.select(name for name in day.frame.columns if name in ("utc_time", *NAMES))


def _span(number: int, station_id: str = STATION) -> tuple[str, datetime, datetime]:
    start = datetime.combine(_key(station_id, number).day, datetime.min.time(), UTC)
    return station_id, start, start + timedelta(days=1)


def _milliseconds(call: Callable[..., object], *arguments: object) -> float:
    begun = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - begun) * 1000


def kept(path: Path) -> tuple[pl.DataFrame, list[str]]:
    """The rows of a run, and its notes: on what it was measured, and the refusal last."""
    text = path.read_text(encoding="utf-8")
    notes = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    return pl.read_csv(path, comment_prefix="#", infer_schema_length=None), notes


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and keep, or draw what was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedded_curve", description=__doc__)
    parser.add_argument("--mongodb", metavar="URI", help="measure on this server instead of a replica set started here")
    parser.add_argument("--quick", action="store_true", help="a few days: whether it runs, not how fast")
    parser.add_argument("--keep", type=Path, default=KEPT, metavar="FILE", help="where the figures are kept, as CSV")
    parser.add_argument("--draw", type=Path, metavar="PNG", help="draw the figures that were kept, and measure nothing")
    asked = parser.parse_args(arguments)
    if asked.draw is not None:
        draw(*kept(asked.keep), asked.draw)
        return 0
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as name, servers(asked.mongodb) as databases:
        if databases is None:
            return 1
        frame, refusal = measure(Path(name), databases, *((12, 1) if asked.quick else (YEAR, ROUNDS)))
        notes = machine.describe(version(databases))
    notes += [f"load average before {load}, after {machine.load()}", refusal]
    table = frame.with_columns(pl.col(pl.Float64).round(3)).write_csv()
    asked.keep.write_text("".join(f"# {note}\n" for note in notes if note) + table, encoding="utf-8")
    say(f"written to {asked.keep}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
