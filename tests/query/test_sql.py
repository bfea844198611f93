"""SQL over the record: the same answers as over a frame in memory, reading no more than the statement needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from barograph.errors import StoreError, UsageError
from barograph.query import Query, lazy, sql
from barograph.store import open_store
from barograph.store.base import Store

DAY = datetime(2024, 10, 5, tzinfo=UTC), datetime(2024, 10, 6, tzinfo=UTC)


class Noting:
    """A store that notes what is read from it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.reads: list[tuple[str, datetime, datetime, tuple[str, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def read(
        self,
        station_id: str,
        start: datetime,
        end: datetime,
        *,
        variables: Sequence[str] | None = None,
        provenance: bool = False,
    ) -> pl.DataFrame:
        self.reads.append((station_id, start, end, tuple(variables or ())))
        return self.store.read(station_id, start, end, variables=variables, provenance=provenance)


@pytest.fixture
def noting(url: str) -> Iterator[Noting]:
    """The store of this folder's tests, noting."""
    store = open_store(url)
    yield Noting(store)
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT station_id, avg(temperature) AS t FROM reports GROUP BY 1 ORDER BY 1",
        "SELECT count(*) FROM reports",
        "SELECT * FROM reports ORDER BY station_id, utc_time LIMIT 7 OFFSET 60",
        "SELECT station_id, utc_time FROM reports LIMIT 60",
        "SELECT count(*) FROM reports WHERE temperature_flag = 4",
        "SELECT max(utc_time) FROM reports WHERE utc_time < '2024-10-05T12:00:00Z' AND station_id = '07015'",
        "SELECT count(*) FROM reports WHERE utc_time <= '2024-10-05T12:00:00Z' AND temperature > 5",
        "SELECT count(*) FROM reports WHERE '2024-10-30' <= utc_time",
        "SELECT count(*) FROM reports WHERE '2024-10-01' > utc_time",
        "SELECT count(*) FROM reports WHERE utc_time = '2024-10-05T12:00:00Z'",
        "SELECT count(*) FROM reports WHERE utc_time > '9999-12-31'",
        "SELECT count(*) FROM reports WHERE utc_time BETWEEN '2024-10-05' AND '2024-10-06'",
        "SELECT count(*) FROM reports WHERE utc_time < '2024-10-01' OR station_id = '07015'",
        "SELECT count(*) FROM reports WHERE NOT utc_time < '2024-10-01'",
        "SELECT count(*) FROM reports WHERE station_id LIKE 'I%' AND humidity >= 60 AND utc_time > '2024-11-01'",
        "SELECT count(*) FROM reports WHERE station_id IN ('07015', 'nowhere')",
        "SELECT count(*) FROM reports WHERE EXTRACT(month FROM utc_time) = 9",
        "SELECT city, max(pressure) FROM reports JOIN stations USING (station_id) GROUP BY city ORDER BY city",
        "WITH wet AS (SELECT * FROM reports WHERE humidity > 70) SELECT count(*), min(utc_time) FROM wet",
        "SELECT first, last, reports FROM stations ORDER BY station_id",
        "-- how many?\n/* all */ (SELECT count(*) FROM reports);",
        "SHOW TABLES",
    ],
)
def test_answers_equal_those_over_a_frame_in_memory(query: Query, statement: str) -> None:
    """Reading in pieces, choosing columns and narrowing spans change no answer."""
    whole = pl.concat(query.scan(query.spans()))
    expected = pl.SQLContext({"reports": whole, "stations": query.stations_frame()}).execute(statement, eager=True)
    assert sql(query, statement).equals(expected)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("station_id = '07015'", ("07015", *DAY)),
        ("station_id != 'IICHTE19'", ("07015", *DAY)),
        ("station_id LIKE '0%' AND temperature > 0", ("07015", *DAY)),
        ("station_id = '07015' AND utc_time >= '2024-10-05T20:00:00Z'", ("07015", DAY[0].replace(hour=20), DAY[1])),
        ("utc_time > '2024-10-05T20:00:00Z' AND '07015' = station_id", ("07015", DAY[0].replace(hour=20), DAY[1])),
    ],
)
def test_conditions_decide_what_is_read(noting: Noting, where: str, expected: tuple[Any, ...]) -> None:
    """Other stations and other times are not even asked for, nor are variables that the statement does not mention."""
    query = Query(noting)
    spans = query.spans(["07015", "IICHTE19"], "2024-10-05", utc=True)
    assert sql(query, "SELECT avg(temperature) FROM reports WHERE " + where, spans).height == 1
    assert noting.reads == [(*expected, ("temperature",))]


def test_a_limit_stops_reading(noting: Noting) -> None:
    """The first pieces suffice for a few rows."""
    assert sql(Query(noting), "SELECT * FROM reports LIMIT 3").height == 3
    assert len(noting.reads) == 1


def test_spans_bound_the_table(query: Query) -> None:
    """The table holds what the spans hold: here one local day of one station."""
    spans = query.spans(["IICHTE19"], "2024-10-27")
    assert sql(query, "SELECT count(*) AS n FROM reports", spans).item() == 50
    assert lazy(query, spans).select("temperature").collect().height == 50


def test_an_empty_record_has_the_same_columns(query: Query) -> None:
    """A table without rows is still a table."""
    empty = sql(query, "SELECT utc_time, wind_gust_flag FROM reports WHERE solar > 0", query.spans(["00052"]))
    assert (empty.columns, empty.height) == (["utc_time", "wind_gust_flag"], 0)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT temprature FROM reports", r"^SQL: no column 'temprature' — did you mean temperature"),
        ("SELECT t FROM nowhere", r"relation 'nowhere' was not found — the tables are reports and stations"),
        ("SELEC 1", "SELEC is not a question"),
        ("SELECT (temperature FROM reports", "sql parser error"),
        ("", "the statement is empty"),
        ("  -- nothing\n", "the statement is empty"),
        ("DELETE FROM reports WHERE temperature > 30", "DELETE is not a question"),
        ("/* SELECT */ DROP TABLE reports", "DROP is not a question"),
        ("SELECT 1; SELECT 2", "only one. statement"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv is not allowed"),
        ("SELECT * FROM Read_Parquet /**/ ('x.parquet')", "Read_Parquet is not allowed"),
        ("SELECT * FROM reports WHERE utc_time > 'soon'", "2024-10-01T06:00:00Z"),
        ("SELECT * FROM reports WHERE utc_time > TIMESTAMP '2024-10-01'", "2024-10-01T06:00:00Z"),
        ("SELECT nosuch(temperature) FROM reports", "unsupported function 'nosuch'"),
    ],
)
def test_a_statement_that_cannot_be_answered(query: Query, statement: str, told: str) -> None:
    """Each gets one line of what is wrong and what to do; polars' plan stays out of it."""
    with pytest.raises(UsageError, match=told) as caught:
        sql(query, statement)
    assert "\n" not in str(caught.value)
    assert "FAILED HERE" not in str(caught.value)


def test_errors_of_the_store_come_through(noting: Noting) -> None:
    """What breaks while polars reads is told as what it is."""
    query = Query(noting)
    table = lazy(query)
    noting.close()
    with pytest.raises(StoreError, match="closed"):
        table.collect()
