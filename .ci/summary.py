"""The one line that closes a CI run, from pytest's JUnit report: `12 passed, 0 failed, 1 skipped`."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def summary(report: Path) -> str:
    """Count a report. An error in a fixture is a failure; an expected failure is a skip, as JUnit has it."""
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 - pytest wrote it in this very run
    counts = [[int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")] for suite in suites]
    tests, failures, errors, skipped = (sum(column) for column in zip(*counts, strict=True))
    return f"{tests - failures - errors - skipped} passed, {failures + errors} failed, {skipped} skipped"


if __name__ == "__main__":
    sys.stdout.write(summary(Path(sys.argv[1])) + "\n")
