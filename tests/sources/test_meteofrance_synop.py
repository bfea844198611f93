"""Météo-France's files: conditional requests, both forms, years that end and begin, stations that come later."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from barograph.messages import Span
from tests.sources.api_kinds import KINDS
from tests.sources.api_site import Site, utc
from tests.support.http_server import Reply
from tests.support.weather_servers import SynopServer, Weather

KIND = KINDS["meteofrance-synop"]
FIRST = utc(2024, 10, 8, 6)
LILLE = "0-20000-0-07015"
Make = Callable[..., tuple[Site, SynopServer]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A site and its server."""
    with ExitStack() as stack:

        def build(**over: Any) -> tuple[Site, SynopServer]:
            server = stack.enter_context(SynopServer())
            site = Site(tmp_path, server, monkeypatch, KIND.name, {"pause": 0.0, **KIND.settings, **over})
            stack.callback(site.close)
            return site, server

        yield build


def years(server: SynopServer) -> list[str]:
    """The files that were asked for."""
    return [seen.path.removesuffix(".csv.gz").rpartition("_")[2] for seen in server.take()]


def test_an_unchanged_file_is_not_sent_again(make: Make) -> None:
    """Its tag and date go with the request, the server says 304, and nothing is landed."""
    site, server = make()
    site.night(FIRST)
    (first,) = server.take()
    assert "if-none-match" not in first.headers
    landed = len(site.landed())
    report = site.night(FIRST + timedelta(minutes=5))
    assert report.status == "done"
    (second,) = server.take()
    assert second.headers["if-none-match"] == '"4503-1728367200"'
    assert second.headers["if-modified-since"] == "Tue, 08 Oct 2024 06:00:00 GMT"
    assert len(site.landed()) == landed
    assert report.connections[0].records == 0


def test_only_news_of_a_changed_file_is_landed(make: Make) -> None:
    """One new report: the rows of the overlap and itself, not those of the year."""
    site, _ = make(start="2024-01-01", overlap_days=0)
    site.night(FIRST)
    before = len(site.landed())
    site.night(FIRST + timedelta(hours=3))
    # Each station's newest report again, and the one after it.
    assert len(site.landed()) - before == 4


def test_both_forms_are_one_record(make: Make) -> None:
    """The classic file of one year and the current one of the next become the same variables, station and clock."""
    site, server = make(start="2023-12-30")
    server.classic = frozenset({2023})
    report = site.night(utc(2024, 1, 3, 6), ingest=True)
    assert (report.status, report.rejections) == ("done", ())
    frame = site.store.read(LILLE, utc(2023, 12, 1), utc(2024, 2, 1))
    times = frame.get_column("utc_time").to_list()
    assert (times[0], times[-1], len(times)) == (utc(2023, 12, 30), utc(2024, 1, 3, 6), 35)
    for at, value in zip(times, frame.get_column("temperature").to_list(), strict=True):
        assert value == pytest.approx(Weather.at("07015", at).temperature, abs=0.01)


def test_a_year_that_ended_is_asked_until_late_data_cannot_come(make: Make) -> None:
    """In the first days of January last year's file is asked for too; then no more."""
    site, server = make(start="2024-12-20")
    site.night(utc(2024, 12, 31, 6))
    assert years(server) == ["2024"]
    for day, asked in ((1, ["2024", "2025"]), (4, ["2024", "2025"]), (5, ["2025"])):
        site.night(utc(2025, 1, day, 6))
        assert years(server) == asked
    assert max(at for _, at in KIND.rows(site.landed()) if at.startswith("2024")) == "2024-12-31T21:00:00Z"


def test_a_new_year_without_a_file(make: Make) -> None:
    """It may come some days late: that is told. A past year without one is an error."""
    site, server = make(start="2024-12-20")
    server.missing = frozenset({2025})
    assert site.night(utc(2025, 1, 2)).status == "done"
    assert "info there is no file of 2025 yet" in site.logs()
    report = site.night(utc(2025, 1, 2), span=Span(utc(2024, 12, 31), utc(2025, 1, 2)))
    assert (report.status, report.connections[0].records) == ("done", 16)
    server.missing = frozenset({2024})
    report = site.night(utc(2025, 1, 3))
    assert "check the connection's url and start" in str(report.connections[0].error)
    assert "synop_2024.csv.gz: answered 404" in str(report.connections[0].error)


def test_stations_by_number(make: Make) -> None:
    """Only the wanted ones are landed; one that is wanted later comes with its whole past."""
    site, server = make(stations=["7015"])
    site.night(FIRST)
    assert {name for name, _ in KIND.rows(site.landed())} == {"07015"}
    site.settings = {**site.settings, "stations": ["07015", "00052"]}
    server.take()
    site.night(FIRST + timedelta(minutes=1))
    (seen,) = server.take()
    assert "if-none-match" not in seen.headers
    assert {at for name, at in KIND.rows(site.landed()) if name == "00052"} == {
        at for name, at in KIND.rows(site.landed()) if name == "07015"
    }


def test_codes_and_markers(make: Make) -> None:
    """Missing is null, a trace of rain is 0 mm, codes of automatic stations are not read as those of people."""
    site, server = make(start="2024-10-08")
    rows = [
        "numer_sta;date;t;u;ff;rr1;rr3;n;ww;pmer;",
        "07015;20241008000000;283.15;mq;5;-0.1;mq;113;110;mq;",
        "07015;20241008030000;mq;80;5;0.0;-0.100;mq;95;101325;",
        "07015;20241008060000;28x.15;80;5;0.0;1;0;5;101325;",
        "07015;soon;283.15;80;5;0.0;1;0;5;101325;",
    ]
    server.trouble.append(Reply("\n".join(rows).encode()))
    report = site.night(FIRST, ingest=True)
    frame = site.store.read(LILLE, utc(2024, 10, 8), utc(2024, 10, 9))
    names = ("temperature", "humidity", "precipitation_1h", "precipitation_3h", "ncloud_cover", "temps_omm", "pressure")
    found = [tuple(row[name] for name in names) for row in frame.iter_rows(named=True)]
    assert found == [(10.0, None, 0.0, None, 9, None, None), (None, 80, 0.0, 0.0, None, 95, 1013.25)]
    said = {(rejection.line, rejection.column, rejection.value) for rejection in report.rejections}
    assert said == {(3, "t", "28x.15"), (4, "time", "soon")}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\x1f\x8b\x08\x00rubbish", "gzip"),
        (b"<!DOCTYPE html><title>Sign in</title>", "is no SYNOP file.*Sign in.*must be the folder of"),
        (b"", "is no SYNOP file"),
        (b"numer_sta;date;temp;u;ff\n07015;20241008000000;283.15;80;5\n", "has no column 't'"),
        (b"numer_sta;date;t;t;u;ff\n", "has the column 't' twice"),
        ("numer_sta;date;t;u;ff;nom\n07015;20241008000000;1;2;3;é\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_what_is_no_file(make: Make, body: bytes, said: str) -> None:
    """Each is refused by its own name; nothing is landed."""
    site, server = make()
    server.trouble.append(Reply(body))
    report = site.night(FIRST)
    error = str(report.connections[0].error)
    assert error.startswith("connection net, http://127.0.0.1")
    assert re.search(said, error)
    assert site.landed() == []


def test_a_row_of_the_future_hides_nothing(make: Make) -> None:
    """A wrong time in one row, however far ahead, does not keep the station's next reports out."""
    site, server = make(stations=["07015"])
    rows = ["numer_sta;date;t;u;ff", "07015;20991008000000;283.15;80;5", "07015;20241008000000;283.15;80;5"]
    server.trouble.append(Reply("\n".join(rows).encode()))
    site.night(FIRST)
    site.night(FIRST + timedelta(days=1))
    assert ("07015", "2024-10-09T06:00:00Z") in KIND.rows([row for row in site.landed() if "validity_time" in row])


@pytest.mark.parametrize("more", [1, 9000])
def test_a_quote_that_does_not_close(make: Make, more: int) -> None:
    """It would swallow the rest of the file: the file is refused, by its line."""
    site, server = make()
    row = "07015;20241008030000;1;2;3\n"
    body = f'numer_sta;date;t;u;ff\n{row}07015;"20241008000000;1;2;3\n' + row * more
    server.trouble.append(Reply(body.encode()))
    report = site.night(FIRST)
    assert "is a damaged table: a quote that does not close, in line 3" in str(report.connections[0].error)
    assert site.landed() == []


def test_a_backfill_takes_the_span_only(make: Make) -> None:
    """Instants from the first to the last, the end not included."""
    site, _ = make()
    site.night(FIRST, span=Span(utc(2023, 12, 31, 18), utc(2024, 1, 1, 6)))
    assert sorted({at for _, at in KIND.rows(site.landed())}) == [
        "2023-12-31T18:00:00Z", "2023-12-31T21:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T03:00:00Z",
    ]  # fmt: skip
