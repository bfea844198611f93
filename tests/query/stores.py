"""SQLite stores with reports of our own making."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from barograph.frame import INSTANT, dtype_of
from barograph.model import Station
from barograph.store import open_store
from barograph.store.base import DayKey, StationDay, Store

EXTRACTED: datetime = datetime(2024, 10, 8, 1, tzinfo=UTC)


def reports(times: pl.Series, **columns: object) -> pl.DataFrame:
    """A frame of reports at `times`; a column is a list, an expression, or one value for all."""
    frame = pl.DataFrame({"utc_time": times.cast(INSTANT)})
    for name, values in columns.items():
        made = pl.Series(values) if isinstance(values, list) else values
        expression = made if isinstance(made, pl.Expr) else pl.lit(made)
        frame = frame.with_columns(expression.cast(dtype_of(name)).alias(name))
    return frame


def every(start: datetime, end: datetime, step: str) -> pl.Series:
    """Instants from `start`, `step` apart, before `end`."""
    return pl.datetime_range(start, end, step, closed="left", time_unit="ms", eager=True)


def save(store: Store, station: Station, frame: pl.DataFrame) -> None:
    """Put a station and its reports into an empty store."""
    store.put_stations({station: EXTRACTED})
    days = []
    marked = frame.with_columns(
        extracted_at=pl.lit(EXTRACTED, INSTANT),
        source=pl.lit(0, dtype_of("source")),
        line=pl.int_range(1, pl.len() + 1).cast(dtype_of("line")),
    )
    for (day,), part in marked.group_by(pl.col("utc_time").dt.date(), maintain_order=True):
        known = [column.name for column in part if column.null_count() < part.height]
        days.append(StationDay(DayKey(station.station_id, day), 0, part.select(known), ("stream/object.jsonl",)))
    assert store.save_days(days) == set()
    store.refresh_summaries([station.station_id])


def sqlite(folder: Path, record: Mapping[Station, pl.DataFrame]) -> str:
    """The URL of a new SQLite store that holds `record`."""
    url = f"sqlite:///{folder / 'meteo.db'}"
    store = open_store(url)
    try:
        for station, frame in record.items():
            save(store, station, frame)
    finally:
        store.close()
    return url
