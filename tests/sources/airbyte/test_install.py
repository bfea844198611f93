"""`barograph connector`, on packages that this test makes: pip installs them from a folder, without a network."""

from __future__ import annotations

import fcntl
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from barograph.faces.cli.main import root
from tests.sources.airbyte.lab import FAKE

pytestmark = pytest.mark.timeout(600)

CONFIG = """
[connections.tiny]
source = "airbyte"
connector = "source-tiny==1.1"
config = { mode = "good", password = "geheim99" }

[connections.refused]
source = "airbyte"
connector = "source-tiny"
config = { mode = "refuse", password = "${TINY_PASSWORD}" }

[connections.answer]
source = "infoclimat"
url = "answer.json"
"""


def wheel(folder: Path, name: str, version: str, *, needs: str = "") -> None:
    """A package whose program is the fake connector."""
    module = name.replace("-", "_")
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (f"Requires-Dist: {needs}\n" if needs else "")
    script = name.removeprefix("airbyte-")
    files = {
        f"{module}.py": FAKE.read_text(encoding="utf-8"),
        f"{module}-{version}.dist-info/METADATA": head,
        f"{module}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{module}-{version}.dist-info/entry_points.txt": f"[console_scripts]\n{script} = {module}:main\n",
    }
    record = f"{module}-{version}.dist-info/RECORD"
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(record, "".join(f"{path},,\n" for path in (*files, record)))


class Cli:
    """The command line on a folder with two connections to a connector."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "b.toml").write_text(CONFIG, encoding="utf-8")

    def __call__(self, *words: str, code: int = 0) -> Result:
        told = ("--config", str(self.folder / "b.toml"), "--data-dir", str(self.folder / "data"), "connector", *words)
        result = CliRunner().invoke(root, told, prog_name="barograph")
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}"
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code).stdout)

    def environments(self) -> list[Path]:
        return sorted((self.folder / "data" / "connectors" / "source-tiny").glob("venv-*"))


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("1.0", "1.1"):
        wheel(wheels, "airbyte-source-tiny", version)
    wheel(wheels, "airbyte-source-broken", "2.0", needs="no-such-package-anywhere==9")
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("TINY_PASSWORD", "hidden-word")
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path)


def test_a_connector_is_installed_asked_replaced_and_run(cli: Cli) -> None:
    """The whole life of one: what was broken off is swept, another version replaces it, a running one is spared."""
    assert "no connector is installed" in cli("list").stdout
    assert "connector install source-tiny==1.1" in cli("check", "tiny", code=2).stderr
    broken_off = cli.folder / "data" / "connectors" / "source-tiny" / "venv-broken"
    (broken_off / "bin").mkdir(parents=True)
    made = cli.json("install", "airbyte-source-tiny==1.0")
    assert (made["name"], made["version"], made["new"]) == ("source-tiny", "1.0", True)
    assert not broken_off.exists()
    assert "is installed already" in cli("install", "source-tiny").stdout
    assert "is installed as 1.0" in cli("check", "tiny", code=2).stderr
    with (cli.folder / "data" / "connectors" / "source-tiny" / "lock").open("ab") as running:
        fcntl.flock(running, fcntl.LOCK_SH)
        cli("install", "source-tiny==1.1")
        assert len(cli.environments()) == 2
    cli("install", "source-tiny==1.1")
    assert len(cli.environments()) == 1
    (listed,) = cli.json("list")
    assert (listed["version"], listed["connections"]) == ("1.1", ["tiny", "refused"])
    assert "source-tiny" in cli("list").stdout
    asked(cli)


def asked(cli: Cli) -> None:
    checked = cli("check", "tiny").stdout
    assert "check of tiny succeeded" in checked
    assert 'config.password is a secret: write "${VARIABLE}" in its place' in checked
    refused = cli("check", "refused", code=1).stdout
    assert "check of refused failed: no access with ***" in refused
    assert "hidden-word" not in refused
    assert cli.json("check", "refused", code=1) == {
        "succeeded": False, "message": "no access with ***", "plain_secrets": []
    }  # fmt: skip
    assert "users" in cli("discover", "tiny").stdout
    assert [stream["name"] for stream in cli.json("discover", "tiny")] == ["users"]
    for name in ("tiny", "source-tiny"):
        assert "string, required" in cli("spec", name).stdout
        assert cli.json("spec", name)["connectionSpecification"]["required"] == ["mode"]
    assert "its source is infoclimat, no connector" in cli("discover", "answer", code=2).stderr
    assert "connections to a connector: tiny, refused" in cli("discover", "nobody", code=2).stderr
    assert "source-nobody is not installed" in cli("spec", "source-nobody", code=2).stderr


def test_what_pip_cannot_install_is_told_with_what_to_do(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pin, a version that does not exist, no name at all; nothing counts as installed then."""
    broken = cli("install", "source-broken", code=1).stderr
    assert "airbyte-source-broken: pip cannot install it" in broken
    assert "try another version" in broken or "--python" in broken
    missing = cli("install", "source-tiny==9.9", code=1).stderr
    assert "No matching distribution found" in missing
    newer = cli("install", "source-file==99", code=1).stderr
    assert "source-file==0.5.39" in newer
    assert "is no connector's name" in cli("install", "../x", code=2).stderr
    assert "is no connector's name" in cli("install", "a==1; rm", code=2).stderr
    assert "cannot be run" in cli("install", "source-tiny", "--python", "/nowhere/python", code=2).stderr
    assert cli.json("list") == []
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert "no package registry answers" in cli("install", "source-elsewhere", code=1).stderr
