"""The command line, killed by SIGKILL at a stage boundary.

    python -m tests.e2e.killed STAGE CALL before|after ARGUMENTS…

No handler, no flush, no farewell: what a power cut or the kernel's out-of-memory killer does, at a chosen instant.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from typing import Any, Final

from barograph.faces.cli.main import main
from barograph.landing.zone import LandingZone
from barograph.store.mongo import MongoStore
from barograph.store.sqlite import SqliteStore

STAGES: Final = {
    "land": "create",
    "stations": "put_stations",
    "days": "save_days",
    "logs": "put_logs",
    "ledger": "put_objects",
    "summaries": "refresh_summaries",
    "run": "put_run",
    "empty-ledger": "delete_objects",
    "empty-days": "delete_days",
}
"""Stage -> the method of the landing zone or of the stores that is its boundary."""


def kill_at(stage: str, number: int, when: str) -> None:
    """Arrange that this process is killed before or after the `number`-th call (from 1) of a stage's method."""
    name, calls = STAGES[stage], count(1)
    for owner in (LandingZone,) if stage == "land" else (SqliteStore, MongoStore):
        original: Any = getattr(owner, name)

        def deadly(*args: Any, original: Any = original, **kwargs: Any) -> Any:
            # Several connections are synced at once: each call has its own number.
            mine = next(calls)
            if mine == number and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*args, **kwargs)
            if mine == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, name, deadly)


if __name__ == "__main__":
    kill_at(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    sys.argv[1:4] = []
    main()
