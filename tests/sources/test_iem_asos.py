"""The ASOS archive: how it is asked, what it says in place of a table, and reports that break off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.sources.api_kinds import KINDS
from tests.sources.api_site import Site, utc
from tests.support.http_server import Reply, html, plain
from tests.support.weather_servers import IEM, IemServer

KIND = KINDS["iem-asos"]
FIRST = utc(2024, 10, 8, 6)
Make = Callable[..., tuple[Site, IemServer]]
HEADER = ",".join(IEM)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A site and its server."""
    with ExitStack() as stack:

        def build(**over: Any) -> tuple[Site, IemServer]:
            server = stack.enter_context(IemServer())
            site = Site(tmp_path, server, monkeypatch, KIND.name, {"pause": 0.0, **KIND.settings, **over})
            stack.callback(site.close)
            return site, server

        yield build


def test_windows_and_batches(make: Make) -> None:
    """A long past is asked for window by window and batch by batch, with a pause before each but the first."""
    site, server = make(start="2024-09-01", window_days=10, batch=1, pause=2.5)
    pauses = site.hurry()
    site.night(FIRST)
    asked = [(seen.query["station"], seen.query["sts"], seen.query["ets"]) for seen in server.take()]
    windows = [("09-01", "09-11"), ("09-10", "09-20"), ("09-19", "09-29"), ("09-28", "10-08"), ("10-07", "10-09")]
    assert asked == [
        ([name], [f"2024-{first}T00:00Z"], [f"2024-{end}T00:00Z"])
        for name in ("LFQQ", "EBOS")
        for first, end in windows
    ]
    assert len(pauses) == len(asked) - 1
    assert 0 < pauses[0] <= 2.5


def test_a_station_without_reports_is_told(make: Make) -> None:
    """The table may be empty for some: information, not an error."""
    site, server = make()
    server.trouble.append(Reply(f"{HEADER}\n".encode()))
    assert site.night(FIRST).status == "done"
    assert "info IEM has no report of EBOS, LFQQ from 2024-10-05 to 2024-10-08" in site.logs()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (plain("ERROR: unknown station XXXX"), "ERROR: unknown station XXXX"),
        (html("Under maintenance"), "DOCTYPE html"),
        (Reply(b""), "answered no table of reports"),
        (plain("too much data", 422), "answered 422"),
        (plain("station,valid,temperature\nLFQQ,2024-10-07 00:20,9\n"), "has no column 'tmpf'"),
    ],
)
def test_what_is_no_table(make: Make, reply: Reply, said: str) -> None:
    """Refused with what it says; the next night asks for all of it again."""
    site, server = make()
    server.trouble.append(reply)
    report = site.night(FIRST)
    assert said in str(report.connections[0].error)
    assert str(report.connections[0].error).startswith("connection net, ")
    assert site.landed() == []
    site.night(FIRST)
    assert len(KIND.rows(site.landed())) == 52


def test_a_table_that_ends_in_a_line(make: Make) -> None:
    """The program behind the server died: HTTP does not show it, the line does. Nothing of it is taken."""
    site, server = make()
    server.trouble.append(Reply(f"{HEADER}\nLFQQ,2024-10-05 00:00,3.0,50.5".encode()))
    report = site.night(FIRST)
    assert "connection net: ends in the middle of a line" in str(report.connections[0].error)
    assert site.landed() == []


def test_markers(make: Make) -> None:
    """M is null, a trace of rain is 0 mm, wind in knots, and the altimeter setting is not taken for sea level."""
    site, server = make(stations=["LFQQ"])
    cells = {"station": "LFQQ", "valid": "2024-10-07 00:20", "tmpf": "50.00", "sknt": "10.00", "p01i": "0.0001",
             "alti": "29.92", "lat": "M", "lon": "M"}  # fmt: skip
    server.trouble.append(Reply(f"{HEADER}\n{','.join(cells.get(name, 'M') for name in IEM)}\n".encode()))
    report = site.night(FIRST, ingest=True)
    assert report.rejections == ()
    (row,) = site.store.read("LFQQ", utc(2024, 10, 7), utc(2024, 10, 8)).iter_rows(named=True)
    assert (row["temperature"], row["mean_wind_speed"], row["precipitation_1h"]) == (10.0, 18.52, 0.0)
    assert [name for name in ("pressure", "wind_gust", "wind_direction", "visibility") if row.get(name)] == []
