"""Every command that the MongoDB engine sends finds its documents through an index, and every index is used.

The commands are those that really leave: a listener collects them while the whole `Store` protocol is exercised, and
the server is asked how it runs each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any, Final

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from barograph.errors import NotFound
from barograph.model import LedgerEntry, LogEntry, RunReport, Station
from barograph.query import Query, Span
from barograph.store import mongo_client
from barograph.store.archive import COLLECTIONS
from barograph.store.base import DayKey, LogQuery, StationDay, Store, StoreReader
from barograph.store.mongo import MongoStore
from barograph.store.mongo_schema import INDEXES
from tests.support.days import DAY, EXTRACTED, at, day_of

Document = dict[str, Any]

STATIONS: Final = [f"station-{number}" for number in range(8)]
DAYS: Final = 30
OTHERS: Final = (
    "insert",
    "getMore",
    "explain",
    "listCollections",
    "listIndexes",
    "create",
    "createIndexes",
    "dropIndexes",
    "collMod",
    "drop",
    "dropDatabase",
    "listDatabases",
    "endSessions",
)
OF_THE_DRIVER: Final = ("lsid", "$db", "$clusterTime", "$readPreference", "readConcern", "writeConcern", "txnNumber")


class Listener(CommandListener):
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Document] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.sent.append({key: value for key, value in event.command.items() if key not in OF_THE_DRIVER})

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    """Hears the clients that stores make from now on."""
    listening = Listener()
    monkeypatch.setitem(mongo_client.OPTIONS, "event_listeners", [listening])
    return listening


@pytest.fixture
def store(mongo_url: str, listener: Listener) -> Iterator[MongoStore]:
    with closing(MongoStore(mongo_url, patience=20)) as opened:
        yield opened


def a_day(station: int, number: int) -> StationDay:
    return day_of(STATIONS[station], DAY + timedelta(days=number), temperature=[float(number)] * 3)


def ledger(number: int) -> LedgerEntry:
    stream = f"stream-{number % 4}"
    return LedgerEntry(f"{stream}/{number:04}.csv", stream, "etag", 1, "done", EXTRACTED)


def run_report(number: int) -> RunReport:
    started = EXTRACTED + timedelta(hours=number)
    return RunReport(f"run-{number}", "run", started, started + timedelta(minutes=1), "done")


def fill(store: Store) -> None:
    """Enough that an index is worth its while: the planner may not care with a handful."""
    store.save_days([a_day(station, number) for station in range(len(STATIONS)) for number in range(DAYS)])
    store.put_stations({Station(station_id, name="n"): EXTRACTED for station_id in STATIONS})
    store.put_objects([ledger(number) for number in range(100)])
    kinds = ("info", "warning", "error")
    entries = [
        LogEntry(
            f"{number:04}",
            EXTRACTED + timedelta(seconds=number),
            kinds[number % 3],
            "m",
            {"run_id": f"run-{number % 7}"},
        )
        for number in range(300)
    ]
    store.put_logs(entries)
    for number in range(20):
        store.put_run(run_report(number))


def exercises(store: Store) -> dict[str, Callable[[], object]]:
    """Each method of the protocol, with every argument that changes what is asked; those that delete come last."""
    key, first, week, year = DayKey(STATIONS[0], DAY), at(DAY), timedelta(days=7), timedelta(days=365)
    logs = (
        LogQuery(),
        LogQuery(limit=5),
        LogQuery(type="error"),
        LogQuery(run_id="run-1", limit=3),
        LogQuery(type="error", since=EXTRACTED),
    )

    def save() -> None:
        loaded = store.load_days([key])[key]
        assert store.save_days([loaded]) == set()
        # Both lost: the engine looks whether it was itself that wrote.
        assert len(store.save_days([loaded, replace(loaded, revision=0)])) == 1

    def read() -> None:
        for end in (first + timedelta(days=1), first + week, first + year):
            store.read(STATIONS[0], first, end)
            store.read(STATIONS[0], first, end, variables=["temperature"], provenance=True)

    def expire() -> None:
        store.expire_logs(20_000)
        store.expire_logs(0)

    def archive() -> None:
        with store.archive.reading() as reading:
            held = {name: list(reading.documents(name)) for name in COLLECTIONS}
            assert reading.unchanged()
        assert store.archive.held().keys() == held.keys()
        with store.archive.restoring("backup", store.archive.definitions()) as target:
            for name, documents in held.items():
                target.insert(name, documents)
                assert list(target.documents(name)) == documents

    def scratch() -> None:
        with store.scratch() as beside:
            assert beside.stations() == []

    return {
        "url": lambda: store.url,
        "take_waits": store.take_waits,
        "schema": store.schema,
        "migrate": store.migrate,
        "expire_logs": expire,
        "load_days": lambda: store.load_days([key, DayKey(STATIONS[1], DAY)]),
        "save_days": save,
        "read": read,
        "explain": lambda: [store.explain(STATIONS[0], first, first + span) for span in (week, year)],
        "fetch": lambda: [store.fetch(STATIONS[0], first, first + span) for span in (timedelta(days=1), year)],
        "days": lambda: list(store.days(STATIONS[0], DAY, DAY + timedelta(days=200))),
        "stations": lambda: [store.stations(), store.stations(STATIONS[:2])],
        "put_stations": lambda: store.put_stations({Station(STATIONS[0]): None, Station("new"): None}),
        "refresh_summaries": lambda: store.refresh_summaries(STATIONS),
        "objects": lambda: [store.objects(), store.objects("stream-1")],
        "put_objects": lambda: store.put_objects([ledger(1), ledger(1000)]),
        "put_logs": lambda: store.put_logs(
            [LogEntry("x", EXTRACTED, "info", "m"), LogEntry("0001", EXTRACTED, "i", "m")]
        ),
        "logs": lambda: [store.logs(query) for query in (*logs, LogQuery("error", "run-1", 3))],
        "put_run": lambda: store.put_run(run_report(1)),
        "runs": lambda: [store.runs(), store.runs(3)],
        "syncs": lambda: [store.syncs(EXTRACTED), store.syncs(EXTRACTED + timedelta(hours=3), "a")],
        "archive": archive,
        "scratch": scratch,
        "delete_days": store.delete_days,
        "delete_objects": store.delete_objects,
        "close": store.close,
    }


def finding(sent: list[Document]) -> list[Document]:
    """The commands that find documents, each once, batches of updates and deletes taken apart."""
    found: dict[str, Document] = {}
    for command in sent:
        name = next(iter(command))
        if name in ("update", "delete"):
            parts = [{name: command[name], f"{name}s": [one]} for one in command[f"{name}s"]]
        elif name in ("find", "aggregate", "count", "distinct", "findAndModify"):
            parts = [command]
        else:
            assert name in OTHERS, f"does {name} find documents? then explain it here"
            parts = []
        found |= {repr(part): part for part in parts}
    return list(found.values())


def asks_for_all(command: Document) -> bool:
    """Whether a command reads, changes or deletes every document of its collection."""
    name = next(iter(command))
    if name == "aggregate":
        return not any("$match" in stage for stage in command["pipeline"])
    if name == "count":
        return not command.get("query")
    return not (command["filter"] if name == "find" else command[f"{name}s"][0]["q"])


def plan_of(database: Database[Document], command: Document) -> list[Document]:
    """The winning plan of the command, and the stages of a pipeline behind it."""
    said = database.command({"explain": command, "verbosity": "queryPlanner"})
    if "stages" not in said:
        return [said["queryPlanner"]["winningPlan"]]
    first, *others = said["stages"]
    return [first["$cursor"]["queryPlanner"]["winningPlan"], *others]


def parts(plan: Any) -> Iterator[Document]:
    """Every document in a plan, however deep."""
    if isinstance(plan, dict):
        yield plan
    for part in plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ():
        yield from parts(part)


def texts(plan: Any, name: str) -> set[str]:
    """What stands under `name` in any part."""
    return {part[name] for part in parts(plan) if isinstance(part.get(name), str)}


def test_every_path_uses_an_index_and_every_index_is_used(
    store: MongoStore, mongo_url: str, listener: Listener
) -> None:
    """No scan of a collection unless the whole of it is asked for, and no sort in memory, for whatever is sent."""
    fill(store)
    steps = exercises(store)
    methods = {name for name in (*vars(StoreReader), *vars(Store)) if not name.startswith("_")}
    assert set(steps) == methods, "exercise the new method here"
    listener.sent.clear()
    for step in steps.values():
        step()
    commands = finding(listener.sent)
    used: set[tuple[str, str]] = set()
    with closing(MongoStore(mongo_url)) as again, MongoClient[Document](mongo_url, tz_aware=True, tzinfo=UTC) as client:
        fill(again)
        for command in commands:
            plan = plan_of(client.get_default_database(), command)
            stages = texts(plan, "stage")
            assert stages, command
            assert "SORT" not in stages, command
            assert not any("$sort" in part for part in parts(plan)), command
            assert "COLLSCAN" not in stages or asks_for_all(command), command
            used |= {(next(iter(command.values())), index) for index in texts(plan, "indexName")}
    assert {(name, index.document["name"]) for name, indexes in INDEXES.items() for index in indexes} <= used
    assert {next(iter(command.values())) for command in commands} >= set(INDEXES) | {"stations"}


def test_counting_reads_no_document(store: MongoStore, listener: Listener, mongo_url: str) -> None:
    """Summaries, and what a rebuild deletes, are counted in the index alone: a day has 55 kB."""
    fill(store)
    listener.sent.clear()
    store.refresh_summaries(STATIONS)
    store.delete_days()
    counting = [command for command in finding(listener.sent) if "aggregate" in command]
    assert len(counting) == 2
    with closing(MongoStore(mongo_url)) as again, MongoClient[Document](mongo_url) as client:
        fill(again)
        for command in counting:
            stages = texts(plan_of(client.get_default_database(), command), "stage")
            assert "PROJECTION_COVERED" in stages, command
            assert not stages & {"FETCH", "COLLSCAN"}, command


def test_a_day_is_one_question(store: MongoStore, listener: Listener) -> None:
    """A station's day takes one round trip to the server, however it is asked; an unknown station is still told."""
    fill(store)
    span = Span(at(DAY) - timedelta(hours=2), at(DAY) + timedelta(hours=22), "Europe/Brussels")
    listener.sent.clear()
    assert Query(store).reports(STATIONS[0], span).height == 3
    assert [next(iter(command)) for command in listener.sent] == ["find"]
    with pytest.raises(NotFound, match="station-99"):
        Query(store).reports("station-99", span)
