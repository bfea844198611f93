"""Forgetting how far a connection's incremental syncs have come."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from barograph.landing import last_state, reset
from barograph.model import utc_now
from barograph.pipeline.locks import connection_lock

if TYPE_CHECKING:
    from barograph.config import Connection
    from barograph.landing import LandingZone


def forget_state(zone: LandingZone, connection: Connection, data_dir: Path) -> list[str]:
    """Forget the states of a connection's streams; those that had one. What is landed stays.

    Raises SyncStopped while it is being synced.
    """
    with connection_lock(data_dir, connection.name):
        folders = [folder for folder in connection.folders if last_state(zone, folder) is not None]
        return [folder for folder in folders if reset(zone, folder, started=utc_now())]
