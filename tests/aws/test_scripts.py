"""The scripts that run inside of the container, run here: on the program itself, and on a real MongoDB."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pymongo.uri_parser import parse_uri

from barograph.faces.cli.main import root
from deploy.aws.metrics import METRICS, NAMESPACE
from deploy.aws.scripts.make_user import make_user
from deploy.aws.scripts.nightly import ages, child_environment, emf, of_run, store_uri
from tests.support.secure_server import SecureServer

SCRIPT: Final = Path(__file__).resolve().parents[2] / "deploy" / "aws" / "scripts" / "nightly.py"
PLACE: Final = {"DB_HOST": "cluster.example", "DB_PORT": "27017", "DB_NAME": "meteo", "DB_CA_FILE": "/etc/ca.pem"}


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), min_size=1), st.text("p@:/%?#é", min_size=1))
def test_any_user_and_password_survive_the_uri(user: str, password: str) -> None:
    """The driver reads from the URI just what the secret held."""
    uri = store_uri({**PLACE, "DB_USERNAME": user, "DB_PASSWORD": password})
    head, _, rest = uri.removeprefix("mongodb://").rpartition("@")
    said_user, _, said_password = head.partition(":")
    assert (unquote(said_user), unquote(said_password)) == (user, password)
    assert rest == (
        "cluster.example:27017/meteo?tls=true&tlsCAFile=/etc/ca.pem&replicaSet=rs0&authSource=admin"
        "&readPreference=secondaryPreferred&retryWrites=false"
    )


def test_the_driver_takes_the_uri(tmp_path: Path) -> None:
    """pymongo's own parser, with the characters that commonest break one."""
    ca = tmp_path / "ca.pem"
    ca.touch()
    parsed = parse_uri(store_uri({**PLACE, "DB_CA_FILE": str(ca), "DB_USERNAME": "job", "DB_PASSWORD": "a/b@c:d%e"}))
    assert (parsed["username"], parsed["password"], parsed["database"]) == ("job", "a/b@c:d%e", "meteo")


def test_children_get_files_and_no_password(tmp_path: Path) -> None:
    """Neither password nor configuration stands in barograph's environment; both lie in files of mode 600."""
    secret = tmp_path / "given"
    secret.write_text("pass word\n", encoding="utf-8")
    environ = {
        **PLACE,
        "PATH": "/bin",
        "DB_USERNAME": "job",
        "DB_PASSWORD_FILE": str(secret),
        "JOB_CONFIG": "[landing]\n",
        "JOB_VARIABLES": '{"TOKEN": "t"}',
    }
    folder = tmp_path / "made"
    folder.mkdir()
    env = child_environment(environ, folder)
    assert env == {
        "PATH": "/bin",
        "TOKEN": "t",
        "BAROGRAPH_STORE_FILE": str(folder / "store"),
        "BAROGRAPH_CONFIG": str(folder / "barograph.toml"),
    }
    assert "job:pass%20word@" in (folder / "store").read_text(encoding="utf-8")
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}


def test_a_uri_of_ones_own_takes_the_place(tmp_path: Path) -> None:
    """BAROGRAPH_STORE among the variables is what the job uses."""
    variables = json.dumps({"BAROGRAPH_STORE": "sqlite:////srv/x.db"})
    env = child_environment({**PLACE, "JOB_VARIABLES": variables}, tmp_path)
    assert env == {"BAROGRAPH_STORE": "sqlite:////srv/x.db"}


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated network's exports with their configuration."""
    folder = tmp_path_factory.mktemp("feeds")
    made = CliRunner().invoke(root, ["simulate", str(folder), "--stations", "2", "--days", "2", "--seed", "3"])
    assert made.exit_code == 0, made.output
    return folder


def night(feeds: Path, tmp_path: Path, config: str, *words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Start the script as the task does, by its text; its exit code, its lines, and its stderr."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "JOB_BAROGRAPH": f"{sys.executable} -m barograph",
        "JOB_CONFIG": config.replace('url = "', f'url = "{feeds}/'),
        "JOB_VARIABLES": json.dumps({"BAROGRAPH_STORE": f"sqlite:///{tmp_path}/meteo.db"}),
        "BAROGRAPH_DATA_DIR": str(tmp_path / "data"),
        "BAROGRAPH_BACKUPS": str(tmp_path / "backups"),
    }
    text = SCRIPT.read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", text, *words], env=environ, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"], done.stderr


def metrics(lines: list[dict[str, Any]]) -> dict[str, float]:
    """What CloudWatch takes from the lines, by name; of a station the largest."""
    found: dict[str, float] = {}
    for line in lines:
        for about in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert about["Namespace"] == NAMESPACE
            for item in about["Metrics"]:
                found[item["Name"]] = max(line[item["Name"]], found.get(item["Name"], 0))
    return found


def test_a_night_runs_backs_up_and_measures(feeds: Path, tmp_path: Path) -> None:
    """The real program: exit 0, a record, a backup, and every metric of the table with its unit."""
    config = (feeds / "barograph.toml").read_text(encoding="utf-8")
    code, lines, stderr = night(feeds, tmp_path, config)
    assert code == 0, stderr
    assert (tmp_path / "meteo.db").exists()
    assert len(list((tmp_path / "backups").glob("*/manifest.json"))) == 1
    told = metrics(lines)
    assert told.keys() == {metric.name for metric in METRICS}
    assert (told["run_success"], told["backup_success"], told["rows_rejected"]) == (1, 1, 0)
    assert told["reports_new"] > 500
    units = {
        item["Name"]: item["Unit"]
        for line in lines
        for about in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for item in about["Metrics"]
    }
    assert units == {metric.name: metric.unit for metric in METRICS}


def test_a_night_that_fails_says_so(feeds: Path, tmp_path: Path) -> None:
    """A store that cannot be opened: the exit code is the run's, and the metrics say 0, not nothing."""
    (tmp_path / "meteo.db").mkdir()
    config = (feeds / "barograph.toml").read_text(encoding="utf-8")
    code, lines, stderr = night(feeds, tmp_path, config)
    assert code == 1
    assert "error" in stderr
    assert metrics(lines) == {"run_success": 0, "backup_success": 0}


def test_words_are_passed_on(feeds: Path, tmp_path: Path) -> None:
    """With a command, the task runs that in place of the night: how a restore is started by hand."""
    config = (feeds / "barograph.toml").read_text(encoding="utf-8")
    assert night(feeds, tmp_path, config, "run")[0] == 0
    code, lines, _ = night(feeds, tmp_path, config, "backup", "list")
    assert code == 0
    assert metrics(lines) == {}


def test_a_line_of_metrics_is_the_embedded_format() -> None:
    """Timestamp in milliseconds, a set with the dimension and one without, the value beside them."""
    line = json.loads(emf({"m": (1.5, "Seconds")}, {"station": "A"}, 10.0))
    (about,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == 10_000
    assert about["Dimensions"] == [["station"], []]
    assert (line["station"], line["m"]) == ("A", 1.5)


def test_numbers_of_a_run() -> None:
    """Failed connections and objects are counted; a report that is none leaves only the failure."""
    report = {
        "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:01:30Z",
        "reports": {"new": 5, "changed": 1, "rejected": 2},
        "objects": [{"status": "failed"}, {"status": "done"}],
        "connections": [{"status": "failed"}],
    }
    said = {name: value for name, (value, _) in of_run(3, report).items()}
    assert said["run_success"] == 1
    assert said["run_duration_seconds"] == 90
    assert (said["objects_failed"], said["connections_failed"], said["rows_rejected"]) == (1, 1, 2)
    assert of_run(1, None) == {"run_success": (0, "Count")}


def test_a_station_without_reports_has_no_age() -> None:
    """Age counts from the last report; none, none."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    stations: list[dict[str, Any]] = [
        {"station_id": "A", "last": "2026-01-01T00:00:00Z"},
        {"station_id": "B", "last": None},
    ]
    assert ages(stations, now) == {"A": 86_400.0}


def test_the_jobs_user_is_made_and_may_use_one_database_only(secure_server: SecureServer) -> None:
    """On a real MongoDB with passwords: made, changed by a second run, refused in another database."""
    with secure_server.admin() as client:
        assert make_user(client, "meteo_job", "first", "meteo").startswith("createUser")
        assert make_user(client, "meteo_job", "second", "meteo").startswith("updateUser")
        (user,) = client["admin"].command("usersInfo", "meteo_job")["users"]
        assert [(role["role"], role["db"]) for role in user["roles"]] == [("readWrite", "meteo")]
        client["admin"].command("dropUser", "meteo_job")


def test_the_nightly_script_needs_only_the_standard_library() -> None:
    """It is sent as text, so it can import nothing of this project."""
    names = re.findall(r"^(?:from|import) (\w+)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(names) - {"__future__"} <= set(sys.stdlib_module_names)
