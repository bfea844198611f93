# ruff: noqa: INP001 - a script beside the pages, not a package
"""Draws docs/images/completeness.png from simulated feeds in which every cause of a gap occurs.

    python docs/completeness_picture.py FILE.png

Three weeks of seven stations, read on 21 October at 16:00 UTC and looked at on 24 October at noon: one connection could
not be read since, one has not been asked since, and the other stations' feeds said nothing more.
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from barograph.config import load
from barograph.landing import land, open_landing
from barograph.messages import Record
from barograph.pipeline import Job, ingest, sync
from barograph.plot import plot_calendar
from barograph.query import Query, completeness
from barograph.simulate import simulate
from barograph.sources import Access, ReadRequest, open_source
from barograph.store import open_store

READ: Final = datetime(2024, 10, 21, 16, tzinfo=UTC)
NOW: Final = datetime(2024, 10, 24, 12, tzinfo=UTC)
FAULTS: Final = ("gap", "gap", "unparsable", "time", "gap", "unparsable", "time")
BROKEN: Final = "ILAMAD25"
FORGOTTEN: Final = "IICHTE19"


def main(target: Path) -> None:
    """Write the picture."""
    with TemporaryDirectory() as folder:
        network = simulate(Path(folder) / "feeds", start=date(2024, 10, 1), days=21, stations=7, seed=4, faults=FAULTS)
        settings = load(network.config, data_dir=Path(folder) / "data", environ={})
        zone = open_landing(settings.landing_url, settings.landing_prefix)
        access = Access(settings.limits, settings.data_dir)
        for connection in settings.connections.values():
            messages = open_source(connection, access).read(ReadRequest(now=READ))
            land(zone, connection.stream, [m.data for m in messages if isinstance(m, Record)], started=READ)
        settings.data_dir.mkdir(exist_ok=True)
        with closing(open_store(settings.store_url)) as store:
            job = Job(settings, zone, store)
            ingest(job)
            for connection in settings.connections.values():
                if connection.station == BROKEN:
                    Path(connection.url).unlink()
                if connection.station != FORGOTTEN:
                    sync(job, [connection.name])
            ingest(job)
            frame = completeness(store, first="2024-10-01", last="2024-10-24", now=NOW)
            stations = [stored.station for stored in Query(store).stations()]
        plot_calendar(frame, stations, path=target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
