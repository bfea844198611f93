"""A store as it is after a long time: many stations, their nightly runs, the ledger of all that was landed.

    python -m tests.support.busy_year FOLDER [STATIONS [DAYS]]

writes one into FOLDER, with a configuration, so that `barograph status` can be timed on it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from barograph.frame import INSTANT, dtype_of
from barograph.model import Counts, Coverage, LedgerEntry, ObjectReport, RunReport, Station, SyncReport, epoch_ms
from barograph.store import open_store
from barograph.store.base import DayKey, StationDay, Store

STEP: Final = timedelta(minutes=5)
VALUES: Final = ("temperature", "dew_point", "humidity", "pressure", "mean_wind_speed", "wind_gust")


def fill(store: Store, now: datetime, stations: int, days: int) -> None:
    """A report each five minutes up to `now`, and a run each night, of so many stations and days."""
    midnight = datetime.combine(now.date(), time(), UTC)
    begin = midnight - timedelta(days=days)
    known = [Station(f"BUSY{number:04d}", timezone="Europe/Paris") for number in range(stations)]
    store.put_stations(dict.fromkeys(known, now))
    for station in known:
        store.save_days(list(_days(station.station_id, begin, now)))
    store.refresh_summaries([station.station_id for station in known])
    for number in range(days):
        _night(store, midnight - timedelta(days=days - 1 - number), known)


def _days(station_id: str, begin: datetime, now: datetime) -> Iterator[StationDay]:
    start = begin
    while start < now:
        end = min(start + timedelta(days=1), now)
        times = pl.datetime_range(start, end, STEP, closed="left", time_unit="ms", eager=True)
        frame = pl.DataFrame({"utc_time": times.cast(INSTANT)}).with_columns(
            *((pl.int_range(pl.len()) % 30).cast(dtype_of(name)).alias(name) for name in VALUES),
            extracted_at=pl.lit(end, INSTANT),
            source=pl.lit(0, dtype_of("source")),
            line=pl.int_range(2, pl.len() + 2).cast(dtype_of("line")),
        )
        yield StationDay(DayKey(station_id, start.date()), 0, frame, (f"{station_id}/{epoch_ms(end)}.csv",))
        start += timedelta(days=1)


def _night(store: Store, began: datetime, known: list[Station]) -> None:
    ended = began + timedelta(minutes=3)
    run_id = f"{began:%Y%m%dT%H%M%S}Z-busy"
    counts = Counts(new=288)
    entries, syncs, objects = [], [], []
    for station in known:
        name = station.station_id.lower()
        key = f"{name}/{began:%Y_%m_%d}_{epoch_ms(began)}_0.csv"
        covered = (Coverage(station.station_id, began - timedelta(days=1), began),)
        entries.append(
            LedgerEntry(
                key, name, f"e{epoch_ms(began)}", 40_000, "done", ended, began, began, counts, covered, None, run_id
            )
        )
        syncs.append(SyncReport(name, name, "landed", began, ended, 288, 40_000, (key,), epoch_ms(began)))
        objects.append(ObjectReport(key, name, "done", counts, 0.1))
    store.put_objects(entries)
    store.put_run(
        RunReport(run_id, "run", began, ended, "done", tuple(syncs), tuple(objects), Counts(new=288 * len(known)))
    )


def configuration(folder: Path, stations: int) -> Path:
    """A connection for each of the stations."""
    lines = []
    for number in range(stations):
        lines += [
            f"[stations.BUSY{number:04d}]",
            'timezone = "Europe/Paris"',
            f"[connections.busy{number:04d}]",
            'source = "wunderground-table"',
            f'url = "busy{number:04d}.csv"',
            f'station = "BUSY{number:04d}"',
            'schedule = "daily"',
        ]
    path = folder / "barograph.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main(folder: Path, stations: int = 100, days: int = 365) -> None:
    """Write the store and its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration(folder, stations)
    with closing(open_store(f"sqlite:///{folder / 'meteo.db'}")) as store:
        fill(store, datetime.now(UTC).replace(second=0, microsecond=0), stations, days)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
