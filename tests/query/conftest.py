"""Two stations with reports in October 2024, one without a timezone, one without reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl
import pytest

from barograph.model import Station
from barograph.query import Query
from barograph.store import open_store
from tests.query.stores import every, reports, sqlite

ICHTEGEM = Station("IICHTE19", "WeerstationBS", "Ichtegem", 51.092, 2.999, 15, "personal", timezone="Europe/Brussels")
LESQUIN = Station("07015", "Lille-Lesquin", "Lesquin", 50.575, 3.092, 47, "synop")
SILENT = Station("00052", "Armentières", timezone="Europe/Paris")


def ichtegem() -> pl.DataFrame:
    """Every 30 minutes from 26 September to 3 November 2024 (UTC): 38 days, two changes of month, one of the clock."""
    number = pl.int_range(pl.len())
    return reports(
        every(datetime(2024, 9, 26, tzinfo=UTC), datetime(2024, 11, 3, tzinfo=UTC), "30m"),
        temperature=(number % 40) / 2,
        humidity=50 + number % 30,
        wind_direction="NNE",
        precipitation_acc=0.0,
        temperature_flag=pl.when(number % 100 == 7).then(4),
    )


def lesquin() -> pl.DataFrame:
    """Hourly on 5 and 6 October 2024 (UTC)."""
    times = every(datetime(2024, 10, 5, tzinfo=UTC), datetime(2024, 10, 7, tzinfo=UTC), "1h")
    return reports(times, temperature=13.78, pressure=1013.25, ncloud_cover=pl.when(pl.int_range(pl.len()) > 3).then(8))


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store of this folder's tests; they only read it."""
    record = {ICHTEGEM: ichtegem(), LESQUIN: lesquin(), SILENT: ichtegem().clear()}
    return sqlite(tmp_path_factory.mktemp("record"), record)


@pytest.fixture
def query(url: str) -> Iterator[Query]:
    """Questions to that store."""
    store = open_store(url)
    yield Query(store)
    store.close()
