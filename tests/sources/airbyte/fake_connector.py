# ruff: noqa: T201 - a connector speaks on stdout
"""A connector that behaves as its configuration asks, well or badly; it needs nothing but Python.

`mode` of the configuration names a function below. Every process writes its id into the file that `pids` names.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

LONG = 600
"""Seconds that a process which hangs would live if nobody ended it."""

STREAMS: list[dict[str, Any]] = [
    {"name": "users", "json_schema": {"properties": {"id": {}, "v": {}}},
     "supported_sync_modes": ["full_refresh", "incremental"], "source_defined_cursor": True},
    {"name": "days", "json_schema": {"properties": {"id": {}}}, "supported_sync_modes": ["full_refresh"]},
]  # fmt: skip


def say(kind: str, **body: Any) -> None:
    """One message."""
    sys.stdout.write(json.dumps({"type": kind, **body}) + "\n")
    sys.stdout.flush()


def record(number: int, stream: str = "users", **more: Any) -> None:
    say("RECORD", record={"stream": stream, "data": {"v": None, "id": number, **more}, "emitted_at": 1})


def state(at: int, count: int | None = None, stream: str = "users") -> None:
    body: dict[str, Any] = {
        "type": "STREAM",
        "stream": {"stream_descriptor": {"name": stream}, "stream_state": {"at": at}},
    }
    if count is not None:
        body["sourceStats"] = {"recordCount": float(count)}
    say("STATE", state=body)


def status(what: str, *streams: str) -> None:
    for stream in streams:
        descriptor = {"name": stream, "namespace": None}
        say(
            "TRACE", trace={"type": "STREAM_STATUS", "stream_status": {"stream_descriptor": descriptor, "status": what}}
        )


def trace_error(message: str, failure_type: str) -> None:
    error = {"message": message, "failure_type": failure_type, "internal_message": "deep inside"}
    say("TRACE", trace={"type": "ERROR", "emitted_at": 1, "error": error})


class Fake:
    """One `read`."""

    def __init__(self, config: dict[str, Any], names: list[str], at: int) -> None:
        self.config, self.names, self.at = config, names, at
        self.until = int(config.get("until", 6))

    def good(self) -> None:
        """Records after the state up to `until`, a state after every second one."""
        status("STARTED", *self.names)
        status("RUNNING", *self.names)
        if "users" in self.names:
            since = 0
            for number in range(self.at + 1, self.until + 1):
                record(number)
                since += 1
                if number % 2 == 0:
                    state(number, since)
                    since = 0
            state(max(self.until, self.at), since)
        if "days" in self.names:
            record(100, "days")
            state(1, 1, "days")
        status("COMPLETE", *self.names)

    def slow(self) -> None:
        """A state for each record but the last, behind which it hangs."""
        status("STARTED", *self.names)
        for number in range(self.at + 1, self.until):
            record(number)
            state(number, 1)
        record(self.until)
        self.note("slow")
        time.sleep(LONG)

    def crash(self) -> None:
        status("STARTED", "users")
        for number in (1, 2):
            record(number)
        state(2, 2)
        record(3)
        sys.stdout.write('{"type": "RECORD", "record": {"stream": "us')
        sys.stdout.flush()
        sys.stderr.write("Segmentation fault, almost\n")
        sys.stderr.flush()
        os._exit(3)

    def killed(self) -> None:
        record(1)
        os.kill(os.getpid(), signal.SIGKILL)

    def damaged(self) -> None:
        record(1)
        state(1, 1)
        sys.stdout.write('{"type": "RECORD", "record": {"stream": "users", "data": {"id": 2\n')
        sys.stdout.flush()
        record(3)
        status("COMPLETE", "users")

    def garbage(self) -> None:
        print("Downloading: 10%")
        print('{"not": "a message"}')
        print("[1, 2]")
        sys.stdout.flush()
        sys.stdout.buffer.write(b"\xff\xfe\x00 no text at all\n\n")
        print("\x1b[31mred\x1b[0m", flush=True)
        say("WEATHER", weather="fine")
        self.good()

    def huge(self) -> None:
        status("STARTED", "users")
        record(1)
        state(1, 1)
        sys.stdout.write('{"type": "RECORD", "record": {"stream": "users", "data": {"id": 2, "v": "')
        for _ in range(64):
            sys.stdout.write("x" * 1024 * 1024)
        sys.stdout.write('"}}}\n')

    def hang(self) -> None:
        record(1)
        state(1, 1)
        record(2)
        while True:
            # A sign of life on stderr, or text, is no message.
            print("still here", flush=True)
            time.sleep(0.1)

    def closed(self) -> None:
        """Closes its output and does not end."""
        self.good()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        time.sleep(LONG)

    def exit(self) -> None:
        self.good()
        sys.exit(4)

    def early_state(self) -> None:
        """A state that speaks of records which come after it, and says so."""
        state(3, 3)
        self.die_after_records()

    def early_silent_state(self) -> None:
        """Likewise, without counting them, as connectors of the first years do."""
        state(3)
        self.die_after_records()

    def early_then_good(self) -> None:
        state(3)
        for number in (1, 2, 3):
            record(number)

    def die_after_records(self) -> None:
        for number in (1, 2):
            record(number)
        os._exit(1)

    def flood(self) -> None:
        """Far more on stderr than a pipe holds, and logs beside it."""
        for number in range(20_000):
            sys.stderr.write(f"warning {number} {'y' * 100}\n")
        sys.stderr.write("z" * 3_000_000 + "\n")
        sys.stderr.flush()
        for number in range(5_000):
            say("LOG", log={"level": "INFO", "message": f"line {number}"})
        say("LOG", log={"level": "FATAL", "message": "it burns", "stack_trace": "in the cellar"})
        self.good()

    def trace(self) -> None:
        record(1)
        state(1, 1)
        trace_error(f"login with {self.config.get('password')} failed", self.config["failure_type"])
        sys.exit(int(self.config.get("code", 1)))

    def incomplete(self) -> None:
        status("STARTED", "users")
        record(1)
        state(1, 1)
        status("INCOMPLETE", "users")

    def deaf(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.hang()

    def family(self) -> None:
        """A grandchild in a session of its own, which ignores SIGTERM and keeps the output open."""
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self.note_pid()
            self.note("family")
            time.sleep(LONG)
            os._exit(0)
        while not self.noted("family"):
            time.sleep(0.01)
        if self.config.get("hang"):
            self.hang()
        self.good()

    def stranger(self) -> None:
        record(1)
        state(1, 1)
        record(2, "strangers")

    def old(self) -> None:
        """No statuses, no counts, one state for everything."""
        record(self.at + 1)
        say("STATE", state={"data": {"at": self.at + 1}})

    def python_json(self) -> None:
        """What json.dumps writes and JSON does not know."""
        record(1, v=float("nan"), w=1e400, x="\ud800", y=2**70)
        status("COMPLETE", "users")

    def secrets(self) -> None:
        """Everything that it knows, in every place where one may say something."""
        secret = self.config["password"]
        say("LOG", log={"level": "INFO", "message": f"config is {json.dumps(self.config)}"})
        say("LOG", log={"level": "ERROR", "message": "x" * 1990 + secret, "stack_trace": f"at {secret}"})
        print(f"plain {secret} and {self.config['service']}", file=sys.stderr, flush=True)
        print(f"text {secret}", flush=True)
        say("LOG", log={"level": "INFO", "message": "environment " + " ".join(os.environ)})
        trace_error(f"{secret} is wrong", "config_error")

    def note(self, what: str) -> None:
        Path(self.config["pids"] + what).touch()

    def noted(self, what: str) -> bool:
        return Path(self.config["pids"] + what).exists()

    def note_pid(self) -> None:
        note_pid(self.config)


def note_pid(config: dict[str, Any]) -> None:
    if "pids" in config:
        with Path(config["pids"]).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {os.environ['TMPDIR']}\n")


def position(path: str | None) -> int:
    """Where the last read ended."""
    if path is None:
        return 0
    body: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    if isinstance(body, dict):
        return int(body["at"])
    return max(int(one["stream"]["stream_state"]["at"]) for one in body)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["spec", "check", "discover", "read"])
    for option in ("config", "catalog", "state"):
        parser.add_argument(f"--{option}")
    given = parser.parse_args()
    if given.command == "spec":
        secret = {"type": "string", "airbyte_secret": True, "description": "what nobody may know"}
        properties = {"mode": {"type": "string", "default": "good"}, "password": secret}
        schema = {"type": "object", "required": ["mode"], "properties": properties}
        say("SPEC", spec={"connectionSpecification": schema})
        return
    config = json.loads(Path(given.config).read_text(encoding="utf-8"))
    mode = str(config.get("mode", "good"))
    if given.command == "check":
        failed = {"status": "FAILED", "message": f"no access with {config.get('password')}"}
        say("CONNECTION_STATUS", connectionStatus=failed if mode == "refuse" else {"status": "SUCCEEDED"})
        return
    note_pid(config)
    if given.command == "discover":
        while mode == "babble":
            print("I am thinking", flush=True)
            time.sleep(0.1)
        if mode == "undiscovered":
            trace_error("the server is closed", "transient_error")
            sys.exit(1)
        say("CATALOG", catalog={"streams": [s for s in STREAMS if s["name"] in config.get("has", ["users"])]})
        return
    if given.catalog is None:
        parser.error("the following arguments are required: --catalog")
    catalog = json.loads(Path(given.catalog).read_text(encoding="utf-8"))
    names = [entry["stream"]["name"] for entry in catalog["streams"]]
    getattr(Fake(config, names, position(given.state)), mode)()


if __name__ == "__main__":
    main()
