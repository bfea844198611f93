"""docs/mongodb.md against a real replica set: with barograph, with pymongo, and with MongoDB's own shell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from pymongo import MongoClient

import barograph
from barograph.query import Query
from barograph.store import open_store
from benchmarks.embedded_curve import KEPT, kept
from tests.docs.console import Session, hold
from tests.docs.pages import DOCS, Block, blocks, cells
from tests.support.mongosh_shell import Mongosh, MongoshMissing, find_mongosh

PAGE: Final = DOCS / "mongodb.md"
SHOWN_URL: Final = "mongodb://127.0.0.1:27017/meteo?replicaSet=rs0"
SLOW: Final = pytest.mark.timeout(900)
"""npm installs the shell once, and each call starts it anew."""


@pytest.fixture
def session(demo: tuple[Path, str], mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> Session:
    """The folder of the demo; the page's URI stands for that of an empty database."""
    return Session(demo[0], monkeypatch, demo[1])


def of_page(*languages: str, url: str) -> list[Block]:
    """The blocks of the page that are run, with the URI of a server that is there."""
    found = [block for block in blocks(PAGE) if block.language in languages and block.not_run is None]
    return [replace(block, text=block.text.replace(SHOWN_URL, url)) for block in found]


def test_commands_and_python(session: Session, mongo_url: str) -> None:
    """Every console and Python block, from top to bottom, gives what it shows."""
    assert SHOWN_URL in PAGE.read_text(encoding="utf-8")
    for block in of_page("console", "python", url=mongo_url):
        session.run(block)


@pytest.fixture
def mongosh(session: Session, mongo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Mongosh:
    """The shell on the record that the page's first block makes."""
    try:
        program = find_mongosh()
    except MongoshMissing as missing:
        pytest.skip(str(missing))
    session.run(of_page("console", url=mongo_url)[0])
    return Mongosh(program, tmp_path_factory.mktemp("home"), mongo_url)


@SLOW
def test_mongosh_prints_what_the_page_shows(mongosh: Mongosh) -> None:
    """Every js block, given to the shell, prints the text block behind it."""
    known = blocks(PAGE)
    scripts = [place for place, block in enumerate(known) if block.language == "js" and block.not_run is None]
    assert len(scripts) >= 8
    for place in scripts:
        shown = known[place + 1]
        assert shown.language == "text", f"{PAGE.name}:{known[place].line}: no output is shown"
        hold(f"{PAGE.name}:{known[place].line}", shown.text.splitlines(), mongosh(known[place].text))


def script(beginning: str) -> str:
    """The js block that begins so."""
    (found,) = [block.text for block in blocks(PAGE) if block.language == "js" and block.text.startswith(beginning)]
    return found


def instant(value: dict[str, str]) -> datetime:
    """An instant of Extended JSON."""
    return datetime.fromisoformat(value["$date"])


@SLOW
def test_mongosh_says_what_barograph_says(mongosh: Mongosh, mongo_url: str) -> None:
    """Stations, a day, its rows, a week, gusts, provenance: the page's own scripts agree with the program's reads."""
    with barograph.open(mongo_url) as record, MongoClient[dict[str, Any]](mongo_url) as client:
        told = mongosh.json(script("db.stations.find"))
        stations = record.stations().select("station_id", "name", "reports").rows()
        assert [(each["_id"], each["name"], each["reports"]["count"]) for each in told] == stations

        day = record.reports("IICHTE19", "2024-10-02", utc=True)
        told = mongosh.json(script('db.reports.findOne({_id: "IICHTE19:2024-10-02"}'))
        columns = {name: told["reports"][name] for name in ("utc_time", "temperature", "wind_gust")}
        columns["utc_time"] = [instant(value) for value in columns["utc_time"]]
        two = day.select(list(columns)).slice(120, 2)
        assert told["count"] == day.height
        assert columns == two.to_dict(as_series=False)

        told = mongosh.json(script('db.report_rows.find(\n  {station_id: "IICHTE19"'))
        assert [each | {"utc_time": instant(each["utc_time"])} for each in told] == two.to_dicts()

        week = record.reports("07015", "2024-10-01", "2024-10-07", utc=True)
        told = mongosh.json(script('db.reports.find(\n  {station_id: "07015"'))
        for each in told:
            of_day = week.filter(pl.col("utc_time").dt.date() == instant(each["day"]).date())
            assert each["reports"]["pressure"] == of_day["pressure"].head(4).to_list()

        gusts = record.sql(
            "SELECT CAST(utc_time AS DATE) AS day, MAX(wind_gust) AS gust FROM reports "
            "WHERE station_id = 'IICHTE19' AND wind_gust_flag IS NULL AND utc_time >= '2024-10-01' "
            "GROUP BY day ORDER BY day"
        )
        reduced = mongosh.json(script("db.reports.aggregate"))
        grouped = mongosh.json(script("db.report_rows.aggregate"))
        assert [(each["_id"][-10:], each["gust"]) for each in reduced] == [
            (f"{day}", gust) for day, gust in gusts.rows()
        ]
        assert [(instant(each["_id"]).date(), each["gust"]) for each in grouped] == gusts.rows()

        with_origin = record.reports("ILAMAD25", "2024-10-04", utc=True, provenance=True)
        (doubted,) = with_origin.filter(pl.col("temperature_flag") == 4).to_dicts()
        (told,) = mongosh.json(script('db.report_rows.find(\n  {station_id: "ILAMAD25"'))
        assert (instant(told["utc_time"]), told["temperature"]) == (doubted["utc_time"], doubted["temperature"])
        assert (told["object"], told["line"]) == (doubted["origin"], doubted["line"])

        members = client.admin.command("replSetGetStatus")["members"]
        told = mongosh.json(script("rs.status()"))
        assert told == [{"name": m["name"], "state": m["stateStr"], "health": m["health"]} for m in members]
        assert sorted(each["state"] for each in told) == ["PRIMARY", "SECONDARY", "SECONDARY"]


def test_the_figures_of_the_embedded_design_are_those_of_its_curve() -> None:
    """The table is the medians of the run that the picture shows, and the refusal is where that run met it."""
    curve, notes = kept(KEPT)
    rows = cells(PAGE, "| the document, MB |")
    assert len(rows) == 6
    for days, *shown in rows:
        first, last = map(int, days.split("–"))
        medians = curve.filter(pl.col("day").is_between(first, last)).select(pl.exclude("day").median()).row(0)
        size, embedded_insert, embedded_read, insert, read = medians
        for text, value in zip(shown, (size, embedded_insert, insert, embedded_read, read), strict=True):
            if value is None:
                assert text in ("–", "refused"), days
            else:
                unit = 0.1 ** len(text.partition(".")[2])
                assert float(text) == pytest.approx(value, abs=0.51 * unit), days
    refused = int(curve.filter(pl.col("embedded_insert_ms").is_null())["day"][0])
    assert rows[-1][0] == f"{refused}–365"
    assert f"refused on day {refused}: " in notes[-1]


@SLOW
def test_mongosh_explains_what_access_time_tells(mongosh: Mongosh, mongo_url: str) -> None:
    """The question that access-time shows, pasted into the shell, is found through the index that it names."""
    store = open_store(mongo_url)
    try:
        for words in (("2024-10-02",), ("2024-10",)):
            span = Query(store).span("IICHTE19", *words)
            plan = store.explain("IICHTE19", span.start, span.end)
            assert plan.index
            assert plan.index in mongosh(f"{plan.query}.explain()")
            documents = mongosh.json(f"{plan.query}.toArray().length")
            assert documents == store.fetch("IICHTE19", span.start, span.end).documents
    finally:
        store.close()
