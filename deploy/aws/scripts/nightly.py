"""The nightly job inside of the container: store URI and configuration from secrets, run, backup, metrics.

The text of this module is the task's command (`python3 -c`), so it imports nothing but the standard library and, where
it is started, runs the barograph of the image. A value is read from the variable NAME, or from the file that NAME_FILE
names (systemd credentials on the EC2 instance).

| variable | holds |
| --- | --- |
| DB_USERNAME, DB_PASSWORD | of the job's own database user, from its secret |
| DB_HOST, DB_PORT, DB_NAME, DB_CA_FILE | of the cluster |
| JOB_CONFIG | the text of barograph.toml |
| JOB_VARIABLES | JSON: variables that barograph.toml refers to; BAROGRAPH_STORE in it takes the place of DB_* |

Exits with what `barograph run` said; where that was 0 and the backup failed, with 1. With words, it runs barograph with
these instead, in the same environment: `backup verify`, `backup restore --force`, `rebuild --yes`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

GIVEN = ("DB_USERNAME", "DB_PASSWORD", "DB_HOST", "DB_PORT", "DB_NAME", "DB_CA_FILE", "JOB_CONFIG", "JOB_VARIABLES")
RAN = (0, 3)


def given(environ: Mapping[str, str], name: str) -> str:
    """A value from its variable or its file; empty where there is neither."""
    if path := environ.get(f"{name}_FILE"):
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    return environ.get(name, "")


def store_uri(environ: Mapping[str, str]) -> str:
    """The store's URI: user and password escaped, TLS against Amazon's authority, readers to the replicas."""
    user, password = (quote(given(environ, name), safe="") for name in ("DB_USERNAME", "DB_PASSWORD"))
    options = {
        "tls": "true",
        "tlsCAFile": given(environ, "DB_CA_FILE"),
        "replicaSet": "rs0",
        "authSource": "admin",
        "readPreference": "secondaryPreferred",
        "retryWrites": "false",
    }
    place = f"{given(environ, 'DB_HOST')}:{given(environ, 'DB_PORT')}/{given(environ, 'DB_NAME')}"
    return f"mongodb://{user}:{password}@{place}?" + "&".join(f"{key}={value}" for key, value in options.items())


def child_environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of barograph: nothing of DB_* and JOB_* but what was made of it, in files of mode 600."""
    hidden = {*GIVEN, *(f"{name}_FILE" for name in GIVEN)}
    env = {name: value for name, value in environ.items() if name not in hidden}
    env |= {name: str(value) for name, value in json.loads(given(environ, "JOB_VARIABLES") or "{}").items()}
    if "BAROGRAPH_STORE" not in env:
        env["BAROGRAPH_STORE_FILE"] = private(folder / "store", store_uri(environ) + "\n")
    if text := given(environ, "JOB_CONFIG"):
        env["BAROGRAPH_CONFIG"] = private(folder / "barograph.toml", text)
    return env


def private(path: Path, text: str) -> str:
    """Write a file that nobody else may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return str(path)


def program(env: Mapping[str, str]) -> list[str]:
    """barograph as it is started: that of the image, unless JOB_BAROGRAPH says otherwise."""
    return env.get("JOB_BAROGRAPH", "barograph").split()


def barograph(env: Mapping[str, str], *words: str) -> tuple[int, Any]:
    """Run a command with --json: its exit code, and what it said, None where that is no JSON. stderr passes through."""
    done = subprocess.run(  # noqa: S603 - the image's own program
        [*program(env), *words, "--json"],
        env=env,
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        return done.returncode, None


def emf(values: Mapping[str, tuple[float, str]], dimensions: Mapping[str, str], now: float) -> str:
    """One line of CloudWatch's embedded metric format; with a dimension, the value counts with it and without."""
    metrics = [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()]
    sets = [list(dimensions), []] if dimensions else [[]]
    about = {"Namespace": "barograph", "Dimensions": sets, "Metrics": metrics}
    head = {"_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": [about]}}
    return json.dumps({**head, **dimensions, **{name: value for name, (value, _) in values.items()}})


def of_run(code: int, report: Any) -> dict[str, tuple[float, str]]:
    """What a run report says in numbers."""
    found: dict[str, tuple[float, str]] = {"run_success": (int(code in RAN), "Count")}
    if not isinstance(report, dict) or "reports" not in report:
        return found
    counts = report["reports"]
    began, ended = (datetime.fromisoformat(report[key]) for key in ("started", "finished"))
    return found | {
        "run_duration_seconds": ((ended - began).total_seconds(), "Seconds"),
        "reports_new": (counts["new"], "Count"),
        "reports_changed": (counts["changed"], "Count"),
        "rows_rejected": (counts["rejected"], "Count"),
        "objects_failed": (sum(item["status"] == "failed" for item in report["objects"]), "Count"),
        "connections_failed": (sum(item["status"] == "failed" for item in report["connections"]), "Count"),
    }


def ages(stations: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, float]:
    """Seconds since the last report of each station that has one."""
    return {
        item["station_id"]: (now - datetime.fromisoformat(item["last"])).total_seconds()
        for item in stations
        if item["last"] is not None
    }


def nightly(environ: Mapping[str, str], words: Sequence[str] = ()) -> int:
    """Run, back up, measure, or do what the words say; the exit code."""
    with tempfile.TemporaryDirectory(prefix="barograph-job-") as folder:
        env = child_environment(environ, Path(folder))
        if words:
            return subprocess.run([*program(env), *words], env=env, check=False).returncode  # noqa: S603 - as above
        code, report = barograph(env, "run")
        say(report)
        backup, manifest = barograph(env, "backup", "create")
        say(manifest)
        numbers = of_run(code, report) | {"backup_success": (int(backup == 0), "Count")}
        print(emf(numbers, {}, time.time()), flush=True)  # noqa: T201 - CloudWatch reads stdout
        measure(env)
        return code if code or not backup else 1


def measure(env: Mapping[str, str]) -> None:
    """Freshness of each station, and how long a day of the freshest takes; what cannot be asked is left out."""
    _, stations = barograph(env, "stations")
    old = ages(stations or [], datetime.now(UTC))
    for station, age in old.items():
        print(emf({"station_freshness_seconds": (age, "Seconds")}, {"station": station}, time.time()))  # noqa: T201
    if old:
        freshest = min(old, key=lambda station: old[station])
        day = next(item["last"] for item in stations if item["station_id"] == freshest)[:10]
        _, timed = barograph(env, "access-time", freshest, day, "--repeat", "20")
        if timed:
            print(emf({"access_time_ms": (timed["median_ms"], "Milliseconds")}, {}, time.time()))  # noqa: T201


def say(document: Any) -> None:
    """A document on one line, so that it is one event in CloudWatch."""
    if document is not None:
        print(json.dumps(document, ensure_ascii=False), flush=True)  # noqa: T201 - the task's log


if __name__ == "__main__":
    sys.exit(nightly(os.environ, sys.argv[1:]))
