"""Samples as Prometheus' text, and as a text file for its node exporter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from barograph.errors import UsageError
from barograph.ops.metrics.registry import BY_NAME, Sample

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family


class _Collected(Collector):
    """prometheus_client's view of samples that are taken anew for each scrape."""

    def __init__(self, take: Callable[[], Iterable[Sample]]) -> None:
        self._take = take

    def collect(self) -> Iterator[Family]:
        families: dict[str, GaugeMetricFamily] = {}
        for sample in self._take():
            metric = BY_NAME[sample.name]
            family = families.get(sample.name)
            if family is None:
                family = families[sample.name] = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            family.add_metric(sample.labels, sample.value)
        yield from families.values()


def registry(take: Callable[[], Iterable[Sample]]) -> CollectorRegistry:
    """A registry of prometheus_client that asks `take` whenever it is read."""
    made = CollectorRegistry(auto_describe=False)
    made.register(_Collected(take))
    return made


def prometheus_text(samples: Sequence[Sample]) -> str:
    """The text exposition format, version 0.0.4."""
    return generate_latest(registry(lambda: samples)).decode()


def write_textfile(samples: Sequence[Sample], path: Path) -> None:
    """Write for node_exporter's textfile collector: whole or not at all. Raises UsageError where it cannot be."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(prometheus_text(samples), encoding="utf-8")
        draft.chmod(0o644)
        os.replace(draft, path)  # noqa: PTH105 - atomic
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror}", where=str(path), hint="make its folder, writable for this user"
        ) from error
