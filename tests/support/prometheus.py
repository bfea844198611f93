"""The alert rules, evaluated by Prometheus' own promtool on what barograph measured."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from barograph.config import Settings
from barograph.ops.metrics import METRICS, Sample, collect
from barograph.store import open_reader

RULES: Final = Path(__file__).resolve().parents[2] / "deploy" / "monitoring" / "alerts.yml"

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")

IMPOSSIBLE: Final = {"labels": 'ALERTS{alertname="None"}', "value": 1}
"""promtool is told to expect it, and so prints what it got instead."""


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, timeout=60)


def measured(settings: Settings) -> list[Sample]:
    """What `barograph metrics` takes."""
    with closing(open_reader(settings.store_url)) as store:
        return collect(settings, store)


def fired(samples: list[Sample], folder: Path, *, shift: float = 0.0) -> set[tuple[str, str]]:
    """The alerts that Prometheus raises where it scrapes these samples for two hours: name, and connection or station.

    promtool's clock begins at zero, so instants are moved there; `shift` seconds later than now.
    """
    now = time.time() + shift
    series = []
    for one in samples:
        labels = {"instance": "vm", **dict(zip(_labels(one.name), one.labels, strict=True))}
        text = ",".join(f'{name}="{label}"' for name, label in labels.items())
        number = one.value - now if one.name.endswith("_timestamp_seconds") else one.value
        series.append({"series": f"{one.name}{{{text}}}", "values": f"{number:.0f}x150"})
    query = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "2h", "exp_samples": [IMPOSSIBLE]}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [query]}
    night = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}
    path = folder / "night.yml"
    path.write_text(json.dumps(night), encoding="utf-8")
    done = promtool("test", "rules", str(path))
    said = done.stdout + done.stderr
    assert "got:" in said, said
    found = set()
    for alert in re.findall(r'\{__name__="ALERTS", ([^}]*)\}', said.rpartition("got:")[2]):
        named = dict(re.findall(r'(\w+)="([^"]*)"', alert))
        found.add((named["alertname"], named.get("connection") or named.get("station") or ""))
    return found


def _labels(name: str) -> tuple[str, ...]:
    return next(metric.labels for metric in METRICS if metric.name == name)
