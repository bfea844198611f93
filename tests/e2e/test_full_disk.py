"""A disk that is full: the temporary folder's, the landing zone's or the store's. Nothing is lost, and it is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from barograph.landing import spool
from tests.e2e.scenario import ROOT, Place, assert_settled, environment
from tests.e2e.syncs import (
    AFTER,
    BEFORE,
    EVERY,
    assert_landed_once,
    assert_states_behind_data,
    place_in,
    speak,
    undisturbed_export,
    zone_of,
)
from tests.support.scripted import Script

pytestmark = pytest.mark.usefixtures("scripted")
MODES: Final = {"full refresh": 0, "incremental": EVERY}


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of its own, filled up but for a few KiB."""

    folder: Path

    def fill(self, free: int) -> None:
        """Leave so many bytes."""
        for name in (".fill", ".rest"):
            (self.folder / name).unlink(missing_ok=True)
        left = os.statvfs(self.folder)
        spare = left.f_bavail * left.f_frsize - free
        (self.folder / ".fill").write_bytes(bytes(max(0, spare)))

    def empty(self) -> None:
        """Free it again."""
        (self.folder / ".fill").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A tmpfs of 64 MiB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a file system of its own needs Linux and root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def expected(scripted: None, tmp_path: Path) -> Callable[[], bytes]:
    """What undisturbed runs leave."""
    assert scripted is None
    return lambda: undisturbed_export(tmp_path / "undisturbed", Script(BEFORE), Script(AFTER))


@pytest.mark.parametrize("mode", MODES)
def test_a_full_temporary_folder(
    disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Callable[[], bytes], mode: str
) -> None:
    """The connection fails and says where to make room; complete batches are landed all the same."""
    place = place_in(tmp_path / "place", Script(BEFORE, MODES[mode]))
    assert place.run().status == "done"
    before, old = place.export(), len(zone_of(place).objects())
    speak(place, Script(AFTER, MODES[mode]))
    disk.fill(0)
    with monkeypatch.context() as patch:
        patch.setattr(spool, "SPOOL_BYTES", 2_000)
        patch.setattr(tempfile, "tempdir", str(disk.folder))
        report = place.sync()
    (error,) = report.errors
    assert error.startswith("garden: ")
    assert "the records cannot be kept in the temporary folder: No space left on device" in error
    assert "TMPDIR" in error
    assert place.export() == before
    assert (len(zone_of(place).objects()) > old) == (mode == "incremental")
    assert_states_behind_data(place, AFTER)
    assert place.run().status == "done"
    assert place.export() == expected()
    if mode == "incremental":
        assert_landed_once(place, AFTER)
    assert_settled(place)


@pytest.mark.parametrize("mode", MODES)
def test_a_full_landing_folder(disk: SmallDisk, tmp_path: Path, expected: Callable[[], bytes], mode: str) -> None:
    """What stood stands, no half-written object is left, and room is all that the next sync needs."""
    place = place_in(tmp_path / "place", Script(BEFORE, MODES[mode]), str(disk.folder / "landing"))
    assert place.run().status == "done"
    before, old = place.export(), zone_of(place).objects()
    speak(place, Script(AFTER, MODES[mode]))
    disk.fill(12_000)
    report = place.sync()
    (error,) = report.errors
    assert error.startswith(f"garden: {disk.folder / 'landing'}")
    assert "the disk is full" in error
    assert "free some space" in error
    assert zone_of(place).objects()[: len(old)] == old
    assert not list((disk.folder / "landing").rglob("*#*"))
    assert_states_behind_data(place, AFTER)
    assert place.export() == before
    assert place.ingest().status == "done"
    disk.empty()
    assert place.run().status == "done"
    assert place.export() == expected()
    assert_states_behind_data(place, AFTER)
    assert_settled(place)


@pytest.mark.parametrize("mode", MODES)
def test_a_full_disk_under_the_store(disk: SmallDisk, tmp_path: Path, mode: str) -> None:
    """The command fails by name, with no traceback; what is stored can be read, and the next run completes it."""
    place = place_in(tmp_path / "place", Script(BEFORE, MODES[mode]))
    place = Place(place.config, place.data_dir, store=f"sqlite:///{disk.folder / 'meteo.db'}")
    assert place.run().status == "done"
    before = place.export()
    rows = [*BEFORE, *[(step, 40 + step % 17) for step in range(60, 1_000)]]
    speak(place, Script(rows, MODES[mode]))
    disk.fill(0)
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.scripted", *place.arguments("run")],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1, (result.stdout, result.stderr)
    assert re.search(r"meteo\.db: the disk (is full|failed or is full)", result.stderr), result.stderr
    assert "Traceback" not in result.stderr
    disk.empty()
    assert place.export() == before
    assert place.run().status == "done"
    assert place.export() == undisturbed_export(tmp_path / "undisturbed", Script(BEFORE), Script(rows, MODES[mode]))
    assert_states_behind_data(place, rows)
    assert_settled(place)
