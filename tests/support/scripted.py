"""A source whose every message is scripted, and which can fail, wait or be killed anywhere; a table of humidity.

It is incremental where the script says after how many rows a state comes. Run as a module it is the command line with
that source, with small parts and batches, killed by SIGKILL where it is told:

    python -m tests.support.scripted [--kill STAGE CALL before|after] ARGUMENTS…
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from barograph.config import Connection
from barograph.config.kinds import SOURCE_KINDS, SourceKind
from barograph.errors import SourceUnavailable
from barograph.landing import spool, write
from barograph.messages import Record, State
from barograph.sources import SOURCES
from barograph.sources.base import Access, Messages, ReadRequest

KIND: Final = "scripted"
PLACE: Final = f"barograph.sources.{KIND}"
"""Where `barograph.sources` looks for it."""
START: Final = datetime(2024, 12, 1, tzinfo=UTC)
PART_BYTES: Final = 8_000
BATCH_BYTES: Final = 4_000
"""Some 25 rows as landed, and some 60 as they are spooled."""
CONFIG: Final = """
[stations.S]
timezone = "UTC"
[connections.garden]
source = "scripted"
url = "script.json"
station = "S"
"""


@dataclass(frozen=True, slots=True)
class Script:
    """What the source says.

    `rows`: five-minute steps from START, each with a humidity. `every`: a state after so many rows, 0 for a full
    refresh. `fail_at`, `kill_at`: before that row, counted from 0 over all rows. `pause`: seconds before each row.
    """

    rows: Sequence[tuple[int, int]] = field(default_factory=tuple)
    every: int = 0
    fail_at: int | None = None
    kill_at: int | None = None
    pause: float = 0.0

    def write(self, config: Path) -> None:
        """Lay it beside a configuration, and that too where it is missing."""
        config.parent.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            config.write_text(CONFIG, encoding="utf-8")
        config.with_name("script.json").write_text(json.dumps(asdict(self)), encoding="utf-8")


def data(row: tuple[int, int]) -> dict[str, Any]:
    """A row as the source says it."""
    at = START + timedelta(minutes=5 * row[0])
    return {"Date": f"{at:%Y-%m-%d}", "Time": f"{at:%H:%M:%S}", "Humidity": str(row[1])}


class Scripted:
    """The far end."""

    spans: ClassVar[bool] = False

    def __init__(self, connection: Connection, access: Access) -> None:  # noqa: ARG002 - as every source
        self._path = Path(connection.url)

    def read(self, request: ReadRequest) -> Messages:
        """The rows from the state on. A state counts rows, whatever they are."""
        script = Script(**json.loads(self._path.read_text(encoding="utf-8")))
        state: Mapping[str, Any] = request.states.get("", {"at": 0})
        done = state["at"] if script.every else 0
        for number, row in enumerate(script.rows[done:], done):
            if number == script.fail_at:
                raise SourceUnavailable("fell silent", where=str(self._path), hint="the next run tries again")
            if number == script.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if script.pause:
                request.sleep(script.pause)
            yield Record(data(row))
            if script.every and (number + 1) % script.every == 0:
                yield State({"at": number + 1})
        if script.every:
            yield State({"at": len(script.rows)})


_KIND: Final = SourceKind("a script of a test", station=True, decoder="wunderground-table")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source can be named in a configuration; parts and batches are small."""
    monkeypatch.setitem(SOURCE_KINDS, KIND, _KIND)
    monkeypatch.setitem(SOURCES, KIND, f"{KIND}:Scripted")
    monkeypatch.setitem(sys.modules, PLACE, sys.modules[__name__])
    monkeypatch.setattr(spool, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr(write, "BATCH_BYTES", BATCH_BYTES)


if __name__ == "__main__":
    from barograph.faces.cli.main import main
    from tests.e2e.killed import kill_at

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCE_KINDS, KIND, _KIND)
        patch.setitem(SOURCES, KIND, f"{KIND}:Scripted")
        patch.setitem(sys.modules, PLACE, sys.modules[__name__])
        patch.setattr(spool, "PART_BYTES", PART_BYTES)
        patch.setattr(write, "BATCH_BYTES", BATCH_BYTES)
        if sys.argv[1] == "--kill":
            kill_at(sys.argv[2], int(sys.argv[3]), sys.argv[4])
            sys.argv[1:5] = []
        main()
