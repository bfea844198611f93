"""The contract of `barograph.store.base.Store`, held over both engines: station-days."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from barograph.errors import BarographError, ConfigError, StoreError, UsageError
from barograph.model import RunReport, Station
from barograph.store import open_store
from barograph.store.base import DayKey, LogQuery, StationDay, Store
from tests.support.days import DAY, EXTRACTED, at, canonical, day_of, frame_of, station_days

NEXT = DAY + timedelta(days=1)
NUMBER = count()


@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_day_comes_back_as_it_was_saved(store: Store, data: st.DataObject) -> None:
    """Every value, null, flag, override and origin of any sound day survives, whichever way it is read."""
    day = data.draw(station_days(f"station-{next(NUMBER)}"))
    assert store.save_days([day]) == set()
    saved = replace(day, revision=1, frame=canonical(day.frame))
    assert_same(store.load_days([day.key])[day.key], saved)
    (streamed,) = store.days(day.key.station_id, day.key.day, day.key.day + timedelta(days=1))
    assert_same(streamed, saved)
    start = at(day.key.day)
    read = store.read(day.key.station_id, start, start + timedelta(days=1), provenance=True)
    origin = pl.Series("origin", [day.sources[place] for place in saved.frame["source"]])
    shown = [
        name
        for name in saved.frame.columns
        if not name.endswith(("_source", "_line", "_extracted_at", "source", "line"))
    ]
    shown.remove("extracted_at")
    assert_frame_equal(read, saved.frame.with_columns(origin).select(*shown, "extracted_at", "origin", "line"))


def assert_same(left: StationDay, right: StationDay) -> None:
    assert_frame_equal(left.frame, right.frame)
    assert replace(left, frame=right.frame) == right


def test_only_the_days_that_exist_are_loaded(store: Store) -> None:
    """Asking for a day that is not there gives nothing for it."""
    here = day_of(temperature=[1.5])
    store.save_days([here])
    assert set(store.load_days([here.key, DayKey("IICHTE19", NEXT), DayKey("ILAMAD25", DAY)])) == {here.key}
    assert store.load_days([]) == {}
    assert store.save_days([]) == set()


def test_many_days_load_at_once(store: Store) -> None:
    """More keys than an engine asks for at a time."""
    days = [day_of(day=DAY + timedelta(days=number), temperature=[float(number)]) for number in range(150)]
    store.save_days(days)
    loaded = store.load_days([day.key for day in days])
    assert [loaded[day.key].frame["temperature"][0] for day in days] == [float(number) for number in range(150)]


def test_a_save_wins_only_against_the_revision_it_has_read(store: Store) -> None:
    """A day that exists, or has moved on, is returned as lost and stays as it was; the others of the call are saved."""
    first = day_of(temperature=[1.0])
    assert store.save_days([first]) == set()
    assert store.save_days([day_of(temperature=[2.0])]) == {first.key}
    loaded = store.load_days([first.key])[first.key]
    assert loaded.revision == 1
    assert store.save_days([replace(loaded, frame=day_of(temperature=[3.0]).frame)]) == set()
    stale = replace(loaded, frame=day_of(temperature=[4.0]).frame)
    fresh = day_of(day=NEXT, temperature=[5.0])
    never = day_of(day=NEXT + timedelta(days=1), temperature=[6.0], revision=7)
    assert store.save_days([stale, fresh, never]) == {stale.key, never.key}
    after = store.load_days([stale.key, fresh.key, never.key])
    assert {key: (day.revision, day.frame["temperature"][0]) for key, day in after.items()} == {
        stale.key: (2, 3.0),
        fresh.key: (1, 5.0),
    }


def test_of_two_handles_one_wins(store: Store, store_url: str) -> None:
    """Two openings of one store that loaded the same revision: the second to save is told that it lost."""
    store.save_days([day_of(temperature=[1.0])])
    key = DayKey("IICHTE19", DAY)
    with closing(open_store(store_url)) as other:
        mine, theirs = store.load_days([key])[key], other.load_days([key])[key]
        assert other.save_days([replace(theirs, frame=day_of(temperature=[2.0]).frame)]) == set()
        assert store.save_days([mine]) == {key}
        assert store.load_days([key])[key].frame["temperature"].to_list() == [2.0]


def count_up(url: str, times: int) -> None:
    """Add one to a day's value `times` times, starting over whenever the race is lost."""
    with closing(open_store(url)) as store:
        done = 0
        while done < times:
            day = store.load_days([DayKey("IICHTE19", DAY)]).get(DayKey("IICHTE19", DAY), day_of(temperature=[0.0]))
            value = day.frame["temperature"][0] + 1
            done += not store.save_days([replace(day, frame=day_of(temperature=[value]).frame)])


def test_two_processes_lose_no_update(store_url: str) -> None:
    """Two processes that open a store which does not exist yet, and change one day at once: every change counts."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=count_up, args=(store_url, 12)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with closing(open_store(store_url)) as store:
        (day,) = store.days("IICHTE19", DAY, NEXT)
        assert (day.revision, day.frame["temperature"][0]) == (24, 24.0)


def test_threads_share_a_store(store: Store) -> None:
    """One handle serves readers and writers in several threads."""

    def work(number: int) -> int:
        station = f"thread-{number}"
        for place in range(5):
            store.save_days([day_of(station, DAY + timedelta(days=place), temperature=[1.0, 2.0])])
        return store.read(station, at(DAY), at(DAY) + timedelta(days=5)).height

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [10] * 4


def test_what_was_saved_is_there_when_opened_again(store_url: str) -> None:
    """A closed store keeps its record."""
    with closing(open_store(store_url)) as store:
        store.save_days([day_of(temperature=[1.0])])
    with closing(open_store(store_url)) as store:
        assert store.read("IICHTE19", at(DAY), at(NEXT))["temperature"].to_list() == [1.0]


@pytest.fixture
def two_days(store: Store) -> Store:
    """Temperature (flagged once) and humidity on one day, temperature and wind on the next; 07015 has a day as well."""
    first = day_of(
        instants=[at(DAY, 0), at(DAY, 12), at(DAY, 23, 59)],
        temperature=[10.0, 99.0, None],
        humidity=[None, None, 80],
        temperature_flag=[None, 4, None],
        sources=("a", "b"),
        source=[0, 1, 1],
    )
    second = day_of(
        day=NEXT,
        instants=[at(NEXT, 0), at(NEXT, 6)],
        temperature=[7.0, 8.0],
        wind_direction=["NNE", "W"],
        sources=("c#sheet",),
        line=[None, None],
    )
    store.save_days([first, second, day_of("07015", temperature=[1.0])])
    return store


def expected(**columns: list[Any]) -> pl.DataFrame:
    return frame_of(columns)


def test_a_day_has_the_columns_that_are_observed(two_days: Store) -> None:
    """Without a choice of variables: those of the day, then their flags; never provenance."""
    assert_frame_equal(
        two_days.read("IICHTE19", at(DAY), at(NEXT)),
        expected(
            utc_time=[at(DAY, 0), at(DAY, 12), at(DAY, 23, 59)],
            temperature=[10.0, 99.0, None],
            humidity=[None, None, 80],
            temperature_flag=[None, 4, None],
        ),
    )


def test_days_of_different_columns_are_read_as_one_span(two_days: Store) -> None:
    """A variable that a day does not have is null there; columns stand in the table's order."""
    assert_frame_equal(
        two_days.read("IICHTE19", at(DAY), at(NEXT) + timedelta(days=1)),
        expected(
            utc_time=[at(DAY, 0), at(DAY, 12), at(DAY, 23, 59), at(NEXT, 0), at(NEXT, 6)],
            temperature=[10.0, 99.0, None, 7.0, 8.0],
            humidity=[None, None, 80, None, None],
            wind_direction=[None, None, None, "NNE", "W"],
            temperature_flag=[None, 4, None, None, None],
        ),
    )


def test_a_span_begins_with_its_start_and_ends_before_its_end(two_days: Store) -> None:
    """start <= utc_time < end, across midnight; what is not observed inside the span has no column."""
    assert_frame_equal(
        two_days.read("IICHTE19", at(DAY, 23, 59), at(NEXT, 6)),
        expected(
            utc_time=[at(DAY, 23, 59), at(NEXT, 0)],
            temperature=[None, 7.0],
            humidity=[80, None],
            wind_direction=[None, "NNE"],
        ),
    )
    later = at(DAY, 23, 59) + timedelta(microseconds=1)
    assert two_days.read("IICHTE19", later, at(NEXT, 0)).height == 0
    assert two_days.read("IICHTE19", later, at(NEXT, 0) + timedelta(microseconds=1))["utc_time"].to_list() == [
        at(NEXT, 0)
    ]
    paris = datetime.fromisoformat("2024-10-02T01:59+02:00")
    assert two_days.read("IICHTE19", paris, paris + timedelta(minutes=1))["humidity"].to_list() == [80]


def test_variables_asked_for_are_always_there(two_days: Store) -> None:
    """In the table's order, null where nothing is known, with their own flags only."""
    assert_frame_equal(
        two_days.read("IICHTE19", at(DAY), at(NEXT), variables=["solar", "humidity"]),
        expected(
            utc_time=[at(DAY, 0), at(DAY, 12), at(DAY, 23, 59)],
            humidity=[None, None, 80],
            solar=[None, None, None],
        ),
    )
    flagged = two_days.read("IICHTE19", at(DAY, 1), at(NEXT, 1), variables=["temperature", "temperature", "humidity"])
    assert flagged.columns == ["utc_time", "temperature", "humidity", "temperature_flag"]
    unflagged = two_days.read("IICHTE19", at(DAY), at(DAY, 1), variables=["temperature", "humidity"])
    assert_frame_equal(unflagged, expected(utc_time=[at(DAY)], temperature=[10.0], humidity=[None]))
    assert two_days.read("IICHTE19", at(DAY), at(NEXT), variables=[]).columns == ["utc_time"]


def test_provenance_tells_the_origin_of_every_report(two_days: Store) -> None:
    """The source's text, not its index, over days with different lists of sources, and beside the right rows."""
    read = two_days.read("IICHTE19", at(DAY, 12), at(NEXT, 1), variables=["temperature"], provenance=True)
    assert_frame_equal(
        read,
        frame_of(
            {
                "utc_time": [at(DAY, 12), at(DAY, 23, 59), at(NEXT, 0)],
                "temperature": [99.0, None, 7.0],
                "temperature_flag": [4, None, None],
                "extracted_at": [EXTRACTED] * 3,
                "origin": ["b", "b", "c#sheet"],
                "line": [3, 4, None],
            }
        ),
    )


SPANS_WITHOUT_REPORTS = [
    ("IICHTE19", at(DAY, 1), at(DAY, 2)),
    ("IICHTE19", at(DAY, 2), at(DAY, 1)),
    ("IICHTE19", at(DAY), at(DAY)),
    ("IICHTE19", datetime(1950, 1, 1, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC)),
    ("nowhere", datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
]


def test_a_span_without_reports_is_an_empty_frame(two_days: Store) -> None:
    """With utc_time and the variables asked for, of the right types."""
    for span in SPANS_WITHOUT_REPORTS:
        assert_frame_equal(two_days.read(*span), expected(utc_time=[]))
        assert_frame_equal(
            two_days.read(*span, variables=["wind_gust", "temperature"], provenance=True),
            expected(utc_time=[], temperature=[], wind_gust=[], extracted_at=[], origin=[], line=[]),
        )


def test_a_wrong_question_is_a_usage_error(two_days: Store) -> None:
    """A naive instant and an unknown variable are refused, with what would be right."""
    with pytest.raises(UsageError, match="timezone"):
        two_days.read("IICHTE19", datetime(2024, 10, 1), at(NEXT))
    with pytest.raises(UsageError, match=r"temprature.*temperature"):
        two_days.read("IICHTE19", at(DAY), at(NEXT), variables=["temprature"])


def test_a_year_of_changing_columns_stays_in_order(store: Store) -> None:
    """Columns that come and go from day to day, over more days than are decoded at a time."""
    choices: list[dict[str, Any]] = [
        {"temperature": [1.0]},
        {"pressure": [2.0]},
        {"temperature": [3.0], "wind_direction": ["N"]},
    ]
    days = [day_of(day=DAY + timedelta(days=n), **choices[n % 3 if n % 7 else 0]) for n in range(200)]
    store.save_days(days)
    read = store.read("IICHTE19", at(DAY), at(DAY) + timedelta(days=200), provenance=True)
    slow = pl.concat([day.frame.drop("source", "line", "extracted_at") for day in days], how="diagonal")
    assert_frame_equal(
        read.select("utc_time", "temperature", "wind_direction", "pressure"),
        slow.select("utc_time", "temperature", "wind_direction", "pressure"),
    )


def test_days_stream_in_order(store: Store) -> None:
    """start <= day < end, ascending, over more days than are fetched at a time; other stations stay out."""
    days = [day_of(day=DAY + timedelta(days=number), temperature=[float(number)]) for number in range(140)]
    store.save_days([*reversed(days), day_of("ILAMAD25", temperature=[0.0])])
    stream = store.days("IICHTE19", DAY + timedelta(days=1), DAY + timedelta(days=139))
    assert [day.key.day for day in islice(stream, 2)] == [DAY + timedelta(days=1), DAY + timedelta(days=2)]
    assert [day.frame["temperature"][0] for day in stream] == [float(number) for number in range(3, 139)]
    assert list(store.days("IICHTE19", NEXT, DAY)) == []
    assert len(list(store.days("IICHTE19", date.min, date.max))) == 140


def test_deleting_days_leaves_the_rest(two_days: Store) -> None:
    """A rebuild starts with no reports and summaries that say so; descriptions stay."""
    two_days.put_stations({Station("IICHTE19", name="Ichtegem"): None})
    two_days.refresh_summaries(["IICHTE19", "07015"])
    two_days.delete_days()
    assert two_days.read("IICHTE19", at(DAY), at(NEXT)).height == 0
    assert [(known.station.name, known.summary.count, known.summary.first) for known in two_days.stations()] == [
        (None, 0, None),
        ("Ichtegem", 0, None),
    ]
    assert two_days.save_days([day_of(temperature=[1.0])]) == set()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda day: replace(day, frame=day.frame.clear()), "no reports"),
        (lambda day: replace(day, frame=day.frame.reverse()), "ascending"),
        (lambda day: replace(day, frame=pl.concat([day.frame, day.frame.tail(1)])), "unique"),
        (lambda day: replace(day, key=DayKey("IICHTE19", NEXT)), "UTC day"),
        (lambda day: replace(day, frame=day.frame.with_columns(pl.col("temperature").cast(pl.Float32))), "Float32"),
        (lambda day: replace(day, frame=day.frame.with_columns(mood=pl.lit(1))), "mood"),
        (lambda day: replace(day, frame=day.frame.drop("extracted_at")), "extracted_at"),
        (lambda day: replace(day, sources=()), "sources"),
    ],
)
def test_a_day_that_is_not_sound_is_refused(
    store: Store, change: Callable[[StationDay], StationDay], reason: str
) -> None:
    """The error names the day and what is wrong, and nothing of the call is stored."""
    good = day_of("07015", temperature=[1.0])
    bad = change(day_of(temperature=[1.0, 2.0]))
    with pytest.raises(StoreError, match=reason) as caught:
        store.save_days([good, bad])
    assert str(bad.key) in str(caught.value)
    assert store.load_days([good.key, bad.key]) == {}


def _run() -> RunReport:
    return RunReport("r", "run", EXTRACTED, EXTRACTED, "done")


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.load_days([DayKey("IICHTE19", DAY)]),
        lambda store: store.save_days([day_of(temperature=[1.0])]),
        lambda store: store.read("IICHTE19", at(DAY), at(NEXT)),
        lambda store: list(store.days("IICHTE19", DAY, NEXT)),
        lambda store: store.delete_days(),
        lambda store: store.stations(),
        lambda store: store.put_stations({Station("IICHTE19"): None}),
        lambda store: store.refresh_summaries(["IICHTE19"]),
        lambda store: store.objects(),
        lambda store: store.delete_objects(),
        lambda store: store.logs(LogQuery()),
        lambda store: store.put_run(_run()),
        lambda store: store.runs(),
        lambda store: store.explain("IICHTE19", at(DAY), at(NEXT)),
        lambda store: store.fetch("IICHTE19", at(DAY), at(NEXT)),
    ],
)
def test_a_closed_store_says_so(store: Store, use: Callable[[Store], object]) -> None:
    """Every use after close is a StoreError; closing twice is not."""
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        use(store)


@pytest.mark.parametrize("url", ["", "meteo.db", "postgres://host/db", "sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_another_url_is_a_configuration_error(url: str) -> None:
    """It says what a store's URL looks like."""
    with pytest.raises(ConfigError, match="sqlite:///"):
        open_store(url)


def test_a_refusal_is_final(store: Store) -> None:
    """What a store refuses for good does not ask to be tried again."""
    with pytest.raises(BarographError) as caught:
        store.save_days([replace(day_of(temperature=[1.0]), sources=())])
    assert not caught.value.retryable
