"""A configuration with one connection to a server of tests.support.weather_servers, and its job, night after night."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from barograph.config import load
from barograph.landing import open_landing
from barograph.messages import Span
from barograph.model import RunReport
from barograph.pipeline import Job, run, sync
from barograph.pipeline.syncing import SyncRequest
from barograph.store import open_store
from barograph.store.base import LogQuery
from tests.support.weather_servers import TOKEN, WeatherServer

STATIONS = '[stations.IICHTE19]\ntimezone = "Europe/Brussels"\n[stations.ILAMAD25]\ntimezone = "Europe/Paris"\n'


@dataclass
class Site:
    """`night` syncs (and with `ingest` runs) at an instant, which is also the server's."""

    folder: Path
    server: WeatherServer
    monkeypatch: pytest.MonkeyPatch
    kind: str
    settings: Mapping[str, Any]
    environ: Mapping[str, str] = field(default_factory=lambda: {"WEATHER_KEY": TOKEN})
    retries: int = 2
    stop: Event = field(default_factory=Event)
    path: str | None = None
    stations: str = STATIONS

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = open_store(f"sqlite:///{self.folder / 'meteo.db'}")

    def job(self) -> Job:
        """The job of a configuration file."""
        path = self.folder / "barograph.toml"
        lines = [f"{key} = {json.dumps(value)}" for key, value in self.settings.items()]
        limits = f"[limits]\nhttp_timeout = 5\nhttp_retries = {self.retries}\n"
        url = f'url = "{self.server.url(self.path or self.server.path)}"'
        table = "\n".join(["[connections.net]", f'source = "{self.kind}"', url, *lines, ""])
        path.write_text(limits + self.stations + table, encoding="utf-8")
        settings = load(path, data_dir=self.folder, environ=dict(self.environ))
        zone = open_landing(settings.landing_url, settings.landing_prefix)
        return Job(settings, zone, self.store, stop=self.stop)

    def night(
        self, now: datetime, *, span: Span | None = None, ingest: bool = False, server: datetime | None = None
    ) -> RunReport:
        """One sync, or one run; `server`: what time it is there, where that is another one."""
        self.server.now = server or now
        self.monkeypatch.setattr("barograph.pipeline.syncing.utc_now", lambda: now)
        work = run if ingest else sync
        return work(self.job(), ["net"], span=span)

    def hurry(self) -> list[float]:
        """From now on no pause takes time; the pauses that were asked for, in seconds, as they come."""
        pauses: list[float] = []

        def pause(_: SyncRequest, seconds: float) -> None:
            pauses.append(seconds)

        self.monkeypatch.setattr(SyncRequest, "pause", pause)
        return pauses

    def landed(self) -> list[dict[str, Any]]:
        """Every landed record."""
        lines: list[dict[str, Any]] = []
        for path in sorted((self.folder / "landing").rglob("*.jsonl")):
            lines += [json.loads(line)["_airbyte_data"] for line in path.read_bytes().splitlines()]
        return lines

    def state(self) -> dict[str, Any]:
        """The state of the newest manifest."""
        manifests = [json.loads(path.read_bytes()) for path in (self.folder / "landing").rglob("*.json")]
        state: dict[str, Any] = max(manifests, key=lambda one: one["extracted_at"])["state"]
        return state

    def logs(self) -> list[str]:
        """Every log line, the oldest first."""
        return [f"{entry.type} {entry.msg}" for entry in reversed(self.store.logs(LogQuery(limit=10_000)))]

    def everything(self) -> bytes:
        """Whatever stands on the disk, but the configuration of this test."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.name != "barograph.toml"]
        return b"".join(path.read_bytes() for path in files)

    def close(self) -> None:
        self.store.close()


def utc(*parts: int) -> datetime:
    """An instant."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
