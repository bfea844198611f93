"""The job inside of the container: store URI and configuration from secrets; run, backup, metrics, or a given command.

The text of this module is the task's command (`python3 -c`), so it imports nothing but the standard library and, where
it is started, runs the barograph of the image. A value is read from the variable NAME, or from the file that NAME_FILE
names (systemd credentials on the EC2 instance).

| variable | holds |
| --- | --- |
| DB_USERNAME, DB_PASSWORD | of the job's own database user, from its secret |
| DB_HOST, DB_PORT, DB_NAME, DB_CA_FILE | of the cluster |
| JOB_CONFIG | the text of barograph.toml |
| JOB_VARIABLES | JSON: variables that barograph.toml refers to; BAROGRAPH_STORE in it takes the place of DB_* |
| JOB_HOURS | after which a command is ended; without it none is |

Exits with what `barograph run` said; where that was 0, with what the backup said, then the metrics. With words, it runs
barograph with these instead, in the same environment: `backup verify`, `backup restore --force`, `rebuild --yes`; after
`backup drill` the metrics are taken again. A command that takes too long gets SIGTERM, and counts as 124.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

PLACE = ("DB_HOST", "DB_PORT", "DB_NAME", "DB_CA_FILE")
GIVEN = ("DB_USERNAME", "DB_PASSWORD", *PLACE, "JOB_CONFIG", "JOB_VARIABLES", "JOB_HOURS")
TOO_LONG = 124
STOPPED = 143
GRACE = 90.0
"""Seconds in which a command that is ended keeps what it has; ECS gives the whole task 120."""


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


class Commands:
    """Runs barograph, one command after the other; SIGTERM ends the one at work, and the next do not begin."""

    def __init__(self, env: Mapping[str, str], hours: str = "") -> None:
        self.env = env
        self.seconds = float(hours) * 3600 if hours else None
        self.child: subprocess.Popen[str] | None = None
        self.stopped = threading.Event()

    def stop(self, *_: object) -> None:
        """End the command at work, and begin no other."""
        self.stopped.set()
        if self.child is not None:
            self.child.terminate()

    def run(self, *words: str, document: bool = False) -> int:
        """Run a command; its exit code. A `document` is what it says as JSON: one line of the log."""
        if self.stopped.is_set():
            return STOPPED
        pipe = subprocess.PIPE if document else None
        command = [*program(self.env), *words, *(["--json"] if document else [])]
        child = subprocess.Popen(command, env=self.env, stdout=pipe, text=True)  # noqa: S603 - the image's own program
        self.child = child
        if self.stopped.is_set():
            child.terminate()
        late = threading.Event()
        watch = None if self.seconds is None else threading.Timer(self.seconds, end, (child, late))
        if watch is not None:
            watch.start()
        said, _ = child.communicate()
        if watch is not None:
            watch.cancel()
        self.child = None
        if said:
            print(one_line(said), flush=True)  # noqa: T201 - the task's log
        if late.is_set():
            print(f"{' '.join(words)}: ended, it took too long", file=sys.stderr, flush=True)  # noqa: T201
            return TOO_LONG
        return child.returncode


def end(child: subprocess.Popen[str], late: threading.Event) -> None:
    """End a command that takes too long: as SIGTERM does, then for good."""
    late.set()
    child.terminate()
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()


def one_line(said: str) -> str:
    """A document on one line, so that it is one event in CloudWatch; what is none, as it is."""
    try:
        return json.dumps(json.loads(said), ensure_ascii=False)
    except json.JSONDecodeError:
        return said.rstrip("\n")


def nightly(environ: Mapping[str, str], words: Sequence[str] = ()) -> int:
    """Run, back up, measure, or do what the words say; the exit code."""
    with tempfile.TemporaryDirectory(prefix="barograph-job-") as folder:
        commands = Commands(child_environment(environ, Path(folder)), given(environ, "JOB_HOURS"))
        signal.signal(signal.SIGTERM, commands.stop)
        if words:
            codes = [commands.run(*words)]
        else:
            codes = [commands.run("run", document=True), commands.run("backup", "create", document=True)]
        if not words or tuple(words[:2]) == ("backup", "drill"):
            codes.append(commands.run("metrics", "--emf"))
        return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(nightly(os.environ, sys.argv[1:]))
