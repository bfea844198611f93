"""One job in a folder of its own, what a test asks of it, and a disturbed copy of a network that was good."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import openpyxl

from barograph.config import Limits, Settings, load
from barograph.export import export
from barograph.model import Counts, LogEntry, Rejection, RunReport
from barograph.pipeline import Job, VerifyReport, ingest, rebuild, run, sync, verify
from barograph.query import Query
from barograph.store.base import LogQuery
from barograph.wiring import opened_job, opened_store
from tests.e2e.oracle import Instant, Stored, read_export

ROOT: Final = Path(__file__).resolve().parents[2]
CLI: Final = (sys.executable, "-c", "from barograph.faces.cli.main import main; main()")


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration with its landing zone and its store."""

    config: Path
    data_dir: Path
    landing: str | None = None
    store: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        settings = load(self.config, data_dir=self.data_dir, landing=self.landing, store=self.store, environ={})
        return replace(settings, limits=replace(Limits(), **self.limits)) if self.limits else settings

    @property
    def landing_folder(self) -> Path:
        """The streams' folders, in a landing zone of files."""
        return self.data_dir / "landing" / "meteo_sync"

    def _do(self, command: Callable[[Job], Any]) -> Any:
        with opened_job(self.settings) as job:
            return command(job)

    def run(self) -> RunReport:
        report: RunReport = self._do(run)
        return report

    def sync(self) -> RunReport:
        report: RunReport = self._do(sync)
        return report

    def ingest(self) -> RunReport:
        report: RunReport = self._do(ingest)
        return report

    def rebuild(self) -> RunReport:
        report: RunReport = self._do(rebuild)
        return report

    def verify(self) -> VerifyReport:
        report: VerifyReport = self._do(verify)
        return report

    def export(self, *, flags: bool = False) -> bytes:
        """The whole record as CSV."""
        with opened_store(self.settings) as store:
            query, out = Query(store), io.BytesIO()
            export(query.scan(query.spans()), "csv", out, flags=flags)
            return out.getvalue()

    def record(self) -> Stored:
        return read_export(self.export())

    def flags(self) -> dict[Instant, dict[str, float]]:
        """The flags of every report that has one."""
        found: dict[Instant, dict[str, float]] = {}
        for key, row in read_export(self.export(flags=True)).items():
            flags = {name: value for name, value in row.items() if name.endswith("_flag") and isinstance(value, float)}
            if flags:
                found[key] = flags
        return found

    def logs(self, type: str | None = None) -> list[LogEntry]:  # noqa: A002 - the collection's field name
        with opened_store(self.settings) as store:
            return store.logs(LogQuery(type=type))

    def runs(self) -> list[dict[str, Any]]:
        with opened_store(self.settings) as store:
            return store.runs()

    def landed(self) -> set[str]:
        """Every file of a landing zone of files, manifests included."""
        return {str(path.relative_to(self.landing_folder)) for path in self.landing_folder.rglob("*") if path.is_file()}

    def state(self) -> dict[str, Any]:
        """What two stores with the same content share: the record, the stations, and the ledger by its streams.

        Instants of extraction and of ingest differ from run to run, and with them the objects' keys.
        """
        with opened_store(self.settings) as store:
            stations = [(stored.station, stored.summary) for stored in store.stations()]
            ledger = store.objects().values()
        return {
            "export": self.export(),
            "stations": stations,
            "ledger": {(entry.stream, entry.status, entry.error) for entry in ledger},
        }

    def arguments(self, *words: str) -> list[str]:
        """The words of a command line about this place."""
        options = {
            "--config": self.config,
            "--data-dir": self.data_dir,
            "--landing": self.landing,
            "--store": self.store,
        }
        given = [str(word) for name, value in options.items() if value is not None for word in (name, value)]
        return [*given, *words]

    def cli(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own; `env` comes over its environment."""
        return subprocess.run(
            [*CLI, *self.arguments(*words)],
            cwd=ROOT, env={**environment(), **(env or {})}, capture_output=True, text=True, check=False,
        )  # fmt: skip


def environment() -> dict[str, str]:
    """The environment of a command: this one, without settings of a person's own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BAROGRAPH_")}


def assert_settled(place: Place) -> None:
    """The store is proven by its landing zone, and another ingest changes nothing in it."""
    before = place.export()
    proof = place.verify()
    assert proof.proven, proof.differences[:5]
    again = place.ingest()
    assert (again.reports.new, again.reports.changed) == (0, 0)
    assert place.export() == before


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A network's folder, the state of its landing zone after a run, and what that run stored."""

    folder: Path
    data_dir: Path
    record: Stored
    counts: Counts


@dataclass(frozen=True, slots=True)
class Scene:
    """A copy of a network to disturb; everything that is not disturbed must come out as if nothing had happened."""

    undisturbed: Undisturbed
    place: Place

    @property
    def folder(self) -> Path:
        """Where the exports are."""
        return self.place.config.parent

    @contextmanager
    def workbook(self, name: str) -> Iterator[openpyxl.Workbook]:
        """A workbook to change; saved at the end."""
        path = self.folder / name
        book = openpyxl.load_workbook(path)
        yield book
        book.save(path)

    @contextmanager
    def answer(self, name: str) -> Iterator[dict[str, Any]]:
        """An Infoclimat answer to change; saved at the end."""
        path = self.folder / name
        answer = json.loads(path.read_text(encoding="utf-8"))
        yield answer
        path.write_text(json.dumps(answer), encoding="utf-8")

    def point(self, file: str, url: str) -> None:
        """Let the connection that reads `file` read another url."""
        text = self.place.config.read_text(encoding="utf-8")
        assert text.count(f'url = "{file}"') == 1
        self.place.config.write_text(text.replace(f'url = "{file}"', f'url = "{url}"'), encoding="utf-8")

    def land_undisturbed(self) -> None:
        """Take over the landing zone of the undisturbed run; the store stays empty."""
        shutil.copytree(self.undisturbed.data_dir / "landing", self.place.data_dir / "landing")

    def landed(self, stream: str) -> Path:
        """The one object of a stream."""
        (path,) = (self.place.landing_folder / stream).iterdir()
        return path

    def of(self, station_id: str) -> list[Instant]:
        """The undisturbed reports of a station, in order."""
        return sorted(key for key in self.undisturbed.record if key[0] == station_id)

    def assert_record(
        self,
        *,
        lost: Iterable[Instant] = (),
        changed: Mapping[Instant, Mapping[str, float | str | None]] | None = None,
    ) -> None:
        """The record is the undisturbed one but for these reports, and the store is proven and settled."""
        expected = {key: dict(values) for key, values in self.undisturbed.record.items()}
        for key in lost:
            del expected[key]
        for key, values in (changed or {}).items():
            merged = {**expected[key], **values}
            expected[key] = {name: value for name, value in merged.items() if value is not None}
        stored = self.place.record()
        assert stored.keys() == expected.keys()
        assert {key: stored[key] for key in stored if stored[key] != expected[key]} == {}
        assert_settled(self.place)

    def assert_fate(self, report: RunReport, *, rows: int = 0, **fate: int) -> None:
        """Every report row has one fate: `rows` more were read than undisturbed, and all but `fate` are new."""
        counts = report.reports
        expected = self.undisturbed.counts.rows + rows
        assert counts.rows == expected == counts.new + sum(fate.values())
        assert counts == replace(Counts(new=counts.new, blank=counts.blank), **fate)
        for item in report.objects:
            assert item.reports.rows >= 0
        assert sum((item.reports for item in report.objects), Counts()) == counts

    def assert_reported(self, report: RunReport, **place: Any) -> Rejection:
        """Exactly one rejection stands at `place`: in the run's report, in the report as stored, and in the logs."""
        found = [r for r in report.rejections if all(getattr(r, name) == value for name, value in place.items())]
        assert len(found) == 1, [str(rejection) for rejection in report.rejections]
        (rejection,) = found
        assert rejection.reason
        logged = [
            entry.context
            for entry in self.place.logs("error")
            if entry.context.get("reason") == rejection.reason
            and all(entry.context.get(name) == value for name, value in place.items())
        ]
        assert len(logged) == 1
        assert logged[0]["object"] == rejection.object
        assert logged[0]["run_id"] == report.run_id
        stored = next(item for item in self.place.runs() if item["run_id"] == report.run_id)
        told = {**place, "object": rejection.object, "reason": rejection.reason}
        assert [item for item in stored["rejections"] if told.items() <= item.items()]
        return rejection
