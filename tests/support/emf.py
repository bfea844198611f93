"""CloudWatch's embedded metric format, read as CloudWatch reads it: what breaks a rule is no metric."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

_SIZES: Final = (
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
)
UNITS: Final = {
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None", "Terabits"),
    *_SIZES,
    *(f"{size}/Second" for size in (*_SIZES, "Terabits")),
}
"""CloudWatch API, MetricDatum, Unit."""
DAY_MS: Final = 86_400_000


class Written(NamedTuple):
    """One value: its metric, unit, and dimensions by name."""

    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    value: float


def read(lines: Iterable[str], now_ms: float) -> list[Written]:
    """Every value of the lines that are events; each is held against the specification's rules."""
    return [value for line in lines if line.startswith("{") and '"_aws"' in line for value in _event(line, now_ms)]


def _event(line: str, now_ms: float) -> Iterator[Written]:
    assert len(line.encode()) < 256 * 1024, "a log event"
    event = json.loads(line, parse_constant=lambda name: pytest_fail(f"{name} is no number of JSON"))
    head: dict[str, Any] = event["_aws"]
    assert isinstance(head["Timestamp"], int)
    assert now_ms - 14 * DAY_MS < head["Timestamp"] < now_ms + DAY_MS / 12, "milliseconds, and no other day"
    for directive in head["CloudWatchMetrics"]:
        assert re.fullmatch(r"[\w.\-/#:]{1,255}", directive["Namespace"], re.ASCII)
        assert not directive["Namespace"].startswith("AWS/")
        assert 1 <= len(directive["Metrics"]) <= 100
        assert directive["Dimensions"], "a metric of no set is not written"
        for names in directive["Dimensions"]:
            assert len(names) <= 30
            dimensions = tuple((name, event[name]) for name in names)
            for _, value in dimensions:
                assert isinstance(value, str)
                assert value.isascii()
                assert value.strip()
                assert len(value) <= 1024
            for metric in directive["Metrics"]:
                assert metric.keys() <= {"Name", "Unit", "StorageResolution"}
                assert metric["Unit"] in UNITS
                values = event[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    assert isinstance(value, int | float)
                    assert not isinstance(value, bool)
                    assert math.isfinite(value)
                    yield Written(metric["Name"], metric["Unit"], dimensions, value)
                assert not isinstance(values, list) or len(values) <= 100


def pytest_fail(why: str) -> None:
    """What JSON does not know stops the reading."""
    raise AssertionError(why)
