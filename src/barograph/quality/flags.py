"""QARTOD's primary flags (IOOS, Manual for Real-Time Oceanographic Data Quality Control Flags, 2017)."""

from __future__ import annotations

from typing import Final

GOOD: Final = 1
NOT_EVALUATED: Final = 2
SUSPECT: Final = 3
FAIL: Final = 4
MISSING: Final = 9
"""A frame carries only flags that are not good: no flag column, or a null in it, means that every test was passed."""
