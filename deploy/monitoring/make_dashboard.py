# ruff: noqa: INP001 - a script beside what it makes, not a package
"""Writes grafana.json, the dashboard of barograph's metrics: import it into Grafana and choose the data source.

.venv/bin/python deploy/monitoring/make_dashboard.py             writes
.venv/bin/python deploy/monitoring/make_dashboard.py --check     exits 1 where the file is behind
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: what it shows, how wide (of 24), and from which value on it is yellow and red."""

    title: str
    query: str
    unit: str
    kind: str = "timeseries"
    width: int = 8
    legend: str = ""
    steps: tuple[float, float] | None = None
    description: str = ""


ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    (
        "Is all well?",
        (
            Panel(
                "Since the last good run",
                'time() - max(barograph_run_last_success_timestamp_seconds{command="run"})',
                "s",
                "stat",
                6,
                steps=(25 * 3600, 26 * 3600),
                description="A nightly run in which nothing failed and nothing was rejected.",
            ),
            Panel("Failing connections", "sum(barograph_connection_failing)", "none", "stat", 4, steps=(1, 2)),
            Panel("Objects that cannot be read", "barograph_failed_objects", "none", "stat", 4, steps=(1, 10)),
            Panel(
                "Since the last backup",
                "time() - barograph_backup_last_success_timestamp_seconds",
                "s",
                "stat",
                5,
                steps=(26 * 3600, 50 * 3600),
            ),
            Panel(
                "Since the last drill",
                "time() - barograph_drill_last_success_timestamp_seconds",
                "s",
                "stat",
                5,
                steps=(8 * 86400, 15 * 86400),
            ),
        ),
    ),
    (
        "The record",
        (
            Panel(
                "Freshness: age of each station's last report",
                "time() - barograph_station_last_report_timestamp_seconds",
                "s",
                width=12,
                legend="{{station}}",
                steps=(26 * 3600, 36 * 3600),
            ),
            Panel("Reports per run", "barograph_run_reports", "none", width=12, legend="{{fate}}"),
            Panel("Reports by station", "barograph_station_reports", "none", width=12, legend="{{station}}"),
            Panel(
                "Access time",
                "barograph_access_time_seconds",
                "s",
                width=12,
                legend="a station's newest day",
                description="Median of five reads of one station's newest day.",
            ),
        ),
    ),
    (
        "The job",
        (
            Panel("Duration of a run", "barograph_run_duration_seconds", "s", legend="run"),
            Panel("Duration of a sync", "barograph_connection_duration_seconds", "s", legend="{{connection}}"),
            Panel("Records of a sync", "barograph_connection_records", "none", legend="{{connection}}"),
        ),
    ),
    (
        "The servers",
        (
            Panel("Replica lag", "barograph_replica_lag_seconds", "s", legend="{{member}}", steps=(5, 10)),
            Panel("Members by state", "barograph_replica_members", "none", legend="{{state}}"),
            Panel("Waited for the store, longest", "barograph_run_store_wait_seconds", "s", legend="a run"),
            Panel("Landed", "barograph_landed_bytes", "bytes", width=12, legend="objects ingested"),
            Panel("Free space", "barograph_disk_free_bytes", "bytes", width=12, legend="data folder"),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it (schema 39, Grafana 10 and later)."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        panels.append(
            _place({"type": "row", "title": title, "collapsed": False, "panels": []}, len(panels), 0, y, 24, 1)
        )
        y, x = y + 1, 0
        for panel in row:
            if x + panel.width > 24:
                x, y = 0, y + 8
            panels.append(_place(_panel(panel), len(panels), x, y, panel.width, 8))
            x += panel.width
        y += 8
    variable = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return {
        "title": "barograph",
        "uid": "barograph",
        "tags": ["barograph"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "5m",
        "time": {"from": "now-14d", "to": "now"},
        "templating": {"list": [variable]},
        "panels": panels,
    }


def _place(panel: dict[str, Any], number: int, x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"id": number + 1, **panel, "gridPos": {"x": x, "y": y, "w": width, "h": height}}


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.steps is not None:
        yellow, red = panel.steps
        steps = [
            {"color": "green", "value": None},
            {"color": "yellow", "value": yellow},
            {"color": "red", "value": red},
        ]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [{"refId": "A", "datasource": SOURCE, "expr": panel.query, "legendFormat": panel.legend}],
    }


def main() -> int:
    """Write, or compare."""
    path, text = HERE / "grafana.json", json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        return int(not path.exists() or path.read_text(encoding="utf-8") != text)
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
