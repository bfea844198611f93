"""Fetching from the file system."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from barograph.config import Limits
from barograph.errors import LimitExceeded, SourceRefused, SourceUnavailable
from barograph.sources.fetch import fetch
from barograph.sources.fetched import keep
from tests.sources.conftest import LIMITS


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_a_file_by_path_or_url(tmp_path: Path, form: str) -> None:
    """A path and both kinds of file:// URL lead to the bytes and to the file's date."""
    path = tmp_path / "week 1.csv"
    path.write_bytes(b"Time,Wind\n")
    os.utime(path, (1_727_740_800, 1_727_740_800))
    quoted = str(path).replace(" ", "%20") if ":" in form else str(path)
    with fetch(form.format(quoted), LIMITS) as fetched:
        assert fetched.read() == b"Time,Wind\n"
        assert (fetched.size, fetched.last_modified) == (10, datetime(2024, 10, 1, tzinfo=UTC))


def test_what_is_handed_on_is_a_snapshot(tmp_path: Path) -> None:
    """A change after the fetch changes nothing in what is being read."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"before")
    with fetch(str(path), LIMITS) as fetched:
        path.write_bytes(b"behind")
        assert fetched.read() == b"before"


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    """Whether nothing is enough is not for the fetch to say."""
    (tmp_path / "a").touch()
    with fetch(str(tmp_path / "a"), LIMITS) as fetched:
        assert (fetched.size, fetched.read()) == (0, b"")


def test_paths_that_lead_to_no_file(tmp_path: Path) -> None:
    """A missing file, a folder, a pipe, a loop: each is refused with its reason, and nothing hangs."""
    (tmp_path / "a.csv").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    reasons = {
        tmp_path / "missing.csv": "No such file",
        tmp_path: "is a folder",
        tmp_path / "a.csv" / "b.csv": "Not a directory",
        tmp_path / "loop": "Too many levels",
        tmp_path / "pipe": "not a regular file",
        tmp_path / "x\0y": "null byte",
    }
    for path, reason in reasons.items():
        with pytest.raises(SourceRefused, match=reason) as caught:
            fetch(str(path), LIMITS)
        assert caught.value.where == str(path)
        assert caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_a_file_without_permission(tmp_path: Path) -> None:
    """The permission is named as the reason."""
    path = tmp_path / "a.csv"
    path.touch(mode=0)
    with pytest.raises(SourceRefused, match="Permission denied"):
        fetch(str(path), LIMITS)


def test_a_file_beyond_the_limit(tmp_path: Path) -> None:
    """Its size is known before it is read."""
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(5 << 20)
    with pytest.raises(LimitExceeded, match=r"larger than 4 MiB .*source_mib"):
        fetch(str(path), LIMITS)


def _rewrite(path: Path) -> None:
    """The same number of bytes, written a moment later."""
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


@pytest.fixture(params=["grows before it is read", "grows while it is read", "is rewritten while it is read"])
def busy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Somebody who writes to a file between the moments when its reader looks at it, so many times."""

    def begin(path: Path, times: int) -> None:
        left = [times]

        def keep_meanwhile(pieces: Iterable[bytes], where: str, limits: Limits) -> tuple[IO[bytes], int]:
            work = _rewrite if "rewritten" in request.param else _append
            now = left[0] > 0
            left[0] -= 1
            if now and "before" in request.param:
                work(path)
            kept = keep(pieces, where, limits)
            if now and "while" in request.param:
                work(path)
            return kept

        monkeypatch.setattr("barograph.sources.fetch.keep", keep_meanwhile)

    return begin


def test_a_file_that_is_being_written(tmp_path: Path, busy: Callable[[Path, int], None]) -> None:
    """Half a copy is not taken for an export: it is tried again, and left to the next run if it still changes."""
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(1000))
    busy(path, 2)
    naps: list[float] = []
    with pytest.raises(SourceUnavailable, match=r"is being written at this moment \(2 tries\)"):
        fetch(str(path), replace(LIMITS, http_retries=1), sleep=naps.append)
    assert len(naps) == 1


def test_a_file_that_has_been_written(tmp_path: Path, busy: Callable[[Path, int], None]) -> None:
    """When the copy is complete by the next try, all of it is read."""
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(1000))
    busy(path, 1)
    with fetch(str(path), replace(LIMITS, http_retries=1), sleep=lambda _: None) as fetched:
        assert fetched.read() == path.read_bytes()


def test_a_full_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that finds no room is reported as such, and can succeed later."""
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(33 << 20)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(SourceUnavailable, match="temporary folder"):
        fetch(str(path), replace(LIMITS, source_mib=64))
