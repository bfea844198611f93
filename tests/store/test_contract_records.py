"""The contract of `barograph.store.base.Store`, held over both engines: stations, ledger, logs and runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from barograph.model import (
    Counts,
    Coverage,
    LedgerEntry,
    LogEntry,
    ObjectReport,
    Rejection,
    RunReport,
    Station,
    SyncReport,
)
from barograph.model import StationSummary as Summary
from barograph.store.base import LogQuery, Store, StoredStation, SyncEntry
from tests.support.days import DAY, EXTRACTED, at, day_of

ICHTEGEM = Station(
    "IICHTE19",
    "WeerstationBS",
    "Ichtegem",
    51.092,
    2.999,
    15,
    "personal",
    "other",
    "EasyWeather",
    "CC0 — x",
    "Europe/Brussels",
)
LATER = EXTRACTED + timedelta(days=1)


def test_stations_come_back_by_id(store: Store) -> None:
    """Every field and the instant of the description, in the order of the ids."""
    store.put_stations({Station("ILAMAD25"): None, ICHTEGEM: EXTRACTED, Station("07015", name="Lesquin"): EXTRACTED})
    assert store.stations() == [
        StoredStation(Station("07015", name="Lesquin"), Summary(), EXTRACTED),
        StoredStation(ICHTEGEM, Summary(), EXTRACTED),
        StoredStation(Station("ILAMAD25"), Summary(), None),
    ]
    store.put_stations({})


def test_a_description_replaces_the_one_before(store: Store) -> None:
    """What the new one does not say is gone: putting together is not the store's business."""
    store.put_stations({ICHTEGEM: EXTRACTED})
    store.put_stations({Station("IICHTE19", name="New"): None})
    assert store.stations() == [StoredStation(Station("IICHTE19", name="New"), Summary(), None)]


def test_summaries_and_descriptions_do_not_touch_each_other(store: Store) -> None:
    """Either may be written first or again; a station without a description gets a bare one."""
    store.put_stations({ICHTEGEM: EXTRACTED, Station("07015"): None})
    store.save_days([day_of(temperature=[1.0, 2.0]), day_of(day=DAY + timedelta(days=2), temperature=[1.0])])
    store.save_days([day_of("ILAMAD25", temperature=[5.0])])
    store.refresh_summaries(["ILAMAD25", "IICHTE19", "07015", "nowhere"])
    summary = Summary(3, at(DAY), at(DAY + timedelta(days=2)))
    expected = [
        StoredStation(Station("07015"), Summary(), None),
        StoredStation(ICHTEGEM, summary, EXTRACTED),
        StoredStation(Station("ILAMAD25"), Summary(1, at(DAY), at(DAY)), None),
    ]
    assert store.stations() == expected
    store.put_stations({Station("IICHTE19", name="New"): LATER})
    assert store.stations()[1] == StoredStation(Station("IICHTE19", name="New"), summary, LATER)
    store.delete_days()
    store.refresh_summaries(["IICHTE19"])
    assert store.stations()[1].summary == Summary()


def entry(key: str, **changes: Any) -> LedgerEntry:
    stream = key.partition("/")[0]
    return LedgerEntry(key, stream, "etag", 10, "done", EXTRACTED, **changes)


def test_the_ledger_keeps_every_field(store: Store) -> None:
    """By key, of all streams or of one; a second entry for a key replaces the first."""
    full = entry(
        "ichtegem/1.csv",
        oldest=EXTRACTED,
        newest=LATER,
        counts=Counts(new=5, changed=4, unchanged=3, rejected=2, duplicates=1, blank=9),
        coverage=(Coverage("IICHTE19", EXTRACTED, LATER), Coverage("ILAMAD25", EXTRACTED, EXTRACTED)),
        run_id="run-1",
    )
    failed = LedgerEntry("madeleine/1.csv", "madeleine", "e", 2**40, "failed", EXTRACTED, error="bad \ud800 cell — é")
    store.put_objects([full, entry("ichtegem/0.csv")])
    store.put_objects([failed])
    kept = LedgerEntry("madeleine/1.csv", "madeleine", "e", 2**40, "failed", EXTRACTED, error="bad \\ud800 cell — é")
    assert store.objects("ichtegem") == {"ichtegem/0.csv": entry("ichtegem/0.csv"), "ichtegem/1.csv": full}
    assert store.objects() == store.objects("ichtegem") | {"madeleine/1.csv": kept}
    assert store.objects("nothing") == {}
    assert store.objects(status="failed") == {"madeleine/1.csv": kept}
    assert store.objects("ichtegem", status="failed") == {}
    store.put_objects([entry("ichtegem/1.csv")])
    assert store.objects()["ichtegem/1.csv"] == entry("ichtegem/1.csv")
    store.put_objects([])
    store.delete_objects()
    assert store.objects() == {}


def test_a_rebuild_keeps_reports_apart_from_the_ledger(store: Store) -> None:
    """Deleting the ledger leaves the days, deleting the days leaves ledger, logs and runs."""
    store.save_days([day_of(temperature=[1.0])])
    store.put_objects([entry("a/1")])
    store.put_logs([LogEntry("1", EXTRACTED, "info", "m")])
    store.put_run(run("r", 0))
    store.delete_objects()
    assert len(list(store.days("IICHTE19", DAY, DAY + timedelta(days=1)))) == 1
    store.put_objects([entry("a/1")])
    store.delete_days()
    assert store.objects()
    assert store.logs(LogQuery())
    assert store.runs()


def log(log_id: str, minute: int, type_: str = "info", **context: Any) -> LogEntry:
    return LogEntry(log_id, EXTRACTED + timedelta(minutes=minute), type_, f"message {log_id}", context)


def test_logs_come_newest_first(store: Store) -> None:
    """By timestamp, then id, descending; of one type, of one run, and no more than asked for."""
    entries = [
        log("a", 1, run_id="r1"),
        log("c", 2, "error", run_id="r1"),
        log("b", 2, "error", run_id="r2"),
        log("d", 0),
    ]
    store.put_logs(entries)
    store.put_logs([])

    def ids(**query: Any) -> str:
        return "".join(found.log_id for found in store.logs(LogQuery(**query)))

    assert ids() == "cbad"
    assert ids(limit=2) == "cb"
    assert ids(type="error") == "cb"
    assert ids(run_id="r1") == "ca"
    assert ids(type="error", run_id="r2") == "b"
    assert ids(type="error", limit=1) == "c"
    assert ids(run_id="none") == ""
    assert ids(since=EXTRACTED + timedelta(minutes=1)) == "cba"
    assert ids(type="error", since=EXTRACTED + timedelta(minutes=2, milliseconds=1)) == ""
    assert ids(since=EXTRACTED + timedelta(minutes=1), limit=1) == "c"
    assert store.logs(LogQuery(run_id="r2")) == [entries[2]]


def test_a_fact_is_logged_once(store: Store) -> None:
    """An entry whose id exists is left as it is, alone or beside new ones."""
    store.put_logs([log("a", 0)])
    store.put_logs([log("a", 5, "error"), log("b", 1)])
    store.put_logs([log("a", 5, "error"), log("b", 1)])
    assert store.logs(LogQuery()) == [log("b", 1), log("a", 0)]


def test_a_context_may_hold_anything_that_was_read(store: Store) -> None:
    """Instants become text, what JSON or UTF-8 cannot hold becomes text as well; nothing fails and nothing is lost."""
    raw = {
        "row": 4,
        "value": "12,5\x00 °F \ud83d",
        "huge": 2**70,
        "nan": float("nan"),
        "when": EXTRACTED,
        "day": DAY,
        "nested": {"list": (1, None, True, 1.5), "names": ["é"]},
    }
    store.put_logs([LogEntry("a", EXTRACTED, "error", "bad \udc80 value", raw)])
    (found,) = store.logs(LogQuery())
    assert found.msg == "bad \\udc80 value"
    assert found.context == {
        "row": 4,
        "value": "12,5\x00 °F \\ud83d",
        "huge": "1180591620717411303424",
        "nan": "nan",
        "when": "2025-10-24T10:17:00Z",
        "day": "2024-10-01",
        "nested": {"list": [1, None, True, 1.5], "names": ["é"]},
    }


def run(run_id: str, minute: int, **changes: Any) -> RunReport:
    started = EXTRACTED + timedelta(minutes=minute)
    return RunReport(run_id, "run", started, started + timedelta(seconds=1.5), "done", **changes)


def test_runs_come_newest_first_and_ready_for_json(store: Store) -> None:
    """As `RunReport.as_dict` says it; a second report of a run replaces the first."""
    full = run(
        "b",
        1,
        objects=(ObjectReport("k", "s", "done", Counts(new=1), 0.25),),
        rejections=(Rejection("k", "not a number", line=3, column="Temperature", value="warm"),),
        errors=("x",),
    )
    store.put_run(run("b", 1))
    for report in (run("a", 1), full, run("z", 0)):
        store.put_run(report)
    assert store.runs() == [full.as_dict(), run("a", 1).as_dict(), run("z", 0).as_dict()]
    assert store.runs(limit=1) == [full.as_dict()]


def synced(name: str, hour: int, **more: Any) -> SyncReport:
    started = EXTRACTED + timedelta(hours=hour)
    return SyncReport(name, f"stream-{name}", "landed", started, started + timedelta(seconds=2.5), **more)


def test_syncs_come_from_the_runs_since_an_instant(store: Store) -> None:
    """Each sync with its run; newest run first, then in the report's order; the objects are left where they are."""
    first = synced("a", 0, records=12, bytes=3456, generation=1)
    failed = replace(synced("b", 0), status="failed", error="a: 503 — later")
    again = replace(synced("a", 1, generation=1), status="unchanged")
    with_objects = replace(first, objects=("x/a_0.csv", "x/a_1.csv"))
    store.put_run(run("one", 0, connections=(with_objects, failed), rejections=(Rejection("k", "warm", line=3),)))
    store.put_run(run("two", 1, connections=(again,)))
    store.put_run(run("ingest", 2))
    entries = [SyncEntry("two", "run", again), SyncEntry("one", "run", first), SyncEntry("one", "run", failed)]
    assert store.syncs(EXTRACTED - timedelta(days=400)) == entries
    assert store.syncs(EXTRACTED) == entries, "a run that started at the instant itself counts"
    assert store.syncs(EXTRACTED + timedelta(milliseconds=1)) == entries[:1]
    assert store.syncs(EXTRACTED, "a") == entries[:2]
    assert store.syncs(EXTRACTED, "b") == entries[2:]
    assert store.syncs(EXTRACTED, "nobody") == store.syncs(EXTRACTED + timedelta(hours=2)) == []


def test_stations_can_be_asked_for_by_id(store: Store) -> None:
    """Those that exist among the ids, by id, each once; no ids give none."""
    store.put_stations({Station(name): None for name in ("C", "A", "B")})
    assert [found.station.station_id for found in store.stations(["C", "Z", "A", "A"])] == ["A", "C"]
    assert store.stations([]) == []
