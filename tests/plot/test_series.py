"""What a plot draws, before it is drawn: segments, gaps, buckets, flags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.plot import series
from tests.query.stores import every, reports

START = datetime(2024, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOURLY = ("hour", "1h", timedelta(hours=1))
DAILY = ("day", "1d", timedelta(days=1))


def at(*minutes: int) -> pl.Series:
    return pl.Series([START + timedelta(minutes=minute) for minute in minutes], dtype=pl.Datetime("ms", "UTC"))


def test_a_line_breaks_at_a_gap_and_at_a_run_of_nulls() -> None:
    """Two and a half intervals are bridged, more is not; nulls count as nothing, not as zero."""
    frame = reports(at(0, 10, 20, 45, 55, 81, 91, 101, 111, 121), temperature=[1, 2, 3, 4, 5, 6, None, None, 9, 10])
    line = series.segments(frame, "temperature")
    assert line["value"].to_list() == [1, 2, 3, 4, 5, 6, 9, 10]
    assert line["segment"].to_list() == [0, 0, 0, 0, 0, 1, 2, 2]


def test_each_variable_has_its_own_interval() -> None:
    """Hourly amounts among ten-minute reports make one line; the gap is measured in hours."""
    frame = reports(
        every(START, START + DAY, "10m"), precipitation_1h=pl.when(pl.int_range(pl.len()) % 6 == 0).then(0.2)
    )
    assert series.segments(frame, "precipitation_1h")["segment"].to_list() == [0] * 24
    dropped = frame.filter(pl.col("utc_time").dt.hour().is_between(6, 8).not_())
    assert series.segments(dropped, "precipitation_1h")["segment"].to_list() == [0] * 6 + [1] * 15


def test_a_failing_value_is_no_part_of_a_line() -> None:
    """Flag 4 is left out, flag 3 stays; both are found again as flagged values."""
    frame = reports(
        at(0, 5, 10, 15), temperature=[10.0, 60.0, 12.0, 13.0], temperature_flag=[None, 4, 3, None], humidity=50
    )
    assert series.segments(frame, "temperature")["value"].to_list() == [10, 12, 13]
    assert series.flagged(frame, "temperature", series.FAIL).rows() == [(START + timedelta(minutes=5), 60.0)]
    assert series.flagged(frame, "temperature", series.SUSPECT)["value"].to_list() == [12]
    assert series.flagged(frame, "humidity", series.FAIL).is_empty()


def test_a_running_total_breaks_where_it_starts_again() -> None:
    """A counter that goes back to zero draws no line down, and what it grew by ignores the reset and corrections."""
    frame = reports(at(0, 5, 10, 15, 20, 25), precipitation_acc=[1.0, 4.0, 3.9, 4.4, 0.3, 0.3])
    assert series.segments(frame, "precipitation_acc", falls=False)["segment"].to_list() == [0, 0, 1, 1, 2, 2]
    grown = series.growth(frame, "precipitation_acc")["precipitation_acc"].round(6)
    assert grown.to_list() == [3.0, 0.0, 0.5, 0.3, 0.0]


@given(st.sets(st.integers(0, 24 * 12 - 1), min_size=2))
def test_gaps_are_where_reports_are_missing(present: set[int]) -> None:
    """No gap holds a report, and outside the gaps there is one at least every 2.5 intervals."""
    times = pl.Series(sorted(START + timedelta(minutes=5 * number) for number in present))
    step = timedelta(minutes=5)
    found = series.gaps(times, START, START + DAY, step)
    assert all(b - a > step * 2.5 for a, b in found)
    assert not any(a < time < b for a, b in found for time in times)
    edges = [START, *times.to_list(), START + DAY]
    covered = {pair for pair in pairwise(edges) if pair[1] - pair[0] > step * 2.5}
    assert covered == set(found)


def test_no_reports_are_one_gap() -> None:
    """An empty span is grey from end to end."""
    assert series.gaps(at(), START, START + DAY, timedelta(minutes=5)) == [(START, START + DAY)]


@pytest.mark.parametrize(
    ("days", "points", "width"),
    [(1, 288, None), (7, 5000, None), (7, 5001, "15m"), (31, 8928, "1h"), (366, 105_408, "1d"), (3653, 10**6, "1w")],
)
def test_how_a_long_span_is_summed_up(days: int, points: int, width: str | None) -> None:
    """Up to 5000 reports are drawn as they are; beyond, at most 750 buckets."""
    bucket = series.bucket_of(START, START + timedelta(days=days), points)
    assert (bucket[1] if bucket else None) == width


@given(st.lists(st.floats(-50, 50), min_size=50, max_size=200))
def test_buckets_keep_the_extremes(values: list[float]) -> None:
    """Summing up loses neither the lowest nor the highest value, and each mean lies between."""
    times = every(START, START + timedelta(minutes=10 * len(values)), "10m")
    summed = series.buckets(reports(times, temperature=values), "temperature", HOURLY, "Europe/Paris")
    assert (summed["low"].min(), summed["high"].max()) == (min(values), max(values))
    assert summed.filter(pl.col("low") - 1e-9 <= pl.col("mean"), pl.col("mean") <= pl.col("high") + 1e-9).height
    assert summed["total"].sum() == pytest.approx(sum(values))
    assert summed["segment"].max() == 0


def test_a_daily_bucket_is_the_stations_day() -> None:
    """Across the autumn night the buckets are the 24, 25 and 24 hours of the local days."""
    times = every(datetime(2024, 10, 25, 22, tzinfo=UTC), datetime(2024, 10, 28, 23, tzinfo=UTC), "1h")
    summed = series.buckets(reports(times, precipitation_1h=1.0), "precipitation_1h", DAILY, "Europe/Paris")
    assert summed["total"].to_list() == [24, 25, 24]


def test_buckets_break_at_a_gap_of_days() -> None:
    """Two days without values are bridged, three are not."""
    kept = pl.concat(every(START + DAY * a, START + DAY * b, "1h") for a, b in ((0, 2), (3, 5), (8, 10)))
    summed = series.buckets(reports(kept, temperature=1.0), "temperature", DAILY, "UTC")
    assert summed["segment"].to_list() == [0, 0, 0, 0, 1, 1]


def test_rolling_amounts_are_not_added_twice() -> None:
    """Of hourly amounts that are reported every ten minutes only those that do not overlap are summed."""
    frame = reports(every(START, START + DAY, "10m"), precipitation_1h=0.6)
    assert series.apart(frame, "precipitation_1h", timedelta(hours=1)).height == 24


def test_wind_while_calm_is_told_apart() -> None:
    """A direction with a mean speed of zero means nothing; without a speed it counts."""
    frame = reports(at(0, 5, 10), wind_direction_deg=[10.0, 20.0, 30.0], mean_wind_speed=[5.0, 0.0, None])
    assert series.moving(frame)["value"].to_list() == [10, 30]
    assert series.moving(frame, calm=True)["value"].to_list() == [20]
    assert series.moving(frame.drop("mean_wind_speed")).height == 3


def test_directions_of_a_long_span_are_shares() -> None:
    """Sectors are centred on their points, north is one sector, and the shares of a bucket add up to one."""
    frame = reports(at(0, 10, 20, 30, 60), wind_direction_deg=[350.0, 11.0, 360.0, 90.0, 101.3])
    shares = series.directions(frame, HOURLY, "UTC")
    assert shares.select("sector", "share").rows() == [(0, 0.75), (4, 0.25), (5, 1.0)]


def test_thinning_keeps_the_extremes() -> None:
    """Of a week of flagged values at most two stay in each part, the lowest and the highest among them."""
    times = every(START, START + 7 * DAY, "1m")
    points = reports(times, solar=(pl.int_range(pl.len()) * 7919) % 1000).rename({"solar": "value"})
    thin = series.thinned(points, START, START + 7 * DAY, cells=100)
    assert 100 < thin.height <= 200
    assert (thin["value"].min(), thin["value"].max()) == (0, 999)


def test_flags_of_summed_amounts_stand_on_the_sums() -> None:
    """A flagged amount is marked on its day's bar, once; on a day without a bar at zero."""
    kept = reports(every(START, START + DAY, "1h"), precipitation_1h=0.5)
    bars = series.buckets(kept, "precipitation_1h", DAILY, "UTC")
    points = pl.DataFrame({"utc_time": at(60, 120, 3 * 1440), "value": [9.0, 9.0, 9.0]})
    marked = series.on_buckets(points, bars, DAILY)
    assert marked.rows() == [(START + DAY / 2, 12.0), (START + 3 * DAY, 0.0)]
