"""A connection never overlaps itself, over threads and over processes, and no lock outlives its process."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from barograph.errors import LandingError, SyncStopped
from barograph.pipeline.locks import connection_lock, scheduler_holder, scheduler_lock

HOLD: Final = """
import sys, time
from pathlib import Path
from barograph.pipeline.locks import connection_lock
with connection_lock(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    time.sleep(300)
"""


@contextmanager
def held(folder: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has a connection's lock."""
    words = [sys.executable, "-c", HOLD, str(folder), name]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_another_process_has_it(tmp_path: Path) -> None:
    """It is named; once it is killed, the file that it leaves keeps nobody out."""
    with held(tmp_path, "a/b") as process:
        with pytest.raises(SyncStopped, match=rf"the sync of a/b is under way already \(process {process.pid}\)"):
            connection_lock(tmp_path, "a/b").__enter__()
        with connection_lock(tmp_path, "a"), scheduler_lock(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / "locks" / "a%2Fb.lock").exists()
    with connection_lock(tmp_path, "a/b"):
        pass


def test_this_process_has_it(tmp_path: Path) -> None:
    """A lock is taken once, also by threads of one process, and may be taken again afterwards."""
    for _ in range(2):
        with connection_lock(tmp_path, "é" * 200), pytest.raises(SyncStopped, match="in this process"):
            connection_lock(tmp_path, "é" * 200).__enter__()


def test_a_folder_that_cannot_hold_it(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "locks").write_text("in the way", encoding="utf-8")
    with pytest.raises(LandingError, match="the lock cannot be taken") as caught:
        connection_lock(tmp_path, "a").__enter__()
    assert caught.value.where == str(tmp_path / "locks" / "a.lock")


def test_whether_a_scheduler_works(tmp_path: Path) -> None:
    """It is found by its lock, while it holds that; how long it has been silent is the age of its last beat."""
    assert scheduler_holder(tmp_path) is None
    with scheduler_lock(tmp_path) as lock:
        found = scheduler_holder(tmp_path)
        assert found is not None
        assert (found.name, found.silent < 30) == ("in this process", True)
        os.utime(lock.path, (0, 0))
        assert (stuck := scheduler_holder(tmp_path)) is not None
        assert stuck.silent > 1e9
        lock.beat()
        assert (again := scheduler_holder(tmp_path)) is not None
        assert again.silent < 30
    assert scheduler_holder(tmp_path) is None, "what it left says nothing"


def test_asking_keeps_nobody_out(tmp_path: Path) -> None:
    """Two that ask at the same moment see no scheduler in each other, and one that starts meanwhile gets its lock."""
    with scheduler_lock(tmp_path) as lock:
        path = lock.path
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert scheduler_holder(tmp_path) is None
        release = threading.Timer(0.2, fcntl.flock, (other, fcntl.LOCK_UN))
        release.start()
        with scheduler_lock(tmp_path):
            pass
        release.join()
