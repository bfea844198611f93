"""The command line with a pause between loading days and saving them: `python -m tests.e2e.slowed ARGUMENTS…`.

Two such processes on one store meet in every pause.
"""

from __future__ import annotations

import time
from typing import Any, Final

from barograph.faces.cli.main import main
from barograph.store.mongo import MongoStore
from barograph.store.sqlite import SqliteStore

PAUSE: Final = 0.05


def slow_down() -> None:
    """Let every `load_days` answer late."""
    for owner in (SqliteStore, MongoStore):
        original: Any = owner.load_days

        def late(*args: Any, original: Any = original) -> Any:
            days = original(*args)
            time.sleep(PAUSE)
            return days

        setattr(owner, "load_days", late)  # noqa: B010 - mypy has no business with a patched method


if __name__ == "__main__":
    slow_down()
    main()
