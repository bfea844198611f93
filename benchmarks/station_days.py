"""Station-days as the job makes them, copied to as many stations and days as a measurement needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl

from barograph.store import open_store
from barograph.store.base import DayKey, StationDay
from benchmarks.ingest import ingested
from benchmarks.landed import station_id
from benchmarks.process import run_module
from benchmarks.weather import PER_DAY


def models(folder: Path, days: int) -> list[StationDay]:
    """At least `days` whole UTC days at 5 minutes, landed and ingested under `folder`."""
    run_module("benchmarks.landed", str(folder), "csv", "1", str(days + 2))
    url = f"sqlite:///{folder / 'models.db'}"
    ingested(folder, url, "csv", 1)
    store = open_store(url)
    try:
        whole = [day for day in store.days(station_id(0, "csv"), date.min, date.max) if day.frame.height == PER_DAY]
    finally:
        store.close()
    assert len(whole) >= days, len(whole)
    return whole


def copied(models: Sequence[StationDay], key: DayKey, number: int) -> StationDay:
    """One of the models, by number, as another station-day."""
    model = models[number % len(models)]
    moved = key.day - model.key.day
    instants = [pl.col(name) + moved for name in ("utc_time", "extracted_at")]
    return replace(model, key=key, revision=0, frame=model.frame.with_columns(instants))
