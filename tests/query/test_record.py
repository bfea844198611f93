"""The Python API: what is public, and what it gives."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import barograph
from barograph import errors
from barograph.errors import BarographError, ConfigError, NotFound, StoreError, UsageError
from barograph.model import LogEntry
from barograph.store import open_store

PUBLIC = ["Record", "__version__", "open"]


def test_the_public_names() -> None:
    """`open`, `Record`, the version and every error; nothing else by accident, and each can be had."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BarographError)]
    tree = [kind.__name__ for kind in kinds]
    assert sorted(barograph.__all__) == sorted([*PUBLIC, *tree])
    assert set(barograph.__all__) <= set(dir(barograph))
    for name in tree:
        assert getattr(barograph, name) is getattr(errors, name)
    assert barograph.Record.__name__ == "Record"
    assert barograph.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        getattr(barograph, "no" + "pe")


def test_public_methods_of_a_record() -> None:
    """A small surface, held: what is added here is promised."""
    assert [name for name in vars(barograph.Record) if not name.startswith("_")] == [
        "close",
        "reports",
        "stations",
        "completeness",
        "logs",
        "sql",
    ]


def test_importing_the_package_loads_no_polars() -> None:
    """The import is quick; what a name needs is loaded with the name."""
    code = "import sys, barograph; print('polars' in sys.modules); barograph.open; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_record_answers(url: str) -> None:
    """Days, spans, variables, provenance, SQL: the examples of the documentation."""
    with barograph.open(url) as record:
        assert record.reports("IICHTE19", "2024-10-27").height == 50
        assert record.reports("IICHTE19", "2024-10-27", utc=True).height == 48
        week = record.reports("IICHTE19", "2024-10-01", "2024-10-07", variables=["temperature"], provenance=True)
        assert week.shape == (7 * 48, 7)
        assert record.reports("IICHTE19").height == 38 * 48
        assert record.stations()["station_id"].to_list() == ["00052", "07015", "IICHTE19"]
        question = "SELECT station_id, count(*) AS n FROM reports GROUP BY 1 ORDER BY 1"
        assert record.sql(question).rows() == [("07015", 48), ("IICHTE19", 38 * 48)]
        assert record.sql(question, "2024-10-27", stations=["IICHTE19"]).rows() == [("IICHTE19", 50)]
        assert url in repr(record)


def test_a_record_refuses(url: str) -> None:
    """A wrong address, station, date or variable is an error that says so; after closing, nothing is answered."""
    with pytest.raises(ConfigError, match="not a store's URL"):
        barograph.open("meteo.db")
    record = barograph.open(url)
    with pytest.raises(NotFound, match="IICHTE19"):
        record.reports("IICHTE18", "2024-10-01")
    with pytest.raises(UsageError, match="2024-10-32"):
        record.reports("IICHTE19", "2024-10-32")
    with pytest.raises(UsageError, match="humidity"):
        record.reports("IICHTE19", "2024-10-01", variables=["humidty"])
    record.close()
    with pytest.raises(StoreError, match="closed"):
        record.stations()


def test_logs_as_a_frame(tmp_path: Path) -> None:
    """Newest first, with the context as JSON; an empty log has the same columns."""
    url = f"sqlite:///{tmp_path / 'logs.db'}"
    with barograph.open(url) as record:
        empty = record.logs()
    store = open_store(url)
    context = {"object": "ichtegem/x.csv", "row": 7, "run_id": "r1"}
    moments = [datetime(2024, 10, 1, hour, tzinfo=UTC) for hour in (1, 2)]
    store.put_logs([LogEntry("a", moments[0], "error", "bad row", context), LogEntry("b", moments[1], "info", "done")])
    store.close()
    with barograph.open(url) as record:
        logs = record.logs()
        assert record.logs("error")["log_id"].to_list() == record.logs(run_id="r1")["log_id"].to_list() == ["a"]
        assert record.logs(limit=1)["log_id"].to_list() == ["b"]
    assert logs.select("log_id", "timestamp", "type", "msg").rows() == [
        ("b", moments[1], "info", "done"),
        ("a", moments[0], "error", "bad row"),
    ]
    assert json.loads(logs["context"][1]) == context
    assert empty.schema == logs.schema
