"""The scripts that run inside of the container, run here: on the program itself, and on a real MongoDB."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from barograph.faces.cli.main import root
from deploy.aws.metrics import DRILL_AGE, WATCHED
from deploy.aws.scripts import make_user as make_user_script
from deploy.aws.scripts.make_user import make_user
from deploy.aws.scripts.nightly import STOPPED, TOO_LONG, child_environment, store_uri
from tests.support import emf
from tests.support.secure_server import PASSWORD, SecureServer

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


Told = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""What CloudWatch takes from a log: values by metric and dimensions."""


def night(feeds: Path, tmp_path: Path, *words: str, store: str = "", **environ: str) -> tuple[int, list[str], str]:
    """Start the script as the task does, by its text; its exit code, its lines, and its stderr."""
    config = (feeds / "barograph.toml").read_text(encoding="utf-8")
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "JOB_BAROGRAPH": f"{sys.executable} -m barograph",
        "JOB_CONFIG": config.replace('url = "', f'url = "{feeds}/'),
        "JOB_VARIABLES": json.dumps({"BAROGRAPH_STORE": store or f"sqlite:///{tmp_path}/meteo.db"}),
        "JOB_HOURS": "1",
        "BAROGRAPH_DATA_DIR": str(tmp_path / "data"),
        "BAROGRAPH_BACKUPS": str(tmp_path / "backups"),
        **environ,
    }
    text = SCRIPT.read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", text, *words],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=240,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def told(lines: list[str]) -> Told:
    """What CloudWatch takes from the lines, each held against the format's rules."""
    return {(one.name, one.dimensions): one.value for one in emf.read(lines, time.time() * 1000)}


def test_a_night_runs_backs_up_and_measures(feeds: Path, tmp_path: Path) -> None:
    """The real program: exit 0, a record, a backup, and every series that is watched, but the drill's."""
    code, lines, stderr = night(feeds, tmp_path)
    assert code == 0, stderr
    assert (tmp_path / "meteo.db").exists()
    assert len(list((tmp_path / "backups").glob("*/manifest.json"))) == 1
    found = told(lines)
    assert {(watched.name, watched.dimensions) for watched in WATCHED} - found.keys() == {(DRILL_AGE.name, ())}
    assert 0 <= found["barograph_run_last_success_age_hours", (("command", "run"),)] < 1
    assert 0 <= found["barograph_backup_last_success_age_hours", ()] < 1
    assert found["barograph_run_reports", (("fate", "new"),)] > 500
    assert found["barograph_run_reports", (("fate", "rejected"),)] == found["barograph_failed_objects", ()] == 0
    documents = [json.loads(line) for line in lines if line.startswith("{")]
    assert [next(iter(one)) for one in documents[:2]] != ["_aws", "_aws"], "the reports of run and backup, a line each"
    assert {"run_id", "backup_id"} <= {key for one in documents for key in one}


def test_a_night_that_fails_says_so(feeds: Path, tmp_path: Path) -> None:
    """A store that cannot be opened: the exit code is the run's, and there is no age of a success that was none."""
    (tmp_path / "meteo.db").mkdir()
    code, lines, stderr = night(feeds, tmp_path)
    assert code == 1
    assert "error" in stderr
    found = told(lines)
    assert found["barograph_up", ()] == 0
    assert not [
        name for name, _ in found if name.startswith(("barograph_run", "barograph_backup", "barograph_station"))
    ]


def test_words_are_passed_on(feeds: Path, tmp_path: Path) -> None:
    """With a command, the task runs that in place of the night: how a restore is started by hand."""
    assert night(feeds, tmp_path, "run")[0] == 0
    code, lines, _ = night(feeds, tmp_path, "backup", "list")
    assert code == 0
    assert told(lines) == {}


def test_a_configuration_that_prints_metrics_itself_loses_nothing(feeds: Path, tmp_path: Path) -> None:
    """`[metrics] emf = true` adds lines to what `run` says: then it is no JSON any more, and is passed on as it is."""
    own = tmp_path / "own"
    own.mkdir()
    text = (feeds / "barograph.toml").read_text(encoding="utf-8").replace('url = "', f'url = "{feeds}/')
    (own / "barograph.toml").write_text(text + "\n[metrics]\nemf = true\n", encoding="utf-8")
    code, lines, stderr = night(own, tmp_path, JOB_CONFIG=(own / "barograph.toml").read_text(encoding="utf-8"))
    assert code == 0, stderr
    assert any('"run_id"' in line for line in lines)
    assert len([line for line in lines if "barograph_run_result" in line]) == 2


def test_a_night_and_a_drill_with_the_users_of_the_stack(
    feeds: Path, tmp_path: Path, secure_server: SecureServer
) -> None:
    """On a real MongoDB with passwords: the job's writes its database; the drill's reads it, and that is enough."""
    with secure_server.admin() as client:
        for name, role in (("meteo_job", "readWrite"), ("meteo_drill", "read")):
            assert make_user(client, name, "first", role, "awsmeteo").startswith("createUser")
            assert make_user(client, name, PASSWORD, role, "awsmeteo").startswith("updateUser")
            (user,) = client["admin"].command("usersInfo", name)["users"]
            assert [(one["role"], one["db"]) for one in user["roles"]] == [(role, "awsmeteo")]
    job, drill = (secure_server.uri(name, "awsmeteo", retryWrites="false") for name in ("meteo_job", "meteo_drill"))
    try:
        code, _, stderr = night(feeds, tmp_path, store=job)
        assert code == 0, stderr
        scratch = f"sqlite:///{tmp_path}/drill.db"
        code, lines, stderr = night(feeds, tmp_path, "backup", "drill", "--scratch", scratch, store=drill)
        assert code == 0, stderr
        assert 0 <= told(lines)[DRILL_AGE.name, ()] < 1
        (note,) = (tmp_path / "backups").glob("*/drill.json")
        assert json.loads(note.read_text(encoding="utf-8"))["ok"] is True
        code, _, stderr = night(feeds, tmp_path, "rebuild", "--yes", store=drill)
        assert code == 1, "the drill's user writes nothing"
        assert "not authorized" in stderr, stderr
    finally:
        with secure_server.admin() as client:
            client["awsmeteo"].command("dropDatabase")
            for name in ("meteo_job", "meteo_drill"):
                client["admin"].command("dropUser", name)


def test_the_task_user_makes_both(secure_server: SecureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """From what ECS shows it: the job's user and the drill's, each with its role on the one database.

    The set of the tests has another name than DocumentDB's, so the connection is theirs; what was asked for is seen.
    """
    asked: dict[str, Any] = {}

    def connect(*place: object, **options: object) -> MongoClient[dict[str, Any]]:
        asked.update(options, place=place)
        return secure_server.admin()

    monkeypatch.setattr(make_user_script, "MongoClient", connect)
    users = {"DB_USERNAME": "one", "DB_PASSWORD": "first", "DRILL_USERNAME": "two", "DRILL_PASSWORD": "second"}
    master = {"MASTER_USERNAME": "master", "MASTER_PASSWORD": "m"}
    assert make_user_script.main({**PLACE, **users, **master}) == 0
    assert asked["place"] == ("cluster.example", 27017)
    assert (asked["username"], asked["tls"], asked["tlsCAFile"]) == ("master", True, "/etc/ca.pem")
    with secure_server.admin() as client:
        for name, role in (("one", "readWrite"), ("two", "read")):
            (user,) = client["admin"].command("usersInfo", name)["users"]
            assert [(each["role"], each["db"]) for each in user["roles"]] == [(role, "meteo")]
            client["admin"].command("dropUser", name)


def test_a_drill_that_fails_fails(feeds: Path, tmp_path: Path) -> None:
    """A damaged backup: the task ends with 1, and no drill has an age."""
    assert night(feeds, tmp_path)[0] == 0
    (part,) = (tmp_path / "backups").glob("*/reports-00000.bson.zst")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    code, lines, stderr = night(feeds, tmp_path, "backup", "drill", "--scratch", f"sqlite:///{tmp_path}/drill.db")
    assert code == 1, stderr
    assert (DRILL_AGE.name, ()) not in told(lines)


STUB: Final = """
import pathlib, signal, sys, time
place = pathlib.Path(__file__).parent
with (place / "began").open("a") as began:
    began.write(f"{sys.argv[1]}\\n")
def end(*_):
    (place / "ended").touch()
    sys.exit(5)
signal.signal(signal.SIGTERM, end)
if sys.argv[1] == "run":
    (place / "ready").touch()
    time.sleep(120)
"""


@pytest.fixture
def hanging(tmp_path: Path) -> dict[str, str]:
    """The environment of a task whose `run` hangs until SIGTERM."""
    (tmp_path / "stub.py").write_text(STUB, encoding="utf-8")
    return {"PATH": os.environ["PATH"], "JOB_BAROGRAPH": f"{sys.executable} {tmp_path / 'stub.py'}"}


def test_a_command_that_hangs_is_ended_and_the_night_goes_on(hanging: dict[str, str], tmp_path: Path) -> None:
    """After its time it gets SIGTERM; backup and metrics still follow, and the task does not end well."""
    hanging["JOB_HOURS"] = str(5 / 3600)
    done = subprocess.run(
        [sys.executable, SCRIPT], env=hanging, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == TOO_LONG, done.stderr
    assert "run: ended, it took too long" in done.stderr
    assert (tmp_path / "ended").exists(), "it could put its things in order"
    assert (tmp_path / "began").read_text(encoding="utf-8").split() == ["run", "backup", "metrics"]


def test_a_task_that_is_stopped_ends_its_command(hanging: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM, as ECS sends it, reaches the command at work; no other one begins."""
    with subprocess.Popen([sys.executable, SCRIPT], env=hanging, stderr=subprocess.PIPE, text=True) as task:
        deadline = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        task.send_signal(signal.SIGTERM)
        task.communicate(timeout=60)
    assert task.returncode == 5
    assert (tmp_path / "began").read_text(encoding="utf-8").split() == ["run"]
    assert STOPPED == 128 + signal.SIGTERM


def test_the_nightly_script_needs_only_the_standard_library() -> None:
    """It is sent as text, so it can import nothing of this project."""
    names = re.findall(r"^(?:from|import) (\w+)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(names) - {"__future__"} <= set(sys.stdlib_module_names)
