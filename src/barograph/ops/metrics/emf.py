"""CloudWatch's embedded metric format: lines of JSON that become metrics where a log is read.

The rules (CloudWatch, "Specification: Embedded metric format"): a timestamp in milliseconds, at most 100 metrics in a
directive, at most 30 dimensions in a set, and every metric and dimension a member of the line's root.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from barograph.model import epoch_ms
from barograph.ops.metrics.cloudwatch import CLOUDWATCH, series_of
from barograph.ops.metrics.registry import Sample

NAMESPACE: Final = "barograph"
AT_ONCE: Final = 100
LONGEST: Final = 1024
"""Characters of a dimension's value, which are ASCII (CloudWatch API, Dimension)."""
_KNOWN: Final = {metric.name: metric for metric in CLOUDWATCH}


def emf_lines(samples: Sequence[Sample], now: datetime, series: int) -> Iterator[str]:
    """One JSON line for each set of dimensions, as CloudWatch's embedded metric format has it.

    The agent, Fargate's awslogs driver and Lambda turn such lines of a log into metrics. Delivery is at least once:
    alarms belong on a maximum, never on a sum. `series`: as `limit` of `series_of`.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Sample]] = defaultdict(list)
    for sample in series_of(samples, now, series):
        # A value over all series has no labels, whatever its metric has.
        groups[tuple(zip(_KNOWN[sample.name].labels, sample.labels, strict=False))].append(sample)
    for dimensions, group in groups.items():
        for start in range(0, len(group), AT_ONCE):
            yield json.dumps(_event(dimensions, group[start : start + AT_ONCE], now), separators=(",", ":"))


def _event(dimensions: tuple[tuple[str, str], ...], group: Sequence[Sample], now: datetime) -> dict[str, Any]:
    metrics = [{"Name": sample.name, "Unit": _KNOWN[sample.name].unit} for sample in group]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[name for name, _ in dimensions]], "Metrics": metrics}
    return {
        "_aws": {"Timestamp": epoch_ms(now), "CloudWatchMetrics": [directive]},
        **{name: _ascii(value) for name, value in dimensions},
        **{sample.name: sample.value for sample in group},
    }


def _ascii(value: str) -> str:
    return value.encode("ascii", "backslashreplace").decode()[:LONGEST]
