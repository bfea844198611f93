"""One demo for all pages, and a folder with a copy of it for each."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from barograph.faces.cli.main import root


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
def demo(_demo: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """The working folder, in which `make demo` has just run, and what it printed; no setting of this machine."""
    for name in ("CONFIG", "DATA_DIR", "LANDING", "STORE", "DEBUG"):
        monkeypatch.delenv(f"BAROGRAPH_{name}", raising=False)
    shutil.copytree(_demo[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path, _demo[1]
