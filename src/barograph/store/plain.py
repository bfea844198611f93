"""Free-form values (log contexts, raw cells, run reports) in a form that both engines keep alike."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

from barograph.model import iso

INT64 = range(-(2**63), 2**63)


def plain(value: Any) -> Any:
    """`value` JSON-ready: instants as ISO 8601, what JSON or BSON cannot hold (NaN, huge integers, objects) as text."""
    result: Any
    match value:
        case None | bool():
            result = value
        case int():
            result = value if value in INT64 else str(value)
        case float():
            result = value if math.isfinite(value) else str(value)
        case datetime() if value.tzinfo is not None:
            result = iso(value)
        case date():
            result = value.isoformat()
        case dict():
            result = {plain_text(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            result = [plain(item) for item in value]
        case _:
            result = plain_text(str(value))
    return result


def plain_text(text: str) -> str:
    r"""`text` with lone surrogates, which a raw cell may carry and UTF-8 cannot, written as `\udXXX`."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
