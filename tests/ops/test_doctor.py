"""`barograph doctor`: each check made to fail for real, with its cure; all well on the simulated network."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

import pytest

from barograph.ops.doctor import Finding, machine
from barograph.ops.doctor.configuration import readers
from barograph.ops.doctor.mongodb import tls
from barograph.store import open_store
from tests.cli.conftest import call
from tests.support.old_schema import make_version_1, say_version
from tests.support.secure_server import PASSWORD, SecureServer

TOKEN: Final = "s3cr3t-t0ken-of-a-station"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The simulated network in a folder of its own; nothing of this machine's configuration."""
    for name in ("CONFIG", "DATA_DIR", "LANDING", "STORE", "STORE_FILE", "BACKUPS", "ALERT_URL"):
        monkeypatch.delenv(f"BAROGRAPH_{name}", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    assert call("simulate", str(tmp_path / "feeds"), "--days", "1").exit_code == 0
    return tmp_path


def doctor(place: Path, *words: str, code: int) -> dict[str, dict[str, str]]:
    """The findings by name."""
    base = ("--config", str(place / "feeds" / "barograph.toml"), "--data-dir", str(place / "data"))
    result = call(*base, "doctor", "--json", *words)
    assert result.exit_code == code, result.output
    assert TOKEN not in result.output
    assert PASSWORD not in result.output
    return {found["name"]: found for found in json.loads(result.stdout)["findings"]}


def configure(place: Path, text: str) -> None:
    """More for the configuration."""
    path = place / "feeds" / "barograph.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n" + text, encoding="utf-8")


def api(url: str) -> str:
    """A connection to an API, whose token stands in the environment."""
    return (
        '[connections.far]\nsource = "infoclimat-api"\nstations = ["07015"]\nstart = 2024-10-01\n'
        f'token = "${{FAR_TOKEN}}"\nurl = "{url}"\n'
    )


def test_all_is_well(place: Path) -> None:
    """Before and after the first run; nothing is left of the probes, and the text says so, too."""
    first = doctor(place, code=0)
    assert {found["verdict"] for found in first.values()} == {"ok"}
    base = ("--config", str(place / "feeds" / "barograph.toml"), "--data-dir", str(place / "data"))
    assert call(*base, "run").exit_code == 0
    assert "begun and committed" in doctor(place, code=0)["store: writing"]["what"]
    assert not [path for path in (place / "data" / "landing" / "_barograph" / "doctor").rglob("*") if path.is_file()]
    told = call(*base, "doctor").stdout
    assert "all is well" in told.splitlines()[-1]
    assert not any(found["name"].startswith("source of") and found["verdict"] != "ok" for found in first.values())


def test_a_broken_configuration(place: Path) -> None:
    """An unknown key fails with its line; this machine is checked all the same."""
    configure(place, "[landing]\nurll = 'x'\n")
    found = doctor(place, code=1)
    assert found["configuration"]["verdict"] == "failed"
    assert "urll" in found["configuration"]["what"]
    assert found["Python"]["verdict"] == "ok"


def test_a_missing_variable(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is not set fails, and is named with how to set it; one of a connection that is off only warns."""
    monkeypatch.delenv("FAR_TOKEN", raising=False)
    configure(place, api("http://127.0.0.1:9/"))
    found = doctor(place, "--offline", code=1)
    assert found["secrets of far"]["what"] == "FAR_TOKEN is not set"
    assert "export FAR_TOKEN=" in found["secrets of far"]["cure"]
    assert "source of far" not in found
    configure(place, "enabled = false\n")
    assert doctor(place, "--offline", code=3)["secrets of far"]["verdict"] == "warning"


def test_a_secret_that_everybody_can_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the store's URL; it is a warning, and chmod its cure, which helps."""
    path = place / "url"
    path.write_text(f"sqlite:///{place}/other.db\n", encoding="utf-8")
    path.chmod(0o644)
    monkeypatch.setenv("BAROGRAPH_STORE_FILE", str(path))
    found = doctor(place, code=3)["permissions of BAROGRAPH_STORE_FILE"]
    assert (found["verdict"], found["cure"]) == ("warning", f"chmod 600 {path}")
    path.chmod(0o600)
    assert doctor(place, code=0)["permissions of BAROGRAPH_STORE_FILE"]["verdict"] == "ok"
    (gone,) = readers([("[store] url_file", place / "gone")])
    assert gone.verdict == "failed"


def test_sources_that_are_not_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, a refused port, and a connector that is not installed, each with its cure; the token unseen."""
    monkeypatch.setenv("FAR_TOKEN", TOKEN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configure(place, api(f"http://127.0.0.1:{port}/"))
    configure(place, '[connections.lost]\nsource = "infoclimat"\nurl = "lost.json"\n')
    configure(place, '[connections.air]\nsource = "airbyte"\nconnector = "source-faker"\n')
    found = doctor(place, code=1)
    assert "cannot be reached: Connection refused" in found["source of far"]["what"]
    assert "No such file" in found["source of lost"]["what"]
    assert found["source of air"]["cure"] == "barograph connector install source-faker"
    assert found["secrets of far"]["verdict"] == "ok"


@contextmanager
def clock_server(ahead: float, status: int = 200) -> Iterator[str]:
    """A server whose Date is off, and which answers every GET with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate((timestamp or time.time()) + ahead, usegmt=True)

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_wrong_clock(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the Date of a source: some minutes are a warning, an hour fails; a refusal of a bare request is fine."""
    monkeypatch.setenv("FAR_TOKEN", TOKEN)
    with clock_server(3600, 401) as url:
        configure(place, api(url))
        found = doctor(place, code=1)
        assert found["source of far"]["verdict"] == "ok"
        assert found["clock"]["verdict"] == "failed"
        assert "behind the clock of source of far" in found["clock"]["what"]
        assert "NTP" in found["clock"]["cure"]
    (warned,) = machine.clock({"a": -300.0, "b": 5000.0})
    assert (warned.verdict, "300 s ahead of" in warned.what) == ("warning", True)


def test_a_clock_that_is_right(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with the same clock says so; one that answers 500 fails as a source."""
    monkeypatch.setenv("FAR_TOKEN", TOKEN)
    with clock_server(0) as url, clock_server(0, 500) as broken:
        configure(place, api(url))
        configure(place, f'[connections.bad]\nsource = "infoclimat"\nurl = "{broken}"\n')
        found = doctor(place, code=1)
    assert found["clock"]["verdict"] == "ok"
    assert "answered 500" in found["source of bad"]["what"]


def test_places_on_s3(place: Path, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket is listed, written and its clock seen; one that does not exist fails, within bounds."""
    monkeypatch.setenv("BAROGRAPH_LANDING", f"s3://{s3_bucket}/zone")
    monkeypatch.setenv("BAROGRAPH_BACKUPS", "s3://no-such-bucket-anywhere")
    found = doctor(place, code=1)
    assert found["landing zone"]["verdict"] == "ok"
    assert found["clock"]["verdict"] == "ok"
    assert "does not exist" in found["backups"]["what"]
    assert "landing zone" not in doctor(place, "--offline", code=0)


def test_a_place_that_is_not_mounted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder outside of the data folder that is not there is a warning, and is not made."""
    gone = place / "mnt" / "backups"
    monkeypatch.setenv("BAROGRAPH_BACKUPS", str(gone))
    assert doctor(place, code=3)["backups"]["cure"] == f"mount it, or mkdir -p {gone}"
    assert not gone.exists()


def as_nobody(folder: Path, outcome: multiprocessing.Queue[list[Finding]]) -> None:
    """Look at folders as a user who may not write there."""
    if os.geteuid() == 0:
        os.setuid(65534)
    outcome.put([machine.folder("data folder", folder / "inner", "more space")])


def test_a_folder_that_may_not_be_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The data folder of another user fails."""
    folder = tmp_path_factory.mktemp("others")
    for path in folder.parents:
        if path == Path(tempfile.gettempdir()):
            break
        path.chmod(0o755)
    folder.chmod(0o555)
    context = multiprocessing.get_context("spawn")
    outcome: multiprocessing.Queue[list[Finding]] = context.Queue()
    process = context.Process(target=as_nobody, args=(folder, outcome))
    process.start()
    (found,) = outcome.get(timeout=60)
    process.join()
    folder.chmod(0o755)
    assert (found.verdict, "cannot be written" in found.what) == ("failed", True)


def test_an_old_and_a_newer_schema(place: Path) -> None:
    """An older one fails with `migrate` as its cure, which helps; a newer one with an upgrade."""
    url = f"sqlite:///{place / 'data' / 'meteo.db'}"
    (place / "data").mkdir()
    open_store(url).close()
    make_version_1(url)
    assert "barograph migrate" in doctor(place, code=1)["schema"]["cure"]
    base = ("--config", str(place / "feeds" / "barograph.toml"), "--data-dir", str(place / "data"))
    assert call(*base, "migrate").exit_code == 0
    assert doctor(place, code=0)["schema"]["verdict"] == "ok"
    say_version(url, 99)
    assert "newer" in str(doctor(place, code=1)) or "99" in str(doctor(place, code=1))


def test_a_file_that_is_no_store(place: Path) -> None:
    """Another file in its place fails."""
    (place / "data").mkdir()
    (place / "data" / "meteo.db").write_bytes(b"not a database" * 1000)
    assert "not a SQLite database" in doctor(place, code=1)["store"]["what"]


def test_mongodb(place: Path, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica set: version, majority write, members and oplog are well, and the probe is gone."""
    monkeypatch.setenv("BAROGRAPH_STORE", mongo_url)
    with closing(open_store(mongo_url)) as store:
        store.migrate()
    found = doctor(place, code=0)
    assert "removed" in found["MongoDB: writing"]["what"]
    assert found["MongoDB: replica set"]["what"].startswith("healthy")
    assert "MongoDB: oplog" in found
    assert found["MongoDB: TLS"]["verdict"] == "ok"
    assert not any(name.startswith("MongoDB") for name in doctor(place, "--offline", code=0))


def test_mongodb_that_does_not_answer(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: the store fails, with its cure, and the password is not shown."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("BAROGRAPH_STORE", f"mongodb://me:{quote_plus(PASSWORD)}@127.0.0.1:{port}/meteo")
    found = doctor(place, code=1)
    assert found["store"]["verdict"] == "failed"
    assert "replica status" in found["store"]["cure"]


def test_mongodb_rights(place: Path, secure_server: SecureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may only read: writing fails, and no secret is shown."""
    with closing(open_store(secure_server.uri("root", "checked"))) as store:
        store.migrate()
    secure_server.add_user("looker", ("read", "checked"))
    monkeypatch.setenv("BAROGRAPH_STORE", secure_server.uri("looker", "checked"))
    found = doctor(place, code=1)
    assert found["MongoDB: writing"]["verdict"] == "failed"
    assert found["MongoDB: TLS"]["what"] == "the connection is encrypted"


def test_mongodb_in_the_clear() -> None:
    """A server elsewhere without TLS is a warning."""
    found = tls("mongodb://me:pw@db1.example.org,127.0.0.1/meteo")
    assert (found.verdict, "pw" in found.what) == ("warning", False)


def test_systemd_and_ntp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system's programs say: a timer that is not enabled and a clock that nobody keeps are warnings.

    They are scripts here: tests run without a systemd.
    """
    for name, told in (("systemctl", "LoadState=loaded\nActiveState=inactive"), ("timedatectl", "no")):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\necho '{told}'\n", encoding="utf-8")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (timer,) = machine.timers()
    assert (timer.verdict, timer.cure) == ("warning", "systemctl enable --now barograph-run.timer")
    (kept,) = machine.ntp()
    assert kept.verdict == "warning"
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert shutil.which("systemctl") is None
    assert [*machine.timers(), *machine.ntp()] == []
