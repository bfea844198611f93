"""What the tests of the command line share: a small network with faults, run once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from barograph.faces.cli.main import root
from barograph.simulate import SimulatedNetwork, simulate

FAULTS = ("unparsable", "time", "impossible")


@dataclass(frozen=True, slots=True)
class Cli:
    """The command line on one configuration and one data folder."""

    config: Path
    data_dir: Path

    def tried(self, *words: str) -> Result:
        """However it ends."""
        return call("--config", str(self.config), "--data-dir", str(self.data_dir), *words)

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = self.tried(*words)
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}"
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code).stdout)


def call(*words: str, input: str | None = None) -> Result:  # noqa: A002 - click's name
    """The command line in this process; both streams apart, no terminal."""
    return CliRunner().invoke(root, words, input=input, prog_name="barograph")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration of this machine reaches a test."""
    for name in ("CONFIG", "DATA_DIR", "LANDING", "STORE", "STORE_FILE", "BACKUPS", "DEBUG"):
        monkeypatch.delenv(f"BAROGRAPH_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> SimulatedNetwork:
    """Two days of four stations, with two rows that cannot be taken and a value that is not possible."""
    return simulate(tmp_path_factory.mktemp("feeds"), days=2, stations=4, faults=FAULTS)


@pytest.fixture(scope="session")
def _ran(network: SimulatedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("data")
    result = call("--config", str(network.config), "--data-dir", str(data_dir), "run")
    assert result.exit_code == 3, result.stderr
    return data_dir


@pytest.fixture
def cli(network: SimulatedNetwork, _ran: Path) -> Cli:
    """The network after its first run; for reading."""
    return Cli(network.config, _ran)


@pytest.fixture
def own_cli(network: SimulatedNetwork, tmp_path: Path) -> Cli:
    """As `cli`, with exports and data of the test's own."""
    feeds = shutil.copytree(network.out_dir, tmp_path / "feeds")
    cli = Cli(feeds / "barograph.toml", tmp_path / "data")
    cli("run", code=3)
    return cli
