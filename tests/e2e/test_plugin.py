"""Kinds of sources that other packages bring: the page's example, installed and run; and those that are broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.docs.console import commands, hold
from tests.docs.pages import DOCS, ROOT, blocks

PAGE: Final = DOCS / "sources" / "python.md"
CLI: Final = (sys.executable, "-m", "barograph")


def install(site: Path, name: str, module: str, points: dict[str, str], version: str = "1.0") -> None:
    """What pip leaves of a package of one module: the module, and the metadata of its distribution."""
    site.mkdir(exist_ok=True)
    (site / f"{name.replace('-', '_')}.py").write_text(module, encoding="utf-8")
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    lines = "".join(f"{kind} = {value}\n" for kind, value in points.items())
    (info / "entry_points.txt").write_text(f"[barograph.sources]\n{lines}", encoding="utf-8")


def barograph(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own that finds the packages in `site`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BAROGRAPH_")}
    path = os.pathsep.join([str(ROOT / "src"), str(folder / "site")])
    return subprocess.run(
        [*CLI, *words],
        cwd=folder,
        env={**clean, "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_s_package(tmp_path: Path) -> None:
    """Installed as it stands on the page, it syncs, is ingested, queried and proven, and says nothing twice."""
    files = {block.file: block.text for block in blocks(PAGE) if block.file}
    for name, text in files.items():
        (tmp_path / str(name)).write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    points = project["entry-points"]["barograph.sources"]
    install(tmp_path / "site", project["name"], files["ndbc_buoys.py"], points, project["version"])
    for block in (block for block in blocks(PAGE) if block.language == "console"):
        for number, line, expected in commands(block):
            done = barograph(tmp_path, *line.split()[1:])
            hold(f"{PAGE.name}:{number}: $ {line}", expected, done.stdout)
    table = tmp_path / "62304.txt"
    head, *rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
    newer = rows[1].replace("02 00", "03 00")
    table.write_text("".join([head, rows[0], newer, *rows[1:3]]), encoding="utf-8")
    report = json.loads(barograph(tmp_path, "--config", "buoys.toml", "run", "--json").stdout)
    assert [each["records"] for each in report["connections"]] == [1]
    assert report["reports"]["new"] == 1
    assert "proven: 3 reports" in barograph(tmp_path, "--config", "buoys.toml", "verify").stdout


HEAD: Final = """
from barograph.plugin import MAPPING_OPTIONS, MappedColumn, Record, SourceKind, SourcePlugin, TableMapping
MAPPING = TableMapping({"uv": MappedColumn("u")}, ("t",))
KIND = SourceKind("a kind", decoder="table", mapping=MAPPING)
class Far:
    spans = False
    def __init__(self, connection, access): pass
    def read(self, request):
        yield Record({"t": "2024-10-01T00:00Z", "u": 1})
"""
CONFIG: Final = """
[stations.S]
name = "S"
[connections.good]
source = "good"
url = "x"
station = "S"
[connections.bad]
source = "bad"
url = "x"
station = "S"
"""


def configured(folder: Path, module: str) -> None:
    install(folder / "site", "good-one", HEAD + "PLUGIN = SourcePlugin(KIND, Far)\n", {"good": "good_one:PLUGIN"})
    install(folder / "site", "bad-one", module, {"bad": "bad_one:PLUGIN"}, "2.3")
    (folder / "barograph.toml").write_text(CONFIG, encoding="utf-8")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("def f(:\n", "SyntaxError: "),
        ("raise SystemError('boom')\n", "SystemError: boom"),
        ("x = 1\n", "AttributeError: "),
        ("PLUGIN = 3\n", "its kind is None, not a barograph.plugin.SourceKind"),
        (HEAD + "PLUGIN = SourcePlugin(SourceKind('x'), Far)\n", "it has neither a decode function nor the name"),
        (
            HEAD + "PLUGIN = SourcePlugin(SourceKind('x', decoder='table'), Far)\n",
            'its decoder is "table", but it has neither a mapping',
        ),
    ],
)
def test_a_package_that_cannot_be_loaded(tmp_path: Path, module: str, reason: str) -> None:
    """The configuration is refused at the line that names the kind, with the package, its version and the reason."""
    configured(tmp_path, module)
    done = barograph(tmp_path, "run")
    assert done.returncode == 2
    assert f"barograph.toml:9: source = 'bad' of bad-one 2.3 is broken: {reason}" in done.stderr
    assert "install a version of bad-one that works" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("        return {}['nothing']\n        yield\n", "KeyError: 'nothing'"),
        ("        yield {'t': 1}\n", "TypeError: it said dict, where a Record, a State or a Log is due"),
        ("        yield Record({'t': 1}, stream='other')\n", "it named the stream 'other'"),
    ],
)
def test_a_source_that_fails(tmp_path: Path, body: str, reason: str) -> None:
    """Its own connection fails, with the package and the reason; the other one is synced and stored."""
    configured(
        tmp_path, HEAD + "class Bad(Far):\n    def read(self, request):\n" + body + "PLUGIN = SourcePlugin(KIND, Bad)\n"
    )
    done = barograph(tmp_path, "run", "--json")
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    states = {each["connection"]: (each["status"], each["error"]) for each in report["connections"]}
    assert states["good"] == ("landed", None)
    status, error = states["bad"]
    assert status == "failed"
    assert "connection bad: source = 'bad' of bad-one 2.3 is broken: " in error
    assert reason in error
    assert report["reports"]["new"] == 1


def test_a_decoder_that_fails(tmp_path: Path) -> None:
    """Its objects fail with the package and the reason; what other connections landed is stored."""
    decode = "def decode(item, opener, context):\n    yield 1 / 0\n"
    configured(tmp_path, HEAD + decode + "PLUGIN = SourcePlugin(SourceKind('x'), Far, decode)\n")
    done = barograph(tmp_path, "run", "--json")
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert report["reports"]["new"] == 1
    assert "of bad-one 2.3 is broken: ZeroDivisionError: division by zero" in done.stdout


def test_a_kind_that_two_packages_bring_and_one_that_none_does(tmp_path: Path) -> None:
    """Neither is guessed: the packages are named, or the kinds that exist, installed ones included."""
    configured(tmp_path, HEAD + "PLUGIN = SourcePlugin(KIND, Far)\n")
    install(tmp_path / "site", "third-one", HEAD, {"bad": "third_one:PLUGIN"})
    done = barograph(tmp_path, "run")
    assert "source = 'bad' is brought by bad-one 2.3 and third-one 1.0" in done.stderr
    (tmp_path / "barograph.toml").write_text(CONFIG.replace('source = "bad"', 'source = "worse"'), encoding="utf-8")
    done = barograph(tmp_path, "run")
    assert "barograph.toml:9: source = 'worse' is not known" in done.stderr
    assert ", bad, good" in done.stderr
