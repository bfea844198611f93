"""A job over an embedded store whose one connection runs a connector, and what is left when it has."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from barograph.config import Connection, Limits, Settings
from barograph.landing import open_landing, open_object
from barograph.landing.manifest import newest_manifest
from barograph.model import SyncReport
from barograph.pipeline import Job, sync
from barograph.store import open_store
from barograph.store.base import LogQuery

FAKE = Path(__file__).with_name("fake_connector.py")
SECRET = 'p4"ss\\wörd/of the\nstation'


@dataclass
class Lab:
    """One connection, `c`, to the fake connector."""

    folder: Path
    job: Job

    def connection(self, mode: str = "good", *, options: dict[str, Any] | None = None, **config: Any) -> Connection:
        """The connection with a mode of the fake."""
        body = {"mode": mode, "pids": str(self.folder / "pids"), **config}
        return Connection(
            "c",
            "airbyte",
            "connector:",
            "s",
            options={"connector": str(self.folder / "fake"), "config": body, "idle_timeout": 60.0, **(options or {})},
            environ={"PASSWORD": SECRET, "SERVICE": json.dumps({"private_key": "-----KEY-----\nabcdefgh"})},
        )

    def sync(self, mode: str = "good", *, options: dict[str, Any] | None = None, **config: Any) -> SyncReport:
        """Sync it; nothing of the connector may be left behind."""
        (report,) = self.run(self.connection(mode, options=options, **config))
        assert self.left() == []
        return report

    def run(self, connection: Connection) -> tuple[SyncReport, ...]:
        settings = replace(self.job.settings, connections={"c": connection})
        return sync(replace(self.job, settings=settings)).connections

    def landed(self, stream: str = "s") -> list[dict[str, Any]]:
        """The records in the landing zone, oldest first."""
        found: list[dict[str, Any]] = []
        for item in self.job.zone.objects():
            if item.stream == stream:
                text = b"".join(open_object(self.job.zone, item, limit_mib=10))
                found += [json.loads(line)["_airbyte_data"] for line in text.splitlines()]
        return found

    def ids(self, stream: str = "s") -> list[int]:
        return [record["id"] for record in self.landed(stream)]

    def at(self, stream: str = "s") -> int | None:
        """What the landed state of a stream says."""
        manifest = newest_manifest(self.job.zone, stream)
        if manifest is None or manifest.state is None:
            return None
        state: dict[str, Any] = manifest.state
        return int(state["data"]["at"] if "data" in state else state["stream"]["stream_state"]["at"])

    def logs(self, type: str | None = None) -> list[str]:  # noqa: A002 - the collection's field name
        return [entry.msg for entry in self.job.store.logs(LogQuery(type=type))][::-1]

    def pids(self) -> list[tuple[int, str]]:
        """The processes that the connector ever was, and their private folders."""
        path = self.folder / "pids"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(int(pid), folder) for pid, _, folder in (line.partition(" ") for line in lines)]

    def left(self) -> list[str]:
        """What is left of the connector: processes and folders."""
        pids = {pid for pid, _ in self.pids()}
        left = [f"process {pid}" for pid in pids if psutil.pid_exists(pid)]
        return left + [folder for _, folder in self.pids() if Path(folder).exists()]


def eventually(what: Any, seconds: float = 60) -> None:
    """Wait until `what()` holds; on a loaded machine that may take a while."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


@contextmanager
def opened_lab(folder: Path, limits: Limits | None = None) -> Iterator[Lab]:
    """A lab in a folder."""
    script = f"#!{sys.executable}\n{FAKE.read_text(encoding='utf-8')}"
    (folder / "fake").write_text(script, encoding="utf-8")
    (folder / "fake").chmod(0o755)
    settings = Settings(
        folder, str(folder / "landing"), "p", f"sqlite:///{folder / 'm.db'}", limits=limits or Limits(record_mib=1)
    )
    store = open_store(settings.store_url)
    yield Lab(folder, Job(settings, open_landing(settings.landing_url, "p"), store))
    store.close()
