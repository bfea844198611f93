"""The closing line of a CI run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import pytest

@pytest.fixture
def broken():
    raise RuntimeError

def test_passes(): pass
def test_passes_too(): pass
def test_fails(): assert False
def test_breaks(broken): pass
def test_skips(): pytest.skip("on purpose")
"""


def test_the_closing_line_counts_what_pytest_counted(tmp_path: Path) -> None:
    """A broken fixture counts as failed; nothing is counted twice or left out."""
    (tmp_path / "test_made_up.py").write_text(TESTS, encoding="utf-8")
    report = tmp_path / "report.xml"
    pytest_run = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        "/dev/null",
        f"--rootdir={tmp_path}",
        f"--junitxml={report}",
    ]
    subprocess.run([*pytest_run, tmp_path], capture_output=True, check=False)
    told = subprocess.run(
        [sys.executable, ROOT / ".ci" / "summary.py", report], capture_output=True, text=True, check=True
    )
    assert told.stdout == "2 passed, 2 failed, 1 skipped\n"
