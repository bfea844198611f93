"""What a connector says beside its data, as Logs: masked, cut, and no more of it than a log can bear."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from barograph.logs import Known
from barograph.messages import Log
from barograph.sources.airbyte.protocol import LogLine

LINES: Final = 500
"""Lines of a sync that are logged; errors have as many to themselves."""
LONGEST: Final = 2000
"""Characters of one that are kept."""
_TAIL: Final = 5


class Telling:
    """The logs of one sync."""

    def __init__(self, name: str, masks: Known) -> None:
        self._name, self._masks = name, masks
        self._told = {"info": 0, "error": 0}
        self._left_out = 0
        self._tail: deque[str] = deque(maxlen=_TAIL)

    def log(self, line: LogLine) -> Iterator[Log]:
        """The line, while there is room."""
        if not line.text.strip():
            return
        # Cut behind the masks: half a secret would pass them.
        text = self._masks.text(line.text)
        text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
        self._tail.append(" ".join(text.split())[:200])
        room = "error" if line.level == "error" else "info"
        self._told[room] += 1
        if self._told[room] > LINES:
            self._left_out += 1
            return
        yield Log(line.level, f"{self._name}: {text}")

    def close(self) -> Iterator[Log]:
        """How much was left out."""
        if self._left_out:
            yield Log("warning", f"{self._name}: {self._left_out:,} further log lines were left out")
            self._left_out = 0

    def last_words(self) -> str:
        """The last of what was said, for an error's text."""
        return "; it last said: " + " | ".join(self._tail) if self._tail else ""
