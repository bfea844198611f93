"""Finding mongod: which one is taken, and what is said where none runs."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import pytest

from barograph.errors import ClusterError
from barograph.ops.mongod import Mongod, find_mongod
from tests.support.local_set import LocalSet


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_order_of_places(mongod: Mongod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BAROGRAPH_MONGOD before the PATH, the PATH before the extra."""
    named = script(tmp_path / "named", f'exec {mongod.path} "$@"')
    on_path = script(tmp_path / "bin" / "mongod", f'exec {mongod.path} "$@"')
    monkeypatch.setenv("PATH", str(on_path.parent), prepend=":")
    assert find_mongod() == Mongod(on_path, mongod.version)
    monkeypatch.setenv("BAROGRAPH_MONGOD", str(named))
    assert find_mongod() == Mongod(named, mongod.version)
    assert mongod.release.startswith(f"{mongod.version[0]}.")


def test_no_mongod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere one: the error says for what machine, and the three ways to one; nothing was made by then."""
    monkeypatch.delenv("BAROGRAPH_MONGOD", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    # As where the extra is not installed: its folder is not on the path of modules.
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    made = LocalSet(tmp_path / "data")
    told = made("up", code=1)
    assert f"there is no mongod on this machine ({platform.system()} {platform.machine()})" in told.stderr
    assert "pip install 'barograph[mongod]'" in told.stderr
    assert "BAROGRAPH_MONGOD" in told.stderr
    assert "PATH" in told.stderr
    assert not made.data_dir.exists()


def test_a_named_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BAROGRAPH_MONGOD is meant: nothing else is taken in its place."""
    monkeypatch.setenv("BAROGRAPH_MONGOD", str(tmp_path / "nowhere"))
    with pytest.raises(ClusterError, match="there is no such file"):
        find_mongod()


@pytest.mark.parametrize(
    ("body", "said", "hint"),
    [
        (
            "echo 'mongod: error while loading shared libraries: libcurl.so.4: cannot open it' >&2; exit 127",
            "the library libcurl.so.4 is missing",
            "apt-get install libcurl4",
        ),
        (
            "echo \"mongod: /lib/libc.so.6: version 'GLIBC_2.34' not found (required by mongod)\" >&2; exit 1",
            "it was built for a newer system (with GLIBC_2.34)",
            "BAROGRAPH_MONGOD",
        ),
        ("kill -ILL $$", "instructions that this processor does not have", "AVX"),
        ("echo broken >&2; exit 3", "does not run here: exit code 3, broken", "BAROGRAPH_MONGOD"),
        ("echo hello", "does not say that it is a mongod", "BAROGRAPH_MONGOD"),
        ("echo 'db version v4.4.29'", "MongoDB 4.4.29 is too old", "5.0 or later"),
    ],
)
def test_one_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str, hint: str
) -> None:
    """What keeps a mongod from running is said in words, with what to do."""
    monkeypatch.setenv("BAROGRAPH_MONGOD", str(script(tmp_path / "mongod", body)))
    with pytest.raises(ClusterError) as caught:
        find_mongod()
    assert said in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.where == str(tmp_path / "mongod")


def test_a_file_that_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A binary of another machine, or a file that may not be executed."""
    path = tmp_path / "mongod"
    path.write_bytes(b"\x7fELF not really")
    monkeypatch.setenv("BAROGRAPH_MONGOD", str(path))
    with pytest.raises(ClusterError, match="cannot be run here"):
        find_mongod()
    path.chmod(0o755)
    with pytest.raises(ClusterError, match="cannot be run here: Exec format error"):
        find_mongod()


def test_a_library_that_is_really_missing(mongod: Mongod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real mongod and the real loader: libraries that a copy of it asks for under another name are missing."""
    data = mongod.path.read_bytes()
    if b"libcurl.so.4\0" not in data or shutil.disk_usage(tmp_path).free < 2 * len(data):
        pytest.skip("this mongod needs no libcurl")
    copy = tmp_path / "mongod"
    copy.write_bytes(data.replace(b"libcurl.so.4\0", b"libcurl.so.9\0"))
    copy.chmod(0o755)
    monkeypatch.setenv("BAROGRAPH_MONGOD", str(copy))
    with pytest.raises(ClusterError, match=r"the library libcurl\.so\.9 is missing"):
        find_mongod()
