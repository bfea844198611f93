"""What is shipped: the wheel, built as `pip install` would build it."""

from __future__ import annotations

import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_the_package_and_its_licence(tmp_path: Path) -> None:
    """Every module and the typing marker are in it, nothing of the tests is, and its metadata names the licence."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        fields = Parser().parsestr(archive.read(about).decode())
        commands = archive.read(about.replace("METADATA", "entry_points.txt")).decode()
    source = ROOT / "src"
    modules = {str(path.relative_to(source)) for path in source.glob("barograph/**/*.py")} | {"barograph/py.typed"}
    shipped = {name for name in names if ".dist-info/" not in name}
    assert modules <= shipped
    assert {name.split("/")[0] for name in shipped} == {"barograph"}
    assert fields["License-Expression"] == "Apache-2.0"
    assert about.replace("METADATA", "licenses/LICENSE") in names
    assert "barograph = barograph.faces.cli.main:main" in commands
