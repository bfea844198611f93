"""One simulation, station by station: observe, inject, write, and keep the truth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from barograph.errors import UsageError
from barograph.frame import INSTANT
from barograph.model import Station
from barograph.simulate.canonical import SCHEMA, canonical, without
from barograph.simulate.exports import AnswerWriter, sheets, write_csv, write_workbook
from barograph.simulate.faults import FAULTS, PER_FILE, Placed, check_names, place
from barograph.simulate.inject import Lost, into_frame, into_sheets, located
from barograph.simulate.network import ANSWER, Site, invented, network
from barograph.simulate.noise import Noise
from barograph.simulate.observe import Span, observe
from barograph.simulate.truth import SUMMARY, Fault, SimulatedNetwork, save_truth

CONFIG = "barograph.toml"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for."""

    start: date
    days: int
    stations: int | None
    seed: int
    step_minutes: int
    faults: tuple[str, ...]
    table_format: str

    def check(self) -> None:
        """Raises UsageError for what cannot be simulated."""
        if self.days < 1:
            raise UsageError(f"days = {self.days} is no span", hint="simulate at least 1 day")
        if self.stations is not None and self.stations < 1:
            raise UsageError(f"stations = {self.stations} is no network", hint="simulate at least 1 station")
        if self.step_minutes < 1 or 60 % self.step_minutes:
            raise UsageError(f"step_minutes = {self.step_minutes} does not divide the hour", hint="try 1, 5 or 10")
        if self.table_format not in ("xlsx", "csv"):
            raise UsageError(f"table_format = {self.table_format!r} is not known", hint="one of xlsx, csv")
        check_names(self.faults, self.table_format)


@dataclass(slots=True)
class _Written:
    """What has been written so far."""

    truth: list[pl.DataFrame] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    rows: int = 0


def build(out_dir: Path, request: Request) -> SimulatedNetwork:
    """Write the simulation. Raises UsageError for a bad request, or where the folder cannot or must not be written."""
    request.check()
    sites = network(request.stations)
    span = Span(request.start, request.days)
    per_file = request.table_format == "csv"
    placed = dict(enumerate(place(request.faults, sites, span.whole_days, seed=request.seed, per_file=per_file)))
    _claim(out_dir)
    try:
        return _Builder(out_dir, request, sites, span, placed).build()
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror})", where=str(out_dir), hint="choose another folder"
        ) from error


def _claim(out_dir: Path) -> None:
    if (out_dir / CONFIG).exists() and not (out_dir / SUMMARY).exists():
        raise UsageError(
            f"holds a {CONFIG} that no simulation wrote", where=str(out_dir), hint="simulate into a folder of its own"
        )
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot be made ({error.strerror})", where=str(out_dir), hint="choose another folder"
        ) from error


class _Builder:
    def __init__(
        self, out_dir: Path, request: Request, sites: Sequence[Site], span: Span, placed: dict[int, Placed]
    ) -> None:
        self.out_dir, self.request, self.sites, self.span, self.placed = out_dir, request, sites, span, placed
        self.noise = Noise(request.seed)
        self.written = _Written()

    def build(self) -> SimulatedNetwork:
        personal = [site for site in self.sites if site.kind == "personal"]
        listed = [site for site in self.sites if site.kind != "personal"]
        # The real answer has the synop station's rows first.
        listed.sort(key=lambda site: (site.kind != "synop", site.station_id))
        files = [self._table(site) for site in personal]
        if listed:
            files.append(self._answer(listed))
        config = self.out_dir / CONFIG
        config.write_text(_config(self.request, personal, answer=bool(listed)), encoding="utf-8")
        reports = pl.concat(self.written.truth)
        faults = tuple(self.written.faults[index] for index in range(len(self.placed)))
        counted = reports.group_by("station_id", maintain_order=True).len()
        result = SimulatedNetwork(
            out_dir=self.out_dir,
            config=config,
            files=tuple(files),
            stations=tuple(site.station for site in self.sites),
            rows=self.written.rows,
            reports=reports.height,
            rejected=sum(fault.rejected for fault in faults),
            duplicates=sum(fault.duplicates for fault in faults),
            station_reports=dict(counted.iter_rows()),
            faults=faults,
        )
        save_truth(result, reports, _parameters(self.request))
        return result

    def _table(self, site: Site) -> Path:
        workbook = self.request.table_format == "xlsx"
        path = self.out_dir / f"{site.station_id}.{self.request.table_format}"
        raw, faults = self._observed(site, path.name)
        content = sheets(raw)
        lost = Lost()
        # A header's fault makes new rows, so it comes before the faults of single rows.
        form = [(index, placed) for index, placed in self._here(site) if index not in faults]
        for index, placed in sorted(form, key=lambda item: item[1].name not in PER_FILE):
            fault = Fault(placed.name, path.name, site.station_id, "", "")
            faults[index] = into_sheets(content, placed, fault, lost, per_file=not workbook)
        for index, fault in faults.items():
            self.written.faults[index] = located(fault, content, workbook=workbook)
        self.written.rows += sum(instant is not None for sheet in content for instant in sheet.utc)
        (write_workbook if workbook else write_csv)(path, content)
        self._keep(site, raw, faults.values(), lost)
        return path

    def _answer(self, listed: Sequence[Site]) -> Path:
        path = self.out_dir / ANSWER
        with AnswerWriter(path, listed) as writer:
            for site in listed:
                raw, faults = self._observed(site, path.name)
                writer.array(site, raw)
                self.written.rows += raw.height
                for index, fault in faults.items():
                    self.written.faults[index] = _in_array(fault, raw)
                self._keep(site, raw, faults.values(), Lost())
            for index, placed in self.placed.items():
                if placed.name == "unknown-station":
                    self._unlisted(writer, path.name, index, placed)
        return path

    def _unlisted(self, writer: AnswerWriter, file: str, index: int, placed: Placed) -> None:
        site = invented(900 + placed.number, "static", f"UNLISTED{placed.number}")
        raw = observe(self.noise, site, replace(self.span, days=1), self.request.step_minutes)
        writer.array(site, raw)
        self.written.rows += raw.height
        self.written.faults[index] = Fault(
            placed.name,
            file,
            site.station_id,
            done=f"{raw.height} rows of a station that the answer's stations do not list",
            record="none of its reports, and no such station",
            row=1,
            utc_time=raw["utc_time"].item(0),
            until=raw["utc_time"].item(-1),
            rejected=raw.height,
        )

    def _observed(self, site: Site, file: str) -> tuple[pl.DataFrame, dict[int, Fault]]:
        """The raw frame with the faults of its values in it."""
        raw = observe(self.noise, site, self.span, self.request.step_minutes)
        faults = {}
        # What moves or holds a whole day comes before what changes single rows; the placing keeps them apart.
        for index, placed in self._here(site):
            if (injected := into_frame(raw, placed, file)) is not None:
                raw, faults[index] = injected
        return raw, faults

    def _here(self, site: Site) -> list[tuple[int, Placed]]:
        return [
            (index, placed)
            for index, placed in self.placed.items()
            if placed.site is site and FAULTS[placed.name].scope != "answer"
        ]

    def _keep(self, site: Site, raw: pl.DataFrame, faults: Iterable[Fault], lost: Lost) -> None:
        truth = canonical(site, raw)
        for variable, instants in lost.values.items():
            gone = pl.col("utc_time").is_in(pl.Series(list(instants), dtype=INSTANT).implode())
            truth = truth.with_columns(pl.when(~gone).then(variable).alias(variable))
        for fault in faults:
            if fault.flags:
                here = pl.col("utc_time") == fault.utc_time
                truth = truth.with_columns(flags=pl.when(here).then(pl.lit(json.dumps(fault.flags))).otherwise("flags"))
        self.written.truth.append(without(truth, lost.reports).select(list(SCHEMA)))


def _in_array(fault: Fault, raw: pl.DataFrame) -> Fault:
    """A fault with its place in the station's array."""
    if FAULTS[fault.name].scope != "row" or fault.utc_time is None:
        return fault
    return replace(fault, row=raw["utc_time"].to_list().index(fault.utc_time) + 1)


def _parameters(request: Request) -> dict[str, Any]:
    return {
        "start": request.start.isoformat(),
        "days": request.days,
        "stations": request.stations,
        "seed": request.seed,
        "step_minutes": request.step_minutes,
        "faults": list(request.faults),
        "table_format": request.table_format,
    }


def _config(request: Request, personal: Sequence[Site], *, answer: bool) -> str:
    """barograph.toml: the personal stations, a connection for each, and one for the Infoclimat answer."""
    lines = [
        "# A simulated network; what its record must hold stands in truth.parquet and truth.json beside this file.",
        f"# seed {request.seed}, {request.days} days from {request.start.isoformat()}",
        "# Relative paths are resolved against this file's folder.",
    ]
    for site in personal:
        lines += ["", f"[stations.{site.station_id}]", *_station_lines(site.station)]
    if answer:
        lines += ["", "# Stations served by Infoclimat describe themselves (name, position, licence)."]
    for site in personal:
        settings = {
            "source": "wunderground-table",
            "url": f"{site.station_id}.{request.table_format}",
            "station": site.station_id,
            "stream": site.stream,
            "format": "csv",
            "schedule": "manual",
        }
        lines += ["", f"[connections.meteo_{site.stream}]", *_toml(settings)]
    if answer:
        settings = {"source": "infoclimat", "url": ANSWER, "stream": "infoclimat", "format": "jsonl"}
        lines += ["", "[connections.meteo_infoclimat]", *_toml(settings | {"schedule": "manual"})]
    return "\n".join(lines) + "\n"


def _station_lines(station: Station) -> list[str]:
    names = ("name", "city", "latitude", "longitude", "elevation", "timezone", "hardware", "software", "license_info")
    return _toml({name: getattr(station, name) for name in names})


def _toml(settings: dict[str, Any]) -> list[str]:
    # A JSON string is a TOML basic string; numbers are written alike.
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items() if value is not None]
