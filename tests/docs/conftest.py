"""One demo for all pages, and a folder with a copy of it for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from barograph.faces.cli.main import root
from tests.support.local_set import LocalSet


@pytest.fixture(scope="session")
def _demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of one demo, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(root, ["demo"], prog_name="barograph")
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.fixture
def demo(_demo: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """The working folder, in which `make demo` has just run, and what it printed; no setting of this machine.

    A local replica set that a page has left there is ended.
    """
    for name in ("CONFIG", "DATA_DIR", "LANDING", "STORE", "STORE_FILE", "DEBUG"):
        monkeypatch.delenv(f"BAROGRAPH_{name}", raising=False)
    shutil.copytree(_demo[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    yield tmp_path, _demo[1]
    LocalSet(tmp_path / "barograph-data").end()
