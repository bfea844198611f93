"""The network's published exports, read as its configuration names them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import orjson

from barograph.config import load
from barograph.messages import Record
from barograph.sources import Access, ReadRequest, open_source
from tests.support.real import real_file, requires_real

pytestmark = requires_real

COUNTS = {
    "meteo_ichtegem": [288, 285, 284, 288, 288, 288, 178],
    "meteo_madeleine": [288, 288, 288, 288, 288, 288, 180],
}


def _read(name: str) -> list[dict[str, Any]]:
    settings = load(real_file("barograph.toml"), environ={})
    messages = list(open_source(settings.connections[name], Access(settings.limits)).read(ReadRequest()))
    assert all(isinstance(message, Record) for message in messages)
    return [message.data for message in messages if isinstance(message, Record)]


def test_workbooks_give_every_report_its_day() -> None:
    """1,899 and 1,908 reports on seven days and one blank row a sheet, each with its day, sheet and row."""
    for name, counts in COUNTS.items():
        data = _read(name)
        reports = [record for record in data if "Time" in record]
        days = Counter(record["Date"] for record in reports)
        assert days == {f"2024-10-0{day}": count for day, count in enumerate(counts, 1)}
        assert [record for record in data if "Time" not in record] == [
            {"Date": f"2024-10-0{day}", "Sheet": f"0{day}1024", "Row": 2} for day in range(1, 8)
        ]
        assert reports[0]["Row"] == 3
        assert reports[0]["Time"] == "00:04:00"
        assert all("\u00a0" in record["Temperature"] and isinstance(record["UV"], float) for record in reports)


def test_the_answer_is_its_file() -> None:
    """The record of Infoclimat's answer is the file's content, nothing more and nothing less."""
    (record,) = _read("meteo_infoclimat")
    assert record == orjson.loads(real_file("Data_Source1_011024-071024.json").read_bytes())
    sizes = {station: len(rows) for station, rows in record["hourly"].items()}
    assert sizes == {"07015": 60, "00052": 361, "000R5": 361, "STATIC0010": 361, "_params": 9}


def test_reading_is_cheap() -> None:
    """All three connections cost a quarter of a CPU second at most (0.1 s where this was written)."""
    _read("meteo_ichtegem")
    started = time.process_time()
    for name in ("meteo_ichtegem", "meteo_madeleine", "meteo_infoclimat"):
        _read(name)
    assert time.process_time() - started < 0.5
