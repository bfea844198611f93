"""One registry of metrics, and its faces: Prometheus' text and text file, HTTP, CloudWatch's embedded metric format."""

from barograph.ops.metrics.cloudwatch import CLOUDWATCH
from barograph.ops.metrics.collect import collect
from barograph.ops.metrics.emf import emf_lines
from barograph.ops.metrics.expose import prometheus_text, registry, write_textfile
from barograph.ops.metrics.registry import METRICS, Metric, Sample

__all__ = [
    "CLOUDWATCH",
    "METRICS",
    "Metric",
    "Sample",
    "collect",
    "emf_lines",
    "prometheus_text",
    "registry",
    "write_textfile",
]
