"""The rights of the nightly task and of the drill, held against every request that they really send to S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from click.testing import CliRunner

from barograph.faces.cli.main import root
from tests.aws.stacks import Stack, as_list
from tests.support.s3_server import S3Server

pytestmark = pytest.mark.timeout(300)
SCRIPT: Final = Path(__file__).resolve().parents[2] / "deploy" / "aws" / "scripts" / "nightly.py"
Environ = dict[str, str]
BUCKETS: Final = {"Landing": "aws-landing", "Backups": "aws-backups"}


@pytest.fixture
def recorded(s3_server: S3Server) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """An endpoint that passes everything on to the S3 server, and the list of what it passed on."""
    seen: list[tuple[str, str]] = []

    class PassOn(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            seen.append((self.command, self.path))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = HTTPConnection("127.0.0.1", s3_server.port, timeout=60)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), PassOn)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked_for(method: str, path: str) -> tuple[str, str, str]:
    """The action that S3 asks for, the bucket, and the key, or the prefix of a listing."""
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    if not key:
        assert method == "GET", (method, path)
        return "s3:ListBucket", bucket, query.get("prefix", [""])[0]
    action = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "POST": "s3:PutObject"}
    if method == "DELETE":
        return ("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"), bucket, key
    return action[method], bucket, key


def allowed(rights: dict[str, dict[str, Any]], action: str, bucket: str, name: str) -> bool:
    """Whether a statement of the policy allows it."""
    kind = next(kind for kind, called in BUCKETS.items() if called == bucket)
    if action == "s3:ListBucket":
        patterns = rights[f"{kind}List"]["Condition"]["StringLike"]["s3:prefix"]
        return any(fnmatchcase(name, pattern) for pattern in patterns)
    return any(
        action in as_list(rights[sid]["Action"])
        and fnmatchcase(name, rights[sid]["Resource"]["Fn::Join"][1][1].removeprefix("/"))
        for sid in (f"{kind}Objects", "DrillNote")
        if sid in rights
    )


def start(environ: dict[str, str], place: Path, *words: str) -> None:
    """The script with these words, as the task has it."""
    task = [sys.executable, "-c", SCRIPT.read_text(encoding="utf-8"), *words]
    done = subprocess.run(task, env=environ, capture_output=True, text=True, check=False, cwd=place, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def environ(recorded: tuple[str, list[tuple[str, str]]], s3_server: S3Server, small: Stack, tmp_path: Path) -> Environ:
    """What a task is told, with buckets of its own."""
    endpoint, _ = recorded
    for bucket in BUCKETS.values():
        s3_server.create_bucket(bucket)
    feeds = tmp_path / "feeds"
    made = CliRunner().invoke(root, ["simulate", str(feeds), "--stations", "2", "--days", "2", "--seed", "3"])
    assert made.exit_code == 0, made.output
    text = (feeds / "barograph.toml").read_text(encoding="utf-8")
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        **s3_server.environment,
        "AWS_ENDPOINT_URL": endpoint,
        "JOB_BAROGRAPH": f"{sys.executable} -m barograph",
        "JOB_CONFIG": text.replace('url = "', f'url = "{feeds}/'),
        "JOB_VARIABLES": json.dumps({"BAROGRAPH_STORE": f"sqlite:///{tmp_path}/meteo.db"}),
        "BAROGRAPH_DATA_DIR": str(tmp_path / "data"),
        "BAROGRAPH_LANDING": f"s3://{BUCKETS['Landing']}",
        "BAROGRAPH_BACKUPS": f"s3://{BUCKETS['Backups']}/{small.settings.backups_prefix}",
    }


def test_tasks_ask_for_nothing_that_their_roles_may_not(
    small: Stack, environ: Environ, recorded: tuple[str, list[tuple[str, str]]], tmp_path: Path
) -> None:
    """Two nights with backups, and what looks at them; then two drills: each request is allowed, no right in vain."""
    _, seen = recorded
    for words in ([], [], ["backup", "verify"], ["backup", "list"], ["verify"]):
        start(environ, tmp_path, *words)
    rights = small.statements("NightlyRolePolicy")
    asked = {asked_for(method, path) for method, path in seen}
    assert sorted(item for item in asked if not allowed(rights, *item)) == []
    used = {(action, bucket) for action, bucket, _ in asked}
    assert used == {
        (action, bucket) for action in ("s3:ListBucket", "s3:GetObject", "s3:PutObject") for bucket in BUCKETS.values()
    }
    seen.clear()
    start(environ, tmp_path, "backup", "drill", "--scratch", f"sqlite:///{tmp_path}/drill.db")
    start(environ, tmp_path, "backup", "drill", "--scratch", f"sqlite:///{tmp_path}/drill.db")
    rights = small.statements("DrillRolePolicy")
    asked = {asked_for(method, path) for method, path in seen}
    assert sorted(item for item in asked if not allowed(rights, *item)) == []
    written = [name for action, _, name in asked if action == "s3:PutObject"]
    assert [name.rpartition("/")[2] for name in written] == ["drill.json"]
    assert {bucket for _, bucket, _ in asked} == {BUCKETS["Backups"]}
    assert not allowed(rights, "s3:PutObject", BUCKETS["Backups"], written[0].replace("drill", "manifest"))
