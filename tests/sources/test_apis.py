"""What the four interfaces have in common, through the whole job: nights, late data, backfills, faults, secrets."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.messages import Span
from barograph.sources.http_get import HttpGet
from barograph.variables import NAMES
from tests.sources.api_kinds import KINDS, START, Kind, point
from tests.sources.api_site import Site, utc
from tests.support.http_server import FAILING, Reply, html, plain, redirect, too_many
from tests.support.weather_servers import TOKEN, Weather, WeatherServer

Make = Callable[..., Site]
FIRST, SECOND = utc(2024, 10, 8, 6), utc(2024, 10, 9, 6)
BACK = Span(utc(2024, 10, 1), utc(2024, 10, 4))


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each of the four."""
    return KINDS[request.param]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Builds sites, each with a server and a folder of its own, and ends them."""
    with ExitStack() as stack:

        def build(kind: Kind, *, retries: int = 2, environ: dict[str, str] | None = None, **over: Any) -> Site:
            server = stack.enter_context(kind.server())
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            site = Site(
                folder, server, monkeypatch, kind.name, {"pause": 0.0, **kind.settings, **over}, retries=retries
            )
            if environ is not None:
                site.environ = environ
            stack.callback(site.close)
            return site

        yield build


def expected(kind: Kind, server: WeatherServer, first: datetime, end: datetime) -> set[tuple[str, datetime]]:
    """Station and instant of what must be in the record."""
    return {(kind.prefix + name, at) for name, at in kind.visible(server, first, end)}


def stored(site: Site, kind: Kind) -> dict[tuple[str, datetime], dict[str, Any]]:
    """The record: station and instant -> the values that are not null."""
    found = {}
    for name in kind.stations:
        frame = site.store.read(kind.prefix + name, utc(2024, 1, 1), utc(2025, 12, 31))
        for row in frame.iter_rows(named=True):
            values = {key: row[key] for key in NAMES if row.get(key) is not None}
            found[kind.prefix + name, row["utc_time"]] = values
    return found


def local_start(kind: Kind) -> datetime:
    """When the first day begins: a personal station's is local."""
    return START - timedelta(hours=2) if kind.name == "wunderground-pws" else START


def test_values_are_right(make: Make, kind: Kind) -> None:
    """Every report that the server has is stored, and each value is that of the weather, whatever its unit was."""
    site = make(kind)
    report = site.night(FIRST, ingest=True)
    assert (report.status, report.errors, report.rejections) == ("done", (), ())
    record = stored(site, kind)
    # Whether the report of this very second is out yet differs from server to server.
    assert set(record) >= expected(kind, site.server, local_start(kind), FIRST)
    assert set(record) <= expected(kind, site.server, local_start(kind), FIRST + timedelta(seconds=1))
    for (station, at), values in record.items():
        weather = Weather.at(station.removeprefix(kind.prefix), at)
        truth = {name: value for name, value in kind.truth(weather).items() if value is not None}
        truth["wind_direction"] = point(weather.direction)
        assert set(values) == set(truth)
        for name, value in truth.items():
            assert values[name] == (value if isinstance(value, str) else pytest.approx(value, abs=0.02)), (name, at)


def test_stations_carry_position_and_licence(make: Make, kind: Kind) -> None:
    """What the server says of a station stands with it, and the licence of its data always."""
    site = make(kind)
    site.night(FIRST, ingest=True)
    stations = {one.station.station_id: one.station for one in site.store.stations()}
    for name, licence in kind.licences.items():
        station = stations[kind.prefix + name]
        assert (station.license_info or "").startswith(licence)
        assert station.latitude == pytest.approx(50.8, abs=0.4)


def test_a_night_asks_for_what_is_new(make: Make, kind: Kind) -> None:
    """The second night makes few requests, lands the new day, and the record is that of one long sync."""
    site, once = make(kind), make(kind)
    site.night(FIRST, ingest=True)
    site.server.take()
    site.night(SECOND, ingest=True)
    assert len(site.server.take()) == kind.nightly
    once.night(SECOND, ingest=True)
    assert stored(site, kind) == stored(once, kind)
    again = site.night(SECOND + timedelta(minutes=1))
    assert again.status == "done"


def test_late_data_is_found(make: Make, kind: Kind) -> None:
    """A report that appears two days after its instant comes with the next night, when it lies within the overlap."""
    site = make(kind)
    late = (kind.stations[0], utc(2024, 10, 7, 3))
    site.server.late[late] = utc(2024, 10, 8, 20)
    site.night(FIRST, ingest=True)
    wanted = (kind.prefix + late[0], late[1])
    assert wanted not in stored(site, kind)
    site.night(SECOND, ingest=True)
    assert wanted in stored(site, kind)


def test_a_backfill_leaves_the_nightly_cursor_alone(make: Make, kind: Kind) -> None:
    """The span is asked for and stored, nothing else is, and the next night goes on as if nothing had been."""
    site = make(kind)
    site.night(FIRST, ingest=True)
    cursor, before = site.state(), stored(site, kind)
    site.server.take()
    report = site.night(FIRST + timedelta(hours=1), span=BACK, ingest=True)
    assert report.status == "done"
    added = set(stored(site, kind)) - set(before)
    whole = expected(kind, site.server, BACK.start, BACK.end)
    # A server asked by day gives whole days, local ones among them.
    assert whole <= added <= expected(kind, site.server, BACK.start - timedelta(hours=2), BACK.end + timedelta(days=1))
    state = site.state()
    quota, state = state.pop("quota", None), {key: value for key, value in state.items() if key != "quota"}
    assert state == {key: value for key, value in cursor.items() if key != "quota"}
    assert quota is None or quota["used"] > cursor["quota"]["used"]
    site.server.take()
    site.night(SECOND)
    assert len(site.server.take()) == kind.nightly


def test_a_backfill_asks_again(make: Make, kind: Kind) -> None:
    """A span that was asked for before is asked for again: its data may have been corrected meanwhile."""
    site = make(kind)
    asked = []
    for hour in (1, 2):
        site.night(FIRST + timedelta(hours=hour), span=BACK)
        asked.append(len(site.server.take()))
    assert asked[0] == asked[1] > 0


def test_a_backfill_that_broke_off_goes_on(make: Make, kind: Kind) -> None:
    """The same span asked for again begins where it was; with the night between, too."""
    span = Span(utc(2022, 12, 30), utc(2024, 1, 3)) if kind.name == "meteofrance-synop" else BACK
    whole, site = make(kind, **kind.narrow), make(kind, retries=0, **kind.narrow)
    whole.night(FIRST, span=span)
    needed = len(whole.server.take())
    assert needed >= 3
    with pytest.MonkeyPatch.context() as patch:
        break_at(site, needed - 1, "500", patch)
        report = site.night(FIRST, span=span)
    assert report.connections[0].error is not None
    assert "answered 500" in report.connections[0].error
    assert "backfill" in site.state()
    site.night(FIRST + timedelta(hours=1))
    assert "backfill" in site.state()
    site.server.take()
    site.night(FIRST + timedelta(hours=2), span=span)
    # The failed request and those that were left; no more than one is asked for twice.
    assert len(site.server.take()) <= 4
    assert "backfill" not in site.state()
    facts = kind.rows(site.landed())
    assert all(facts[key] == row for key, row in kind.rows(whole.landed()).items())


class Killed(BaseException):
    """The process is gone: nothing is caught, nothing is settled."""


FAULTS = ("500", "503", "cut", "html", "wrong", "stop", "kill")


def break_at(site: Site, number: int, fault: str, patch: pytest.MonkeyPatch) -> None:
    """Let the request of that number, counted from now, come to grief."""
    count = 0
    call = HttpGet.__call__

    def request(self: HttpGet) -> Any:
        nonlocal count
        count += 1
        if count == number and fault == "kill":
            raise Killed
        if count == number and fault == "stop":
            site.stop.set()
        if count == number and fault in REPLIES:
            site.server.trouble.append(REPLIES[fault])
        return call(self)

    patch.setattr(HttpGet, "__call__", request)


REPLIES = {
    "500": FAILING,
    "503": Reply(b"busy", 503),
    "cut": Reply(b"x" * 2000, cut_at=700),
    "html": html("Sign in"),
    "wrong": plain("Wrong ip address"),
}


@pytest.mark.parametrize("kind_name", sorted(KINDS))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(st.tuples(st.integers(1, 7), st.sampled_from(FAULTS)), min_size=1, max_size=4),
    batches=st.sampled_from((1, 64 << 20)),
)
def test_broken_off_and_resumed_is_uninterrupted(
    make: Make, kind_name: str, faults: list[tuple[int, str]], batches: int
) -> None:
    """However syncs end, killed ones included, the next ones complete what one good sync lands; no state runs ahead."""
    kind = KINDS[kind_name]
    over = kind.narrow | ({"start": "2023-12-30"} if kind_name == "meteofrance-synop" else {})
    site, whole = make(kind, retries=0, **over), make(kind, **over)
    now = FIRST
    for one in (site, whole):
        one.server.step = timedelta(hours=12)
    with pytest.MonkeyPatch.context() as small:
        small.setattr("barograph.landing.write.BATCH_BYTES", batches)
        for number, fault in faults:
            with pytest.MonkeyPatch.context() as patch:
                break_at(site, number, fault, patch)
                with suppress(Killed):
                    site.night(now)
            site.stop.clear()
            site.server.trouble.clear()
        final = site.night(now)
    assert final.status == "done"
    whole.night(now)
    assert kind.rows(site.landed()) == kind.rows(whole.landed())


@pytest.mark.parametrize("name", ["infoclimat-api", "wunderground-pws"])
def test_no_output_holds_the_secret(make: Make, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A server may repeat the key in a text, a page, a redirect, a record: it stands in no error, log or file."""
    forms = [TOKEN, quote(TOKEN), quote(TOKEN, safe=""), quote_plus(TOKEN), json.dumps(TOKEN)[1:-1]]
    echo = {"observations": [{"epoch": 1, "note": TOKEN}], "status": "OK", "hourly": {"_params": [TOKEN]}}
    replies = [
        plain(f"no such key: {TOKEN}, says {quote(TOKEN)}", 200),
        plain("x" * 190 + TOKEN, 200),
        plain(f"denied to {TOKEN}", 403),
        html(f"Sign in, {TOKEN}"),
        redirect(f"ftp://elsewhere/{quote(TOKEN)}"),
        redirect(f"/next?x={quote(TOKEN)}"),
        Reply(json.dumps({"status": "ERROR", "errors": [TOKEN]}).encode()),
        Reply(json.dumps(echo).encode()),
        Reply(json.dumps(echo, ensure_ascii=False).encode()),
    ]
    site = make(KINDS[name], retries=0)
    for reply in replies:
        site.server.trouble.append(reply)
        report = site.night(FIRST, ingest=True)
        for text in (str(report), *site.logs(), caplog.text):
            assert not [form for form in forms if form in text]
    for form in forms:
        assert form.encode() not in site.everything()
    assert b"***" in site.everything()


def test_a_key_in_the_path_is_no_output_either(make: Make) -> None:
    """`${VARIABLE}` in the path of an address: the error shows *** there."""
    kind = KINDS["meteofrance-synop"]
    site = make(kind, retries=0, environ={"MIRROR_KEY": "pathsecret"})
    site.server.missing = frozenset({2024})  # type: ignore[attr-defined]
    site.path = "/${MIRROR_KEY}/synop"
    report = site.night(FIRST)
    assert "/***/synop/synop_2024.csv.gz" in str(report.connections[0].error)
    assert "pathsecret" not in "".join(site.logs()) + str(report)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("infoclimat-api", ("'Wrong ip address'", "ask for a token for this machine's public address")),
        ("wunderground-pws", ("answered 401", "check what ${WEATHER_KEY} holds: it is the connection's api_key")),
    ],
)
def test_a_wrong_key_is_final(make: Make, name: str, said: tuple[str, str]) -> None:
    """One request, an error that names the connection and what to do, and nothing landed."""
    site = make(KINDS[name], environ={"WEATHER_KEY": "another-key"})
    report = site.night(FIRST)
    error = str(report.connections[0].error)
    assert error.startswith("connection net, http://127.0.0.1")
    for text in said:
        assert text in error
    assert len(site.server.take()) == 1
    assert site.landed() == []
    assert "another-key" not in "".join(site.logs()) + error


def test_an_unset_variable_is_told(make: Make) -> None:
    """The variable is named, before anything is asked for."""
    site = make(KINDS["infoclimat-api"], environ={})
    report = site.night(FIRST)
    assert "the environment variable WEATHER_KEY is not set" in str(report.connections[0].error)
    assert site.server.take() == []


def test_a_busy_server_is_waited_for(make: Make, kind: Kind) -> None:
    """429 and 503 are tried again in the same sync, after what Retry-After asks for."""
    site = make(kind)
    pauses = site.hurry()
    site.server.trouble.extend([too_many("7"), Reply(b"busy", 503, headers={"Retry-After": "9"})])
    report = site.night(FIRST)
    assert report.status == "done"
    assert pauses[:2] == [7.0, 9.0]


def test_a_clock_that_was_ahead_costs_nothing(make: Make, kind: Kind) -> None:
    """After a night with a clock three months ahead, in another year, the nights ask for their days all the same."""
    site, whole = make(kind), make(kind)
    site.hurry()
    site.server.missing = frozenset({2025})  # type: ignore[attr-defined]
    site.night(utc(2025, 1, 5), server=FIRST, ingest=True)
    for day in (9, 10):
        site.night(utc(2024, 10, day, 6), ingest=True)
        whole.night(utc(2024, 10, day, 6), ingest=True)
        assert stored(site, kind) == stored(whole, kind)


def test_a_stop_ends_the_pause(make: Make, kind: Kind) -> None:
    """Asked to stop while it waits for a busy server, a sync ends then, and does not ask again."""
    site = make(kind)
    site.server.trouble.append(too_many("59"))
    with pytest.MonkeyPatch.context() as patch:
        break_at(site, 1, "stop", patch)
        report = site.night(FIRST)
    assert "was stopped before its end" in str(report.connections[0].error)
    assert len(site.server.take()) == 1
    assert site.landed() == []


@pytest.mark.parametrize("form", [{"format": "csv"}, {"compression": "gzip"}, {"format": "csv", "compression": "gzip"}])
def test_however_it_is_landed(make: Make, kind: Kind, form: dict[str, str]) -> None:
    """CSV or JSON lines, gzip or not: the record is the same."""
    site, plainly = make(kind, **form), make(kind)
    assert site.night(FIRST, ingest=True).status == "done"
    plainly.night(FIRST, ingest=True)
    assert stored(site, kind) == stored(plainly, kind) != {}


def test_a_new_station_begins_at_the_start(make: Make) -> None:
    """A station that is added later is asked for from the first day on; those that stand are not asked again."""
    kind = KINDS["iem-asos"]
    site = make(kind, stations=["LFQQ"])
    site.night(FIRST)
    site.settings = {**site.settings, "stations": ["LFQQ", "EBOS"]}
    site.server.take()
    site.night(SECOND)
    asked = {tuple(seen.query["station"]): seen.query["sts"][0] for seen in site.server.take()}
    assert asked == {("EBOS",): "2024-10-05T00:00Z", ("LFQQ",): "2024-10-06T00:00Z"}
