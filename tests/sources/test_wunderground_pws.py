"""Weather Underground's API: local days, the running day, days without data, quotas, stations that are not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from barograph.config import load
from barograph.errors import ConfigError
from barograph.messages import Span
from tests.sources.api_kinds import KINDS
from tests.sources.api_site import Site, utc
from tests.support.http_server import Reply
from tests.support.weather_servers import PwsServer

KIND = KINDS["wunderground-pws"]
FIRST = utc(2024, 10, 8, 6)
Make = Callable[..., tuple[Site, PwsServer]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A site and its server."""
    with ExitStack() as stack:

        def build(**over: Any) -> tuple[Site, PwsServer]:
            server = stack.enter_context(PwsServer())
            settings = {"pause": 0.0, **KIND.settings, **over}
            site = Site(tmp_path, server, monkeypatch, KIND.name, settings)
            stack.callback(site.close)
            return site, server

        yield build


def asked(server: PwsServer, station: str = "IICHTE19") -> list[str]:
    """The days that a station was asked for, "running" for the one under way."""
    return [seen.query.get("date", ["running"])[0] for seen in server.take() if seen.query["stationId"] == [station]]


def test_the_running_day_comes_first_and_history_never_for_today(make: Make) -> None:
    """history/all keeps what it once said of today, so that today is asked for elsewhere; then the past, in order."""
    site, server = make()
    site.night(FIRST)
    assert asked(server) == ["running", "20241005", "20241006", "20241007"]
    site.night(FIRST + timedelta(hours=3))
    # The day is the same one: yesterday once more, as the overlap asks, and the running day.
    assert asked(server) == ["running", "20241007"]


def test_days_are_those_of_the_station(make: Make) -> None:
    """At 23:30 UTC it is tomorrow in Brussels: the day that ended there is history, the new one is running."""
    site, server = make(start="2024-10-07")
    site.night(utc(2024, 10, 8, 21, 30))
    assert asked(server) == ["running", "20241007"]
    site.night(utc(2024, 10, 8, 23, 30))
    assert asked(server) == ["running", "20241007", "20241008"]


@pytest.mark.parametrize("day", [date(2024, 10, 27), date(2024, 3, 31)])
def test_the_nights_on_which_the_clock_is_changed(make: Make, day: date) -> None:
    """The day of 25 hours and that of 23 come whole: each report has its instant from the epoch, none is doubled."""
    site, server = make(start=(day - timedelta(days=1)).isoformat(), stations=["IICHTE19"])
    server.step = timedelta(minutes=30)
    report = site.night(utc(day.year, day.month, day.day, 12) + timedelta(days=1), ingest=True)
    assert report.rejections == ()
    first, end = utc(day.year, day.month, day.day) - timedelta(hours=3), utc(day.year, day.month, day.day, 23)
    frame = site.store.read("IICHTE19", first, end)
    assert frame.get_column("utc_time").to_list() == list(server.instants("IICHTE19", first, end))


def test_a_day_without_data_is_told_once(make: Make) -> None:
    """204 is a gap, not an error; the overlap asks again, and does not say it again."""
    site, server = make(stations=["IICHTE19"])
    server.gaps |= {("IICHTE19", date(2024, 10, 6)), ("IICHTE19", date(2024, 10, 7)), ("IICHTE19", date(2024, 10, 5))}
    server.step = timedelta(days=1)
    report = site.night(FIRST)
    assert report.status == "done"
    told = [line for line in site.logs() if "has no data on" in line]
    assert told == ["info station IICHTE19 has no data on 2024-10-05, 2024-10-06, 2024-10-07"]
    site.night(FIRST + timedelta(hours=1))
    assert len([line for line in site.logs() if "has no data on" in line]) == 1


def test_the_days_quota_ends_a_sync_well(make: Make) -> None:
    """The sync stops before the server would refuse, says how much is left, and the next day goes on without loss."""
    site, server = make(start="2024-09-28", requests_per_day=7)
    report = site.night(FIRST)
    assert report.status == "done"
    assert len(server.take()) == 7
    assert any(
        "warning the quota of 7 requests a day is spent; 15 station-days are left for the next sync" in line
        for line in site.logs()
    )
    site.night(FIRST + timedelta(hours=2))
    assert server.take() == []
    nights = 0
    while len(KIND.rows(site.landed())) < 160 and nights < 9:
        nights += 1
        site.night(FIRST + timedelta(days=nights))
        assert len(server.take()) <= 7
    first = {at for _, at in KIND.rows(site.landed())}
    assert "2024-09-28T00:00:00Z" in first
    assert "2024-10-02T21:00:00Z" in first


def test_refused_tries_count(make: Make) -> None:
    """What the server was asked counts, answered or not, and is remembered by the next sync of the day."""
    site, server = make(requests_per_day=10)
    server.trouble.extend([Reply(b"", 500)] * 3)
    site.hurry()
    report = site.night(FIRST)
    assert report.connections[0].error is not None
    assert "answered 500 Internal Server Error (3 tries)" in report.connections[0].error
    assert site.state()["quota"] == {"day": "2024-10-08", "used": 3}
    site.night(FIRST)
    assert site.state()["quota"]["used"] == 10


def test_the_minutes_quota_is_kept(make: Make) -> None:
    """After thirty requests the next one waits for the minute to be over."""
    site, server = make(start="2024-09-20")
    pauses = site.hurry()
    site.night(FIRST)
    assert len(server.take()) == 2 * 19
    assert len(pauses) >= 1
    # Counted from the first request: a slow machine may have used some of the minute.
    assert 0 < pauses[0] <= 60


def test_an_unknown_station_costs_its_own_data_only(make: Make) -> None:
    """The others are read to their end; the error names the one."""
    site, server = make(stations=["GONE1", "IICHTE19"])
    server.zones.pop("ILAMAD25")
    site.stations += '[stations.GONE1]\ntimezone = "Europe/Paris"\n'
    report = site.night(FIRST)
    error = str(report.connections[0].error)
    assert "answered 404" in error
    assert "check station GONE1 in the connection's stations; the others were read" in error
    assert asked(server) == ["running", "20241005", "20241006", "20241007"]
    assert {station for station, _ in KIND.rows(site.landed())} == {"IICHTE19"}


def test_a_backfill_covers_local_days(make: Make) -> None:
    """A span of instants touches local days; each is asked for whole, and none twice."""
    site, server = make(stations=["IICHTE19"])
    site.night(FIRST, span=Span(utc(2024, 9, 29, 22), utc(2024, 10, 1, 22)))
    assert asked(server) == ["20240930", "20241001"]


def test_a_station_without_a_timezone_is_refused_at_load(tmp_path: Path) -> None:
    """The check says which station, and where its timezone belongs."""
    path = tmp_path / "b.toml"
    path.write_text(
        '[stations.IX]\nname = "x"\n[connections.w]\nsource = "wunderground-pws"\nstations = ["IX"]\n'
        'api_key = "${K}"\nstart = "2024-10-01"\n'
    )
    with pytest.raises(ConfigError, match=r"timezone of station 'IX' is not known.*set timezone in \[stations.IX\]"):
        load(path, environ={})


def test_single_observations_are_read_too(make: Make) -> None:
    """Should the running day be told as single observations (temp, not tempAvg), they are the same values."""
    site, server = make(stations=["IICHTE19"], start="2024-10-08")
    row = {
        "stationID": "IICHTE19", "epoch": 1728367200, "lat": 51.0, "lon": 3.0, "humidity": 81, "winddir": 200,
        "solarRadiation": 12.5, "uv": 1.0,
        "metric": {"temp": 11.5, "dewpt": 8.0, "windSpeed": 4.0, "windGust": 9.0, "pressure": 1012.5,
                   "precipRate": 0.0, "precipTotal": 1.2, "elev": 15.0},
    }  # fmt: skip

    server.trouble.append(Reply(json.dumps({"observations": [row]}).encode()))
    site.night(FIRST, ingest=True)
    frame = site.store.read("IICHTE19", utc(2024, 10, 8), utc(2024, 10, 9))
    (found,) = frame.iter_rows(named=True)
    assert (found["temperature"], found["pressure"], found["wind_gust"], found["humidity"]) == (11.5, 1012.5, 9.0, 81)
    assert (found["wind_direction"], found["solar"], found["precipitation_acc"]) == ("SSW", 12.5, 1.2)
