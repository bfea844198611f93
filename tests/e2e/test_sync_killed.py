"""A sync that is killed at any instant and run again leaves what an uninterrupted one leaves; so do two at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from barograph import bucket as bucket_module
from tests.e2e.scenario import ROOT, Place, assert_settled, environment
from tests.e2e.syncs import (
    AFTER,
    BEFORE,
    EVERY,
    assert_a_run_completes,
    assert_states_behind_data,
    landed_rows,
    place_in,
    speak,
    undisturbed_export,
    zone_of,
)
from tests.support.scripted import BATCH_BYTES, Script, data

pytestmark = pytest.mark.usefixtures("scripted")

SCRIPTED: Final = (sys.executable, "-m", "tests.support.scripted")
MODES: Final = {"full refresh": 0, "incremental": EVERY}
RANDOM_KILLS: Final = {"files": 10, "s3": 4}
NewPlace = Callable[[str], Place]


@pytest.fixture(params=["files", "s3"])
def kind(request: pytest.FixtureRequest) -> str:
    """Where it is landed."""
    name: str = request.param
    return name


@pytest.fixture
def new_place(kind: str, request: pytest.FixtureRequest, scripted: None, tmp_path: Path) -> NewPlace:
    """Places whose first rows are in the record and whose source has changed since."""
    assert scripted is None
    bucket = request.getfixturevalue("s3_bucket") if kind == "s3" else None

    def make(mode: str) -> Place:
        number = len(list(tmp_path.iterdir()))
        landing = f"s3://{bucket}/{number}" if bucket is not None else None
        place = place_in(tmp_path / f"place{number}", Script(BEFORE, MODES[mode]), landing)
        assert place.run().status == "done"
        speak(place, Script(AFTER, MODES[mode]))
        return place

    return make


@pytest.fixture
def expected(scripted: None, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What undisturbed runs leave; the same in both modes."""
    assert scripted is None
    if not _EXPECTED:
        folder = tmp_path_factory.mktemp("undisturbed")
        _EXPECTED.append(undisturbed_export(folder, Script(BEFORE), Script(AFTER)))
    return _EXPECTED[0]


_EXPECTED: Final[list[bytes]] = []


def assert_completes(place: Place, mode: str, expected: bytes) -> None:
    """What the killed sync left is sound, and one more run completes it."""
    assert_a_run_completes(place, AFTER, expected)
    if mode == "incremental":
        assert_doubled_by_one_batch(place)


def assert_doubled_by_one_batch(place: Place) -> None:
    """Every row is landed, and none twice but those of the batch that was being written."""
    said = Counter(_lines(AFTER))
    landed = landed_rows(zone_of(place))
    assert not said - landed
    size = len(data(BEFORE[0]).__repr__())
    assert sum((landed - said).values()) <= BATCH_BYTES // size + 2 * EVERY


def _lines(rows: list[tuple[int, int]]) -> list[str]:
    return [json.dumps(data(row), sort_keys=True) for row in rows]


def killed(place: Place, number: int, when: str) -> bool:
    """Whether a sync, to be killed at a write to the landing zone, got that far; else it has finished."""
    command = [*SCRIPTED, "--kill", "land", str(number), when, *place.arguments("sync")]
    result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert result.returncode in (0, -signal.SIGKILL), result.stderr
    return result.returncode == -signal.SIGKILL


@pytest.mark.parametrize("mode", MODES)
def test_killed_at_each_write(new_place: NewPlace, kind: str, expected: bytes, mode: str) -> None:
    """Before each object and each manifest, and after the last one; on S3, where that is slower, before some."""
    step = 1 if kind == "files" else 4
    reached = 0
    while killed(place := new_place(mode), reached + step, "before"):
        reached += step
        assert_completes(place, mode, expected)
    assert reached >= 8, "there are several parts, and in one mode several batches"
    last = new_place(mode)
    assert killed(last, reached, "after")
    assert_completes(last, mode, expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("row", [70, 161, 299])
def test_killed_while_the_source_speaks(new_place: NewPlace, expected: bytes, mode: str, row: int) -> None:
    """Between two rows: what lies before the last batch is landed, and no file is left."""
    place = new_place(mode)
    speak(place, Script(AFTER, MODES[mode], kill_at=row))
    result = subprocess.run([*SCRIPTED, *place.arguments("sync")], cwd=ROOT, env=environment(), check=False)
    assert result.returncode == -signal.SIGKILL
    speak(place, Script(AFTER, MODES[mode]))
    assert_completes(place, mode, expected)


@pytest.mark.parametrize("mode", MODES)
def test_killed_at_random(new_place: NewPlace, kind: str, expected: bytes, mode: str) -> None:
    """SIGKILL at instants spread over a whole sync, again and again on one place, until a sync is left to end."""
    chance = random.Random(f"{kind} {mode}")
    place = new_place(mode)
    spoken = Script(AFTER, MODES[mode], pause=0.001)
    speak(place, spoken)
    started = time.monotonic()
    subprocess.run([*SCRIPTED, *new_place(mode).arguments("sync")], cwd=ROOT, env=environment(), check=True)
    usual = time.monotonic() - started + 0.3
    kills = 0
    for _ in range(RANDOM_KILLS[kind]):
        with subprocess.Popen(
            [*SCRIPTED, *place.arguments("sync")],
            cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            time.sleep(chance.uniform(0.2, 1.0) * usual)
            process.kill()
            kills += process.wait() == -signal.SIGKILL
        assert_states_behind_data(place, AFTER)
    assert kills > 0
    report = place.run()
    assert (report.status, report.errors) == ("done", ())
    assert place.export() == expected
    assert_states_behind_data(place, AFTER)
    assert_settled(place)


@pytest.mark.parametrize("mode", MODES)
def test_two_syncs_at_once(new_place: NewPlace, expected: bytes, mode: str) -> None:
    """Two processes sync one connection together: neither loses or overwrites, and the next run has all of it."""
    place = new_place(mode)
    speak(place, Script(AFTER, MODES[mode], pause=0.002))
    both = [
        subprocess.Popen(
            [*SCRIPTED, *place.arguments("sync")],
            cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = [process.communicate() for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes, told
    assert "Traceback" not in told[0][1] + told[1][1]
    assert_states_behind_data(place, AFTER)
    report = place.run()
    assert (report.status, report.errors) == ("done", ())
    assert place.export() == expected
    assert_settled(place)


def test_what_a_killed_process_left_half_written_is_removed(
    scripted: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of obstore's that was never renamed is no object, and the next sync removes it when it is old."""
    assert scripted is None
    place = place_in(tmp_path, Script(BEFORE))
    assert place.run().status == "done"
    expected = place.export()
    left = [
        place.landing_folder / "garden" / "2024_12_01_1733011200000_0.jsonl#1",
        place.landing_folder / "_barograph" / "garden" / "1733011200000.json#2",
    ]
    for path in left:
        path.write_bytes(b'{"_airbyte_data": {"Da')
    assert place.run().status == "done"
    assert [path.exists() for path in left] == [True, True], "another process may be writing them"
    hour = bucket_module.STAGED_SECONDS
    for path in left:
        os.utime(path, (time.time() - hour - 60, time.time() - hour - 60))
    assert place.run().status == "done"
    assert [path.exists() for path in left] == [False, False]
    assert place.export() == expected


def test_a_file_that_is_being_written_is_named_as_the_sweep_expects(tmp_path: Path) -> None:
    """obstore writes `name#1` first and renames it: killed in between, that is what is left."""
    script = (
        "import os, signal, threading, time\n"
        "from barograph.bucket import LANDING, open_bucket\n"
        f"folder = {str(tmp_path)!r}\n"
        "bucket, _ = open_bucket(folder, LANDING)\n"
        "def watch():\n"
        "    while not any('#' in name for name in os.listdir(folder)): pass\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
        "time.sleep(0.1)\n"
        "while True: bucket.create(f'{time.time_ns()}', bytes(200_000_000))\n"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment(), check=False)
    assert result.returncode == -signal.SIGKILL
    left = [path for path in tmp_path.iterdir() if "#" in path.name]
    assert len(left) == 1
    opened, _ = bucket_module.open_bucket(str(tmp_path), bucket_module.LANDING)
    assert left[0].name not in opened.keys("")
    os.utime(left[0], (0, 0))
    opened.sweep("")
    assert not left[0].exists()
