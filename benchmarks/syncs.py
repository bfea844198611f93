"""(f) The sync stage: many stations, many connections, and a workbook beside other programs that read it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from barograph.config import load
from barograph.errors import ConfigError
from barograph.simulate import simulate
from benchmarks.nightly import PROGRAM, exports
from benchmarks.others import OTHERS, prepared
from benchmarks.process import Usage, run, say
from benchmarks.report import Section, Table, Target, median
from benchmarks.synced import Synced, synced

MEMORY: Final = 500e6
FILES: Final = 256
RATIO: Final = 2.0
CONCURRENCY: Final = (1, 8)
NOTES: Final = (
    (
        "1,000 stations: one Infoclimat answer in a file, with 24 hourly reports of each; one record, as Airbyte lands "
        "it. 200 connections: each a workbook of one day, with a station and a stream of its own. A fresh process "
        "each; open files are counted every 2 ms."
    ),
    (
        "The workbook: whole processes from start to end, taken in turns. Ours fetches, reads, spools, lands and logs. "
        "The connector prints records for somebody else to land, without the sheets' titles and so without the days; "
        "its `discover`, needed once, is not counted. dlt extracts, normalises and loads into a folder."
    ),
)


def measure(folder: Path, *, quick: bool) -> Section:
    """Both parts."""
    folder.mkdir()
    many = list(_many(folder, quick=quick))
    table = Table(
        "Many stations, many connections",
        ["", "connections", "records", "wall s", "CPU s", "peak MB", "open files"],
        [found.row(name) for name, found in many],
    )
    workbook, targets, skipped = _workbook(folder, quick=quick)
    return Section(
        "(f) The sync stage",
        [table, workbook],
        [
            Target("the highest peak of all", max(found.peak for _, found in many) / 1e6, MEMORY / 1e6, "MB", "less"),
            Target("the most open files", max(found.files for _, found in many), FILES, "", "less"),
            *targets,
        ],
        [*NOTES, *skipped],
    )


def _many(folder: Path, *, quick: bool) -> Iterator[tuple[str, Synced]]:
    stations, connections = (50, 10) if quick else (1000, 200)
    answer = _answer(folder / "answer", stations)
    for command in ("sync", "run"):
        say(f"(f) {command}: {stations:,} stations through one connection")
        found = synced(command, answer, folder / f"answer-{command}")
        assert (found.landed, found.reports) == (1, stations * 24 if command == "run" else 0)
        yield f"{stations:,} stations, one connection: {command}", found
    for number in CONCURRENCY:
        config = _connections(folder / f"connections{number}", connections)
        set_ = _concurrent(config, number)
        for command in ("sync", "run"):
            say(f"(f) {command}: {connections} connections, {number if set_ else 1} at a time")
            found = synced(command, config, folder / f"connections{number}-{command}")
            assert found.landed == connections
            at_a_time = f", {number} at a time" if set_ else ""
            yield f"{connections} connections{at_a_time}: {command}", found
        if not set_:
            break


def _answer(folder: Path, stations: int) -> Path:
    """A configuration with one connection, to an answer about so many stations."""
    folder.mkdir()
    names = [f"B{number:04}" for number in range(stations)]
    start = datetime(2024, 10, 1, tzinfo=UTC)
    hourly = {
        name: [
            {
                "id_station": name,
                "dh_utc": f"{start + timedelta(hours=hour):%Y-%m-%d %H:%M:%S}",
                "temperature": f"{(number + hour) % 250 / 10:.1f}",
                "pression": "1019.1",
                "humidite": str(50 + (number * hour) % 41),
                "vent_moyen": "3.2",
                "vent_direction": str((number + 15 * hour) % 360),
            }
            for hour in range(24)
        ]
        for number, name in enumerate(names)
    }
    described = [{"id": name, "name": name, "latitude": 50.5, "longitude": 2.5} for name in names]
    answer = {"status": "OK", "errors": [], "stations": described, "hourly": hourly}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    config = folder / "barograph.toml"
    config.write_text('[connections.all]\nsource = "infoclimat"\nurl = "answer.json"\n', encoding="utf-8")
    return config


def _connections(folder: Path, number: int) -> Path:
    """A configuration with so many connections, each to a copy of one workbook."""
    made = folder / "made"
    simulate(made, days=1)
    book = next(iter(sorted(made.glob("*.xlsx"))))
    text = []
    for index in range(number):
        shutil.copy(book, folder / f"{index}.xlsx")
        text.append(
            f'[stations.P{index:03}]\ntimezone = "Europe/Paris"\n[connections.c{index:03}]\n'
            f'source = "wunderground-table"\nurl = "{index}.xlsx"\nstation = "P{index:03}"\n'
        )
    config = folder / "barograph.toml"
    config.write_text("".join(text), encoding="utf-8")
    return config


def _concurrent(config: Path, number: int) -> bool:
    """Let so many connections sync at a time, where this version has such a setting."""
    before = config.read_text(encoding="utf-8")
    config.write_text(f"[sync]\nconcurrency = {number}\n{before}", encoding="utf-8")
    try:
        load(config, environ={})
    except ConfigError:
        config.write_text(before, encoding="utf-8")
        return False
    return True


def _workbook(folder: Path, *, quick: bool) -> tuple[Table, list[Target], list[str]]:
    """CPU and wall-clock seconds of whole processes; the targets and what was skipped."""
    place, told = exports(folder / "workbook")
    book, connection = _book_of(place)
    readers = {other.name: (other, prepared(other, install=not quick)) for other in OTHERS}
    rounds = 1 if quick else 3
    ours: list[Usage] = []
    theirs: dict[str, list[Usage]] = {name: [] for name in readers}
    counts: dict[str, int] = {}
    for number in range(rounds):
        say(f"(f) the workbook, round {number + 1} of {rounds}")
        data_dir = str(folder / f"workbook{number}")
        arguments = ["--config", str(place / "barograph.toml"), "--data-dir", data_dir, "sync", connection, "--json"]
        ours.append(run([PROGRAM, *arguments]))
        counts["barograph"] = json.loads(ours[-1].output)["connections"][0]["records"]
        for name, (other, ready) in readers.items():
            if isinstance(ready, Path):
                room = folder / f"{number}-{other.environment().name}"
                room.mkdir()
                usage, counts[name] = other.read(ready, book, room)
                theirs[name].append(usage)
    rows, targets, skipped = [_usage_row("barograph sync", ours, ours, counts["barograph"])], [], []
    for name, (_, ready) in readers.items():
        if isinstance(ready, str):
            skipped.append(f"{name} was skipped: {ready}.")
            continue
        assert abs(counts[name] - counts["barograph"]) <= counts["barograph"] // 20, counts
        rows.append(_usage_row(name, theirs[name], ours, counts[name]))
        targets.append(Target(f"CPU of {name} : barograph sync", _cpu(theirs[name]) / _cpu(ours), RATIO, "x"))
    title = f"{book.name} of {told}: seconds of whole processes, median of {rounds}"
    return Table(title, ["", "rows", "CPU s", "wall s", "CPU ratio", "wall ratio"], rows), targets, skipped


def _book_of(place: Path) -> tuple[Path, str]:
    """A workbook of the exports and the connection that reads it."""
    settings = load(place / "barograph.toml", environ={})
    found = next(each for each in settings.connections.values() if each.source == "wunderground-table")
    return Path(found.url), found.name


def _cpu(usages: list[Usage]) -> float:
    return median(usage.cpu for usage in usages)


def _usage_row(name: str, usages: list[Usage], ours: list[Usage], rows: int) -> list[str]:
    wall, base = median(usage.wall for usage in usages), median(usage.wall for usage in ours)
    ratios = [f"{_cpu(usages) / _cpu(ours):.2f}", f"{wall / base:.2f}"]
    return [name, f"{rows:,}", f"{_cpu(usages):.2f}", f"{wall:.2f}", *ratios]
