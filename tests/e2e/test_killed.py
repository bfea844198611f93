"""Killed at any instant and run again, the job leaves what an uninterrupted run leaves; so do two runs at once."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, repeat
from pathlib import Path
from typing import Any, Final

import pytest

from barograph.landing import LandingZone
from barograph.simulate import simulate
from tests.e2e.scenario import CLI, ROOT, Place, assert_settled, environment
from tests.support.replica_set import ReplicaSet

KILLS: Final = {"sqlite": 12, "mongodb": 6}
ROUNDS: Final = {"sqlite": 3, "mongodb": 2}
SLOWED: Final = (sys.executable, "-m", "tests.e2e.slowed")
NewPlace = Callable[[Path], Place]


@pytest.fixture(params=["sqlite", "mongodb"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def new_place(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewPlace]:
    """Places with one configuration, each with an empty landing zone and an empty store of its own."""
    replica_set: ReplicaSet | None = request.getfixturevalue("replica_set") if engine == "mongodb" else None
    numbers, databases = count(), []

    def make(config: Path) -> Place:
        number = next(numbers)
        if replica_set is None:
            return Place(config, tmp_path / f"place{number}")
        databases.append(f"killed_{tmp_path.name}_{number}"[-60:])
        return Place(config, tmp_path / f"place{number}", store=replica_set.uri_of(databases[-1]))

    yield make
    for name in databases:
        assert replica_set is not None
        replica_set.drop(name)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A network of 1,200 reports that is stored in many steps, and the state that an uninterrupted run leaves."""
    folder = tmp_path_factory.mktemp("small")
    config = simulate(folder / "network", days=2, stations=4, table_format="csv").config
    with config.open("a", encoding="utf-8") as file:
        file.write("\n[ingest]\nbatch_rows = 300\n")
    place = Place(config, folder / "data")
    assert place.run().status == "done"
    return config, place.state()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A network of 20,000 reports, and the state that an uninterrupted run leaves."""
    folder = tmp_path_factory.mktemp("large")
    config = simulate(folder / "network", days=20, table_format="csv").config
    place = Place(config, folder / "data")
    assert place.run().status == "done"
    return config, place.state()


def killed(place: Place, stage: str, number: int, when: str, *words: str) -> bool:
    """Whether a command, to be killed at a boundary, got that far; else it has finished."""
    command = [sys.executable, "-m", "tests.e2e.killed", stage, str(number), when, *place.arguments(*words)]
    result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert result.returncode in (0, -signal.SIGKILL), result.stderr
    return result.returncode == -signal.SIGKILL


@pytest.mark.parametrize("stage", ["land", "stations", "days", "logs", "ledger", "summaries", "run"])
def test_killed_at_a_stage_boundary(
    engine: str, new_place: NewPlace, small: tuple[Path, dict[str, Any]], stage: str
) -> None:
    """Before each call of what a stage writes, and after the last one.

    Where that would only be more of the same (MongoDB, stations, logs): after the first call and before the second.
    """
    config, expected = small
    everywhere = engine == "sqlite" and stage not in ("stations", "logs")
    chosen = zip(count(1), repeat("before"), strict=False) if everywhere else ((1, "after"), (2, "before"))
    reached = 0
    for number, when in chosen:
        place = new_place(config)
        if not killed(place, stage, number, when, "run"):
            break
        reached += 1
        assert place.run().status == "done"
        assert place.state() == expected
    assert reached > 0
    if everywhere:
        place = new_place(config)
        assert killed(place, stage, reached, "after", "run")
        assert place.run().status == "done"
        assert place.state() == expected
        assert_settled(place)


@pytest.mark.parametrize("stage", ["empty-ledger", "empty-days", "days", "ledger"])
def test_a_rebuild_killed(new_place: NewPlace, small: tuple[Path, dict[str, Any]], stage: str) -> None:
    """A rebuild that dies half-way is completed by the next run."""
    config, expected = small
    place = new_place(config)
    assert place.run().status == "done"
    for when in ("before", "after"):
        assert killed(place, stage, 1, when, "rebuild", "--yes")
        assert place.run().status == "done"
        assert place.state() == expected


def test_killed_between_other_runs(new_place: NewPlace, small: tuple[Path, dict[str, Any]]) -> None:
    """What a killed run left undone is not forgotten when other runs finish before an ingest gets to it."""
    config, expected = small
    place = new_place(config)
    assert place.sync().status == "done"
    assert killed(place, "summaries", 1, "before", "ingest")
    assert place.sync().status == "done"
    assert place.ingest().status == "done"
    assert place.state() == expected


def test_killed_again_and_again(new_place: NewPlace, small: tuple[Path, dict[str, Any]]) -> None:
    """A job that never gets further than its next step completes its work in the end."""
    config, expected = small
    place = new_place(config)
    for stage in ("land", "stations", "days", "logs", "days", "ledger", "summaries", "run"):
        assert killed(place, stage, 1, "after", "run")
    assert place.run().status == "done"
    assert place.state() == expected


def test_killed_at_random(engine: str, new_place: NewPlace, large: tuple[Path, dict[str, Any]]) -> None:
    """SIGKILL at instants spread over the whole run; one more run, and nothing is missing, doubled or different."""
    config, expected = large
    chance = random.Random(f"killed {engine}")
    started = time.monotonic()
    assert new_place(config).cli("run").returncode == 0
    usual = time.monotonic() - started
    kills = tries = 0
    while kills < KILLS[engine]:
        tries += 1
        assert tries < 3 * KILLS[engine], f"most runs ended before they were killed; a run took {usual:.1f} s at first"
        place = new_place(config)
        with subprocess.Popen(
            [*CLI, *place.arguments("run")],
            cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            time.sleep(chance.uniform(0.1, 1.0) * usual)
            process.kill()
            code = process.wait()
        kills += code == -signal.SIGKILL
        assert place.run().status == "done"
        assert place.state() == expected


def start(place: Place, *words: str, command: Sequence[str] = CLI) -> subprocess.Popen[str]:
    """A command that goes on by itself."""
    return subprocess.Popen(
        [*command, *place.arguments(*words)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def assert_both_done(processes: list[subprocess.Popen[str]]) -> None:
    told = [process.communicate() for process in processes]
    said = "\n".join(f"{process.returncode}: {err}" for process, (_, err) in zip(processes, told, strict=True))
    assert all(process.returncode == 0 for process in processes), said


def test_two_runs_at_once(engine: str, new_place: NewPlace, small: tuple[Path, dict[str, Any]]) -> None:
    """Two runs started together end with the right record, and neither breaks off."""
    config, expected = small
    for _ in range(ROUNDS[engine]):
        place = new_place(config)
        assert_both_done([start(place, "run"), start(place, "run")])
        assert place.state() == expected
        assert_settled(place)


def test_a_rival_takes_the_instant(
    small: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two syncs that start in the same millisecond: the second lands beside the first; neither fails nor overwrites."""
    config, expected = small
    place = Place(config, tmp_path)
    create = LandingZone.create
    rivals: list[str] = []

    def late(zone: LandingZone, key: str, data: bytes, attributes: dict[str, str] | None = None) -> bool:
        if not rivals:
            rivals.append(key)
            # The same rows under ids of its own, as another sync lands them.
            assert create(zone, key, re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-7", b"00000000-0000-7", data), attributes)
        return create(zone, key, data, attributes)

    monkeypatch.setattr(LandingZone, "create", late)
    report = place.run()
    assert (report.status, len(report.objects)) == ("done", 4)
    assert place.state() == expected


def land_shared(place: Place, second: int, minutes: Iterable[int]) -> dict[datetime, float]:
    """Land 40 days of one station, a row at each of some minutes of the day; what it says."""
    start = datetime(2024, 12, 1, tzinfo=UTC)
    extracted = start + timedelta(days=100, seconds=second)
    instants = [start + timedelta(days=day, minutes=minute) for day in range(40) for minute in minutes]
    rows = [{"Date": f"{at:%Y-%m-%d}", "Time": f"{at:%H:%M:%S}", "Humidity": f"{40 + second}"} for at in instants]
    path = place.landing_folder / "shared" / f"{extracted:%Y_%m_%d}_{round(extracted.timestamp() * 1000)}_0.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps({"_airbyte_data": row}) + "\n" for row in rows), encoding="utf-8")
    return dict.fromkeys(instants, 40.0 + second)


SHARED: Final = """
[ingest]
batch_rows = 1000
[stations.SHARED]
timezone = "UTC"
[connections.shared]
source = "wunderground-table"
url = "nowhere.xlsx"
station = "SHARED"
"""


def test_two_runs_on_the_same_days(engine: str, new_place: NewPlace, tmp_path: Path) -> None:
    """Two jobs with landing zones of their own fill the same station-days of one store, at once: no report is lost."""
    config = tmp_path / "shared.toml"
    config.write_text(SHARED, encoding="utf-8")
    for number in range(ROUNDS[engine]):
        one = new_place(config)
        store = one.store or f"sqlite:///{tmp_path / f'shared{number}.db'}"
        first, *both = [replace(one, store=store, data_dir=tmp_path / f"shared{number}.{part}") for part in range(3)]
        expected = land_shared(first, 0, [725])
        assert first.ingest().status == "done"
        expected |= land_shared(both[0], 1, [*range(0, 1440, 10), 725, 730])
        expected |= land_shared(both[1], 2, [*range(5, 1440, 10), 730])
        assert_both_done([start(place, "ingest", command=SLOWED) for place in both])
        assert {instant: row["humidity"] for (_, instant), row in first.record().items()} == expected
        (stored,) = first.state()["stations"]
        assert stored[1].count == len(expected) == 40 * (144 + 144)
