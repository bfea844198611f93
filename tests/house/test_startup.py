"""Start-up: what a bare import and --help load."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import Final

import pytest

# Import time here: polars 150 ms, pymongo 120 ms, matplotlib and pandas 300 ms and more.
HEAVY: Final = ("matplotlib", "moto", "numpy", "pandas", "polars", "pyarrow", "pymongo", "xlsxwriter")

REPORT: Final = f"import sys; print('LOADED', *(name for name in {HEAVY!r} if name in sys.modules))"
HELP: Final = """
import sys
from barograph.faces.cli.main import main
sys.argv = ["barograph", "--help"]
try:
    main()
except SystemExit as end:
    print("EXIT", end.code or 0)
"""


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_import_loads_nothing_heavy() -> None:
    """`import barograph` costs milliseconds: engines and frames are loaded where they are used."""
    assert run(f"import barograph\n{REPORT}")[-1].split() == ["LOADED"]


@pytest.mark.skipif(find_spec("barograph.faces.cli.main") is None, reason="there is no command line to start")
def test_help_loads_nothing_heavy() -> None:
    """`barograph --help` answers at once, without polars, pymongo or matplotlib."""
    told = run(f"{HELP}\n{REPORT}")
    assert told[-2:] == ["EXIT 0", "LOADED"]
    assert any("sync" in line for line in told)
