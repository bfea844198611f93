"""Metrics: what is measured, how each face shows it, and whether the alerts fire for what they are for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from barograph.config import Settings, load
from barograph.errors import StoreUnavailable, UsageError
from barograph.ops.metrics import METRICS, Sample, collect, prometheus_text, write_textfile
from tests.cli.conftest import call
from tests.support.prometheus import fired, measured, needs_promtool, promtool

ROOT: Final = Path(__file__).resolve().parents[2]
MONITORING: Final = ROOT / "deploy" / "monitoring"
NAMES: Final = {metric.name for metric in METRICS}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The simulated network after a run, with a backup and a drill: its configuration and its data folder."""
    place = tmp_path_factory.mktemp("metrics")
    feeds, data = place / "feeds", place / "data"
    words = ("--config", str(feeds / "barograph.toml"), "--data-dir", str(data))
    assert call("simulate", str(feeds)).exit_code == 0
    for command in (("run",), ("backup", "create"), ("backup", "drill")):
        done = call(*words, *command)
        assert done.exit_code == 0, done.stderr
    return feeds / "barograph.toml", data


def samples_of(ran: tuple[Path, Path]) -> tuple[Settings, list[Sample]]:
    settings = load(ran[0], data_dir=ran[1], environ={})
    return settings, measured(settings)


def value(samples: list[Sample], name: str, *labels: str) -> float:
    return next(one.value for one in samples if one.name == name and one.labels == labels)


def test_what_is_measured(ran: tuple[Path, Path]) -> None:
    """Every metric but those of a replica set is there, once per label set, with the labels that it declares."""
    _, samples = samples_of(ran)
    there = {one.name for one in samples}
    assert NAMES - there == {name for name in NAMES if name.startswith("barograph_replica_")}
    assert there <= NAMES
    assert max(Counter((one.name, one.labels) for one in samples).values()) == 1
    declared = {metric.name: len(metric.labels) for metric in METRICS}
    assert all(len(one.labels) == declared[one.name] for one in samples)
    assert value(samples, "barograph_up") == 1
    assert value(samples, "barograph_run_result") == 0
    assert value(samples, "barograph_run_reports", "new") == sum(
        one.value for one in samples if one.name == "barograph_station_reports"
    )
    for name in ("barograph_backup_last_success_timestamp_seconds", "barograph_drill_last_success_timestamp_seconds"):
        assert abs(value(samples, name) - time.time()) < 3600


def test_a_store_that_is_down(ran: tuple[Path, Path]) -> None:
    """`barograph_up` is 0 and the disk is still told; nothing raises."""
    settings, _ = samples_of(ran)
    samples = collect(settings, StoreUnavailable("no answer"))
    assert value(samples, "barograph_up") == 0
    assert not any(one.name == "barograph_station_reports" for one in samples)
    assert value(samples, "barograph_disk_free_bytes") > 0
    nothing = collect(replace(settings, backup_url=str(ran[1] / "nowhere")), None)
    assert value(nothing, "barograph_up") == 1


def test_the_replica_set(replica_set: Any, ran: tuple[Path, Path]) -> None:
    """Members by state, the lag of each secondary, and the verdict."""
    settings, _ = samples_of(ran)
    samples = collect(replace(settings, store_url=replica_set.uri), None)
    assert value(samples, "barograph_replica_members", "PRIMARY") == 1
    assert value(samples, "barograph_replica_members", "SECONDARY") == 2
    assert len([one for one in samples if one.name == "barograph_replica_lag_seconds"]) >= 2


def test_a_backup_that_cannot_be_used_is_none(ran: tuple[Path, Path], tmp_path: Path) -> None:
    """Without a manifest, or with a damaged one, a newer backup does not hide that the last good one is old."""
    settings, samples = samples_of(ran)
    name = "barograph_backup_last_success_timestamp_seconds"
    (good,) = (ran[1] / "backups").iterdir()
    place = tmp_path / "backups"
    shutil.copytree(good, place / good.name)
    shutil.copytree(good, place / "20991231T000000000Z")
    (place / "20991231T000000000Z" / "manifest.json").write_text("{", encoding="utf-8")
    shutil.copytree(good, place / "20991231T000001000Z")
    (place / "20991231T000001000Z" / "manifest.json").unlink()
    found = collect(replace(settings, backup_url=str(place)), None)
    assert value(found, name) == value(samples, name)
    assert value(found, "barograph_backup_bytes") == value(samples, "barograph_backup_bytes")
    shutil.rmtree(place / good.name)
    assert not [one for one in collect(replace(settings, backup_url=str(place)), None) if one.name == name]


def test_prometheus_reads_it(ran: tuple[Path, Path]) -> None:
    """The text parses back into the same values, each metric with its help."""
    _, samples = samples_of(ran)
    read = {}
    helps = {}
    for family in text_string_to_metric_families(prometheus_text(samples)):
        helps[family.name] = family.documentation
        for one in family.samples:
            read[one.name, tuple(one.labels.values())] = one.value
    assert read == {(one.name, one.labels): pytest.approx(one.value) for one in samples}
    assert all(helps[metric.name] == metric.help for metric in METRICS if metric.name in helps)


def test_the_text_file(tmp_path: Path) -> None:
    """Whole or not at all, readable to the exporter; a folder that is not there is told."""
    path = tmp_path / "barograph.prom"
    write_textfile([Sample("barograph_up", 1.0)], path)
    assert "barograph_up 1.0" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["barograph.prom"]
    with pytest.raises(UsageError, match="nowhere"):
        write_textfile([], tmp_path / "nowhere" / "x.prom")


def test_a_run_publishes_by_itself(ran: tuple[Path, Path], tmp_path: Path) -> None:
    """[metrics] textfile and emf: after the run its figures are in the file and on the screen."""
    config = ran[0].with_name("published.toml")
    prom = tmp_path / "barograph.prom"
    text = ran[0].read_text(encoding="utf-8") + f'\n[metrics]\ntextfile = "{prom}"\nemf = true\n'
    config.write_text(text, encoding="utf-8")
    done = call("--config", str(config), "--data-dir", str(tmp_path / "data"), "run")
    assert done.exit_code == 0, done.stderr
    assert "barograph_run_result 0.0" in prom.read_text(encoding="utf-8")
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"_aws"')]
    assert any("barograph_run_result" in event for event in events)


def test_http(ran: tuple[Path, Path]) -> None:
    """`--listen` serves /metrics, taken anew for each scrape, and ends on SIGTERM."""
    words = ("--config", str(ran[0]), "--data-dir", str(ran[1]), "metrics", "--listen", "127.0.0.1:0")
    with subprocess.Popen([sys.executable, "-m", "barograph", *words], stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            told = server.stderr.readline()
            url = re.search(r"http://127\.0\.0\.1:\d+/metrics", told)
            assert url is not None, told
            with urllib.request.urlopen(url[0], timeout=30) as answer:  # noqa: S310 - our own server
                body = answer.read().decode()
            assert "barograph_up 1.0" in body
        finally:
            server.terminate()
        assert server.wait(timeout=30) == 0


# ------------------------------------------------------------------------------------------------ rules and dashboard


def names_in(text: str) -> set[str]:
    return set(re.findall(r"barograph_[a-z_]+", text))


def test_rules_and_dashboard_speak_of_metrics_that_exist() -> None:
    """A renamed metric cannot leave a rule or a panel behind; every panel has a query, none overlaps."""
    rules = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
    board = json.loads((MONITORING / "grafana.json").read_text(encoding="utf-8"))
    assert names_in(rules) <= NAMES
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    for panel in panels:
        assert names_in(panel["targets"][0]["expr"]) <= NAMES
        assert names_in(panel["targets"][0]["expr"])
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    done = subprocess.run([sys.executable, str(MONITORING / "make_dashboard.py"), "--check"], check=False)
    assert done.returncode == 0, "python deploy/monitoring/make_dashboard.py"


@needs_promtool
def test_promtool_takes_rules_and_queries(tmp_path: Path) -> None:
    """The rules, and each panel's query as a rule of its own."""
    done = promtool("check", "rules", str(MONITORING / "alerts.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    board = json.loads((MONITORING / "grafana.json").read_text(encoding="utf-8"))
    queries = [panel["targets"][0]["expr"] for panel in board["panels"] if panel["type"] != "row"]
    rules = [{"record": f"panel:number:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_takes_the_text(ran: tuple[Path, Path]) -> None:
    """What is exposed passes Prometheus' own linter."""
    _, samples = samples_of(ran)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=prometheus_text(samples), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@needs_promtool
def test_a_good_night_is_quiet_and_a_bad_one_is_not(ran: tuple[Path, Path], tmp_path: Path) -> None:
    """Alerts fire for exactly what went wrong, and are silent again after the next good night.

    The stations' own age is set to an hour: the simulated feeds are of 2024.
    """
    settings, samples = samples_of(ran)
    fresh = [
        replace(one, value=time.time() - 3600) if one.name.startswith("barograph_station_last") else one
        for one in samples
    ]
    assert fired(fresh, tmp_path) == set()
    bad = tmp_path / "bad"
    shutil.copytree(ran[0].parent, bad / "feeds")
    shutil.copytree(ran[1], bad / "data")
    words = ("--config", str(bad / "feeds" / "barograph.toml"), "--data-dir", str(bad / "data"))
    export = load(bad / "feeds" / "barograph.toml", environ={}).connections["meteo_ichtegem"].url
    hidden = Path(export).with_suffix(".hidden")
    Path(export).rename(hidden)
    stream = next((bad / "data" / "landing" / "meteo_sync").glob("madeleine"))
    (stream / "2026_01_01_1767225600000_0.csv").write_bytes(b"PK\x03\x04 not a table")
    assert call(*words, "run").exit_code == 3
    _, night = samples_of((bad / "feeds" / "barograph.toml", bad / "data"))
    night = [
        replace(one, value=time.time() - 3600)
        if one.name.startswith("barograph_station_last") and one.labels != ("07015",)
        else one
        for one in night
    ]
    expected = {
        ("BarographConnectionFailing", "meteo_ichtegem"),
        ("BarographObjectsFailed", ""),
        ("BarographStationSilent", "07015"),
    }
    assert fired(night, tmp_path) == expected
    assert ("BarographNoGoodRun", "") in fired(night, tmp_path, shift=30 * 3600), "a day later nobody has mended it"
    hidden.rename(export)
    (stream / "2026_01_01_1767225600000_0.csv").unlink()
    assert call(*words, "run").exit_code == 0
    _, morning = samples_of((bad / "feeds" / "barograph.toml", bad / "data"))
    left = {name for name, _ in fired(morning, tmp_path)} - {"BarographStationSilent"}
    assert left == set(), settings
