"""The metrics as CloudWatch needs them: ages in place of instants, one value over all stations, a bound on series.

CloudWatch's arithmetic knows no "now", so an instant of the registry becomes the hours since it, when the samples are
written. An alarm watches one series, so a metric that each station or connection has is also written without that
dimension, as the worst of all or their sum. Every series is billed as a metric of its own, so only so many stations and
connections get one; what is written without the dimension always covers all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from barograph.ops.metrics.registry import BY_NAME, METRICS, Metric, Sample, Whole
from barograph.ops.status.problems import SILENT_AFTER

INSTANT: Final = "_timestamp_seconds"
AGE: Final = "_age_hours"
HOUR: Final = 3600.0

TOGETHER: Final[dict[Whole, Callable[[Sequence[float]], float]]] = {"max": max, "min": min, "sum": math.fsum}

LAST_REPORT: Final = "barograph_station_last_report_timestamp_seconds"
RANKED_BY: Final[Mapping[str, str]] = {
    "station": LAST_REPORT,
    "connection": "barograph_connection_last_success_timestamp_seconds",
}
"""The labels that have as many values as the network is large, and the instant by which the stalest come first."""

STATIONS: Final = Metric("barograph_stations", "Count", "stations of the record")
SILENT: Final = Metric(
    "barograph_stations_silent",
    "Count",
    f"stations whose last report is older than {SILENT_AFTER // timedelta(hours=1)} hours, or that have none",
)
LEFT_OUT: Final = Metric(
    "barograph_series_left_out",
    "Count",
    "stations and connections beyond `[metrics] emf_series`: without series of their own, but in the values over all",
)


def _renamed(metric: Metric) -> Metric:
    """A metric as CloudWatch has it. It knows no unit of an hour."""
    if not metric.name.endswith(INSTANT):
        return metric
    since = f"hours since {metric.help.removeprefix('when ')}"
    # The least instant is the greatest age.
    whole: Whole | None = None if metric.whole is None else "max"
    return replace(metric, name=age_name(metric.name), unit="None", help=since, whole=whole)


def age_name(name: str) -> str:
    """The name of the age that an instant becomes."""
    return name.removesuffix(INSTANT) + AGE


CLOUDWATCH: Final[tuple[Metric, ...]] = (*map(_renamed, METRICS), STATIONS, SILENT, LEFT_OUT)
"""Every metric that may be written; one with labels and a `whole` is also written without them."""


def series_of(samples: Sequence[Sample], now: datetime, limit: int) -> Iterator[Sample]:
    """The samples under CloudWatch's names, those over all series without labels.

    `limit`: how many stations, and how many connections, keep series of their own: the stalest, those that never
    reported or synced before all others.
    """
    kept, left_out = _kept(samples, limit)
    together: dict[tuple[str, Whole], list[float]] = {}
    for sample in samples:
        metric = BY_NAME[sample.name]
        if metric.whole is not None:
            together.setdefault((sample.name, metric.whole), []).append(sample.value)
        if all(value in kept.get(name, (value,)) for name, value in zip(metric.labels, sample.labels, strict=True)):
            yield _aged(sample, now)
    for (name, whole), values in together.items():
        yield _aged(Sample(name, TOGETHER[whole](values)), now)
    yield from _counts(samples, now)
    yield Sample(LEFT_OUT.name, left_out)


def _aged(sample: Sample, now: datetime) -> Sample:
    if not sample.name.endswith(INSTANT):
        return sample
    return Sample(age_name(sample.name), round((now.timestamp() - sample.value) / HOUR, 4), sample.labels)


def _kept(samples: Sequence[Sample], limit: int) -> tuple[dict[str, set[str]], int]:
    """Of each label that grows with the network the values that keep their series, and how many do not."""
    kept: dict[str, set[str]] = {}
    left_out = 0
    for label, instant in RANKED_BY.items():
        stale: dict[str, float] = {}
        for sample in samples:
            if BY_NAME[sample.name].labels == (label,):
                known = sample.value if sample.name == instant else -math.inf
                stale[sample.labels[0]] = max(known, stale.get(sample.labels[0], -math.inf))
        ranked = sorted(stale, key=lambda value: (stale[value], value))
        kept[label] = set(ranked[:limit])
        left_out += len(ranked[limit:])
    return kept, left_out


def _counts(samples: Sequence[Sample], now: datetime) -> Iterator[Sample]:
    """How many stations there are, and how many are silent; nothing where the store could not be asked."""
    if not any(sample.name == "barograph_up" and sample.value for sample in samples):
        return
    stations = sum(sample.name == "barograph_station_reports" for sample in samples)
    edge = (now - SILENT_AFTER).timestamp()
    heard = sum(sample.name == LAST_REPORT and sample.value >= edge for sample in samples)
    yield Sample(STATIONS.name, stations)
    yield Sample(SILENT.name, stations - heard)
