"""The simulated weather obeys physics, and neighbours share it."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.simulate import Truth, load_truth, simulate
from barograph.variables import LIMITED


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32), start=st.dates(date(2015, 1, 1), date(2035, 12, 31)))
def test_physical_invariants_hold_for_any_seed_and_season(seed: int, start: date) -> None:
    """Gust at least the mean, dew point at most the temperature, every value possible, no sun at night."""
    with TemporaryDirectory() as folder:
        simulate(Path(folder), seed=seed, start=start, days=1, table_format="csv")
        reports = load_truth(folder).reports
    assert reports.filter(pl.col("wind_gust") < pl.col("mean_wind_speed")).is_empty()
    assert reports.filter(pl.col("dew_point") > pl.col("temperature")).is_empty()
    for variable in LIMITED:
        outside = ~pl.col(variable.name).is_between(variable.minimum, variable.maximum)
        assert reports.filter(outside).is_empty(), variable.name
    # At 50 to 51 N the sun is down from 21 to 2 UTC even in June.
    night = reports.filter(pl.col("utc_time").dt.hour().is_in([21, 22, 23, 0, 1, 2]))
    assert night["solar"].sum() == 0
    assert night["uv"].sum() == 0


def test_humidity_and_dew_point_agree(week_truth: Truth) -> None:
    """Magnus' formula on the reported dew point gives the reported humidity, to the rounding of both."""

    def magnus(celsius: float) -> float:
        return math.exp(17.62 * celsius / (243.12 + celsius))

    for row in week_truth.reports.iter_rows(named=True):
        assert abs(100 * magnus(row["dew_point"]) / magnus(row["temperature"]) - row["humidity"]) < 1.2


def test_sun_is_highest_about_solar_noon(tmp_path: Path) -> None:
    """Over a June month, mean radiation is greatest within an hour of 11:50 UTC (3 E) and passes 600 W/m²."""
    simulate(tmp_path, start=date(2024, 6, 1), days=30, stations=1, table_format="csv")
    by_hour = (
        load_truth(tmp_path).reports.group_by(pl.col("utc_time").dt.hour().alias("hour")).agg(pl.col("solar").mean())
    )
    assert by_hour.sort("solar")["hour"][-1] in (11, 12)
    assert load_truth(tmp_path).reports["solar"].max() > 600  # type: ignore[operator]


@pytest.mark.parametrize(("station", "reset"), [("IICHTE19", 0), ("ILAMAD25", 8)])
def test_rain_counter_starts_again_at_its_local_hour(tmp_path: Path, station: str, reset: int) -> None:
    """The running total never falls but at the station's own reset hour, and it does fall then after a wet day."""
    simulate(tmp_path, start=date(2024, 10, 20), days=14, stations=3, table_format="csv")
    reports = load_truth(tmp_path).reports.filter(pl.col("station_id") == station)
    zone, falls = ZoneInfo("Europe/Paris"), 0
    for (before, earlier), (after, later) in pairwise(reports.select("precipitation_acc", "utc_time").iter_rows()):
        since = (later.astimezone(zone) - timedelta(hours=reset)).replace(tzinfo=None)
        begun = since.replace(hour=0, minute=0) + timedelta(hours=reset)
        crossed = (earlier.astimezone(zone).replace(tzinfo=None)) < begun <= since + timedelta(hours=reset)
        assert crossed or after >= before, later
        falls += after < before
    assert falls >= 3


def test_hourly_rain_adds_up(tmp_path: Path) -> None:
    """Rain of three hours is the sum of its three hours at the same gauge."""
    simulate(tmp_path, days=10, stations=4, table_format="csv")
    rain = load_truth(tmp_path).reports.filter(pl.col("station_id") == "07015")
    hours = rain["precipitation_1h"].to_list()
    for index, three in enumerate(rain["precipitation_3h"].to_list()):
        if three is not None and index >= 2:
            assert math.isclose(three, sum(hours[index - 2 : index + 1]), abs_tol=1e-6)
    assert sum(hours) > 1


def test_neighbours_share_their_weather(tmp_path: Path) -> None:
    """Temperatures correlate above 0.9, pressure more; hourly rain clearly; a far station less than a near one."""
    simulate(tmp_path, days=14, stations=15, step_minutes=10, table_format="csv")
    reports = load_truth(tmp_path).reports.filter(pl.col("utc_time").dt.minute() == 0)

    def correlation(variable: str, one: str, two: str) -> float:
        a, b = (reports.filter(pl.col("station_id") == name).select("utc_time", variable) for name in (one, two))
        return a.join(b, on="utc_time").select(pl.corr(variable, f"{variable}_right")).item()  # type: ignore[no-any-return]

    near = [("00052", "STATIC0010"), ("00052", "000R5"), ("00052", "07015"), ("STATIC0010", "07015")]
    for pair in near:
        assert correlation("temperature", *pair) > 0.9
        assert correlation("pressure", *pair) > 0.98
        assert correlation("precipitation_1h", *pair) > 0.5
    assert correlation("temperature", "00052", "07015") > min(
        correlation("temperature", "00052", name) for name in reports["station_id"].unique().to_list()
    )


def test_rain_passes_from_the_south_west(tmp_path: Path) -> None:
    """Hazebrouck's rain comes before that of a station to its east-north-east: the best match is at a positive lag."""
    simulate(tmp_path, days=21, stations=6, table_format="csv")
    truth = load_truth(tmp_path).reports

    def increments(name: str) -> pl.DataFrame:
        acc = pl.col("precipitation_acc").diff().clip(0)
        return truth.filter(pl.col("station_id") == name).select("utc_time", acc)

    west, east = increments("ILAMAD25"), increments("IICHTE19")
    scores = {}
    for lag in range(-60, 65, 5):
        moved = west.with_columns(pl.col("utc_time") + pl.duration(minutes=lag))
        scores[lag] = (
            moved.join(east, on="utc_time").select(pl.corr("precipitation_acc", "precipitation_acc_right")).item()
        )
    best = max(scores, key=lambda lag: scores[lag])
    assert 0 < best <= 60, scores


def test_reports_stand_on_the_clock_of_the_station(week_truth: Truth) -> None:
    """A personal station reports a minute before each multiple of its step, from its first local midnight on."""
    own = week_truth.reports.filter(pl.col("station_id") == "IICHTE19")["utc_time"]
    assert {instant.minute % 5 for instant in own} == {4}
    first = own.item(0)
    assert isinstance(first, datetime)
    assert first.astimezone(ZoneInfo("Europe/Brussels")).isoformat() == "2024-10-01T00:04:00+02:00"
