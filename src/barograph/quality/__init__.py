"""Flags, never edits: each test looks at values and says what it thinks of them (QARTOD)."""

from barograph.quality.flags import FAIL, GOOD, MISSING, NOT_EVALUATED, SUSPECT
from barograph.quality.gross_range import flag_gross_range

__all__ = ["FAIL", "GOOD", "MISSING", "NOT_EVALUATED", "SUSPECT", "flag_gross_range"]
