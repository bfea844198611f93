"""The registry's face for CloudWatch: ages, values over all series, bounded series, and the format's rules."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.config import load
from barograph.errors import ConfigError
from barograph.ops.metrics import CLOUDWATCH, METRICS, Sample, emf_lines
from tests.cli.conftest import call
from tests.support import emf

NOW: Final = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
LAST: Final = "barograph_station_last_report_timestamp_seconds"
AGE: Final = "barograph_station_last_report_age_hours"
Written = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def written(samples: list[Sample], series: int = 50) -> Written:
    """What CloudWatch makes of the samples; each series once."""
    read = emf.read(emf_lines(samples, NOW, series), NOW.timestamp() * 1000)
    found = {(one.name, one.dimensions): one.value for one in read}
    assert len(found) == len(read)
    return found


def network(ages: dict[str, float | None]) -> list[Sample]:
    """Samples of stations by the hours since their last report."""
    samples = [Sample("barograph_up", 1.0)]
    for name, age in ages.items():
        samples.append(Sample("barograph_station_reports", 10, (name,)))
        if age is not None:
            samples.append(Sample(LAST, (NOW - timedelta(hours=age)).timestamp(), (name,)))
    return samples


def test_instants_become_hours() -> None:
    """Each instant of the registry is written as the hours since it; an alarm cannot subtract it from now."""
    then = (NOW - timedelta(hours=26.5)).timestamp()
    instants = [metric for metric in METRICS if metric.name.endswith("_timestamp_seconds")]
    assert len(instants) == 6
    found = written([Sample(metric.name, then, ("x",) * len(metric.labels)) for metric in instants])
    for metric in instants:
        name = metric.name.replace("_timestamp_seconds", "_age_hours")
        assert found[name, tuple((label, "x") for label in metric.labels)] == pytest.approx(26.5)
    assert not any("timestamp" in metric.name for metric in CLOUDWATCH)


def test_one_value_over_all() -> None:
    """Without the dimension stand the oldest age, the sum of reports, the failing connections, the longest lag."""
    found = written(
        [
            *network({"A": 1, "B": 40, "C": None}),
            Sample("barograph_connection_failing", 1.0, ("x",)),
            Sample("barograph_connection_failing", 1.0, ("y",)),
            Sample("barograph_replica_lag_seconds", 2.0, ("one",)),
            Sample("barograph_replica_lag_seconds", 11.0, ("two",)),
            Sample("barograph_run_reports", 7, ("rejected",)),
        ]
    )
    assert found[AGE, ()] == found[AGE, (("station", "B"),)] == pytest.approx(40)
    assert found["barograph_station_reports", ()] == 30
    assert found["barograph_connection_failing", ()] == 2
    assert found["barograph_replica_lag_seconds", ()] == 11
    assert (found["barograph_stations", ()], found["barograph_stations_silent", ()]) == (3, 2)
    assert ("barograph_run_reports", ()) not in found, "accepted and rejected rows have no sum that means anything"
    assert found["barograph_run_reports", (("fate", "rejected"),)] == 7


@given(
    ages=st.dictionaries(
        st.text("ABCé0", min_size=1, max_size=6), st.none() | st.floats(0, 10_000, allow_nan=False), max_size=30
    ),
    series=st.integers(0, 40),
)
def test_however_many_stations_the_values_over_all_stay(ages: dict[str, float | None], series: int) -> None:
    """The bound takes series away, and changes nothing of what an alarm watches; it says how many it took."""
    every, few = written(network(ages), 1000), written(network(ages), series)
    over_all = {key: value for key, value in every.items() if not key[1]}
    left_out = ("barograph_series_left_out", ())
    assert {key: value for key, value in few.items() if not key[1]} == {
        **over_all,
        left_out: max(0, len(ages) - series),
    }
    assert over_all["barograph_stations", ()] == len(ages)
    known = [age for age in ages.values() if age is not None]
    assert over_all.get((AGE, ())) == (pytest.approx(max(known), abs=0.001) if known else None)
    named = {dimensions for _, dimensions in few if dimensions}
    assert len(named) == min(series, len(ages))


def test_the_stalest_keep_their_series() -> None:
    """Those that never reported come first, then the oldest; connections are bounded on their own."""
    samples = [
        *network({"fresh": 1, "old": 50, "older": 90, "never": None}),
        Sample("barograph_connection_failing", 0.0, ("a",)),
        Sample("barograph_connection_last_success_timestamp_seconds", NOW.timestamp(), ("a",)),
        Sample("barograph_connection_failing", 1.0, ("b",)),
    ]
    found = written(samples, 2)
    assert {value for _, dims in found for name, value in dims if name == "station"} == {"never", "older"}
    assert {value for _, dims in found for name, value in dims if name == "connection"} == {"a", "b"}
    (one,) = {value for _, dims in written(samples, 1) for name, value in dims if name == "connection"}
    assert one == "b"
    assert found["barograph_series_left_out", ()] == 2


def test_a_large_network_is_a_few_lines() -> None:
    """Two hundred thousand stations make 51 lines and a hundred series, not two hundred thousand."""
    lines = list(emf_lines(network({f"S{number}": number / 1000 for number in range(200_000)}), NOW, 50))
    assert len(lines) == 51
    found = emf.read(lines, NOW.timestamp() * 1000)
    assert len([one for one in found if one.dimensions]) == 100
    assert next(one.value for one in found if one.name == AGE and not one.dimensions) == pytest.approx(199.999)


def test_a_store_that_is_down_has_no_stations() -> None:
    """Nothing is told of stations that nobody could ask for: silence is not "none of them is silent"."""
    found = written([Sample("barograph_up", 0.0)])
    assert found["barograph_up", ()] == 0
    assert not any(name.startswith("barograph_stations") for name, _ in found)


def test_more_than_a_hundred_metrics_are_several_events() -> None:
    """One directive takes a hundred."""
    names = [metric.name for metric in METRICS if not metric.labels]
    lines = list(emf_lines([Sample(name, 1.0) for name in names for _ in range(20)], NOW, 50))
    assert len(lines) > 1
    assert all(len(json.loads(line)["_aws"]["CloudWatchMetrics"][0]["Metrics"]) <= 100 for line in lines)


def test_what_the_command_writes_keeps_every_rule(tmp_path: Path) -> None:
    """The command itself, after a run, a backup and a drill: every line by the rules, every metric a known one."""
    config = tmp_path / "feeds" / "barograph.toml"
    words = ("--config", str(config), "--data-dir", str(tmp_path / "data"))
    assert call("simulate", str(config.parent), "--days", "2").exit_code == 0
    for command in (("run",), ("backup", "create"), ("backup", "drill")):
        assert call(*words, *command).exit_code == 0
    done = call(*words, "metrics", "--emf")
    assert done.exit_code == 0, done.stderr
    found = emf.read(done.stdout.splitlines(), time.time() * 1000)
    known = {metric.name: metric for metric in CLOUDWATCH}
    assert {one.name for one in found} == {name for name in known if not name.startswith("barograph_replica_")}
    for one in found:
        assert one.unit == known[one.name].unit
        labels = tuple(name for name, _ in one.dimensions)
        assert labels in ((), known[one.name].labels)
        assert labels or not known[one.name].labels or known[one.name].whole
    ages = {one.name: one.value for one in found if one.name.endswith("_age_hours") and not one.dimensions}
    for name in ("barograph_backup_last_success_age_hours", "barograph_drill_last_success_age_hours"):
        assert 0 <= ages[name] < 1


def test_the_bound_is_a_setting(tmp_path: Path) -> None:
    """`[metrics] emf_series` bounds what the command writes; less than nothing is refused."""
    feeds = tmp_path / "feeds"
    assert call("simulate", str(feeds), "--days", "1").exit_code == 0
    config = feeds / "barograph.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}\n[metrics]\nemf_series = 1\n", encoding="utf-8")
    words = ("--config", str(config), "--data-dir", str(tmp_path / "data"))
    assert call(*words, "run").exit_code == 0
    found = emf.read(call(*words, "metrics", "--emf").stdout.splitlines(), time.time() * 1000)
    named = {dimension for one in found for dimension in one.dimensions}
    assert sorted(name for name, _ in named if name in ("station", "connection")) == ["connection", "station"]
    config.write_text(f"{text}\n[metrics]\nemf_series = -1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="emf_series"):
        load(config, environ={})
