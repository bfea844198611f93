"""To begin with: init, simulate, demo, completion."""

from __future__ import annotations

import json
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from barograph.config import TABLES, load
from tests.cli.conftest import call


def test_init_writes_a_configuration_that_loads(tmp_path: Path) -> None:
    """What init writes is valid as it stands, and names every setting there is."""
    assert call("init", str(tmp_path / "new")).exit_code == 0
    path = tmp_path / "new" / "barograph.toml"
    settings = load(path, environ={})
    assert list(settings.connections) == ["meteo_ichtegem", "meteo_infoclimat"]
    assert {connection.source for connection in settings.connections.values()} == {"wunderground-table", "infoclimat"}
    assert settings.stations["IICHTE19"].timezone == "Europe/Brussels"
    text = path.read_text(encoding="utf-8")
    for name in (key for table in TABLES.values() for key in table):
        assert re.search(rf"^(# )?{name} = ", text, re.MULTILINE), name


def test_init_defaults_are_the_defaults(tmp_path: Path) -> None:
    """Taking every # away from the settings with a value changes nothing."""
    call("init", str(tmp_path))
    path = tmp_path / "barograph.toml"
    before = load(path, environ={})
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r'^# (?=\w+ = (?!""))', "", text, flags=re.MULTILINE), encoding="utf-8")
    assert load(path, environ={}) == before
    assert path.read_text(encoding="utf-8") != text


def test_init_never_overwrites(tmp_path: Path) -> None:
    """An existing configuration stays as it is."""
    (tmp_path / "barograph.toml").write_text("# mine\n", encoding="utf-8")
    result = call("init", str(tmp_path))
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert (tmp_path / "barograph.toml").read_text(encoding="utf-8") == "# mine\n"


def test_simulate(tmp_path: Path) -> None:
    """Files, faults and the command that runs them; the same numbers for scripts."""
    words = ("simulate", str(tmp_path / "feeds"), "--days", "2", "--stations", "2", "--seed", "5", "--fault", "time")
    told = call(*words, "--start", "2024-03-30", "--format", "csv").stdout
    assert "Time written as 25:61" in told
    assert f"barograph --config {tmp_path / 'feeds' / 'barograph.toml'} run" in told
    found = json.loads(call(*words, "--json").stdout)
    assert found["rejected"] == 1
    assert found["rows"] == found["reports"] + 1 == sum(found["stations"].values()) + 1
    assert [fault["name"] for fault in found["faults"]] == ["time"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    """The script of each shell asks the program."""
    told = call("completion", shell)
    assert told.exit_code == 0
    assert "_BAROGRAPH_COMPLETE" in told.stdout


def test_completion_of_names(tmp_path: Path) -> None:
    """Connections and stations come from the configuration, variables from the table; a broken file none."""
    from click.shell_completion import ShellComplete

    from barograph.faces.cli.main import root

    call("init", str(tmp_path))
    shell = ShellComplete(root, {}, "barograph", "_BAROGRAPH_COMPLETE")

    def complete(words: list[str], incomplete: str) -> list[str]:
        return [item.value for item in shell.get_completions(words, incomplete)]

    assert complete(["run"], "meteo_i") == ["meteo_ichtegem", "meteo_infoclimat"]
    assert complete(["query"], "") == ["IICHTE19"]
    assert complete(["query", "X", "2024", "--variables"], "humidity,sn") == ["humidity,snow_depth"]
    assert complete([], "reb") == ["rebuild"]
    (tmp_path / "barograph.toml").write_text("broken", encoding="utf-8")
    assert complete(["run"], "") == []


def test_demo_end_to_end(tmp_path: Path) -> None:
    """One command, offline: rejections with reasons, a day, a plot, a second run, a proof; and its hints work."""
    result = call("demo", "--dir", str(tmp_path / "demo"), "--days", "3")
    assert result.exit_code == 0, result.stderr
    told = result.stdout
    assert "\x1b" not in result.output
    assert re.search(r"\d reports stored, 3 rows rejected", told)
    assert "not a time of day" in told
    assert re.search(r"\d+\.\d+! ", told)
    assert "0 new, 0 changed, 0 unchanged, 0 rejected" in told
    assert "\nproven: " in told
    if find_spec("matplotlib") is not None:
        assert (tmp_path / "demo" / "day.png").read_bytes().startswith(b"\x89PNG")
    hints = [shlex.split(line) for line in told.splitlines() if line.startswith("  barograph ")]
    assert len(hints) >= 5
    for words in hints:
        assert call(*words[1:]).exit_code == 0, words
    assert call("demo", "--dir", str(tmp_path / "demo"), "--days", "1").exit_code == 0


def test_demo_touches_no_foreign_folder(tmp_path: Path) -> None:
    """A folder that no demo made is left alone."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").write_text("mine", encoding="utf-8")
    result = call("demo", "--dir", str(tmp_path))
    assert result.exit_code == 2
    assert "no demo made it" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
