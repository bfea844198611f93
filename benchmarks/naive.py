"""What a data engineer in a hurry would write to load the export files: `python -m benchmarks.naive FOLDER`.

It reads every workbook and the Infoclimat answer with pandas, puts the sheets together, strips the units and ends with
two frames in memory. It knows no timezone, converts no unit, checks nothing and stores nothing: the least that could be
called a load.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd


def tables(folder: Path) -> pd.DataFrame:
    """All sheets of all workbooks, numbers without their units."""
    parts = []
    for path in sorted(folder.glob("*.xlsx")):
        for title, sheet in pd.read_excel(path, sheet_name=None, engine="openpyxl").items():
            parts.append(sheet.dropna(how="all").assign(day=title, station=path.stem))
    table = pd.concat(parts, ignore_index=True)
    for name in table.columns.difference(["Time", "Wind", "day", "station"]):
        digits = table[name].astype(str).str.extract(r"(-?\d+\.?\d*)", expand=False)
        table[name] = pd.to_numeric(digits, errors="coerce")
    table["time"] = pd.to_datetime(table["day"] + " " + table["Time"].astype(str), format="%d%m%y %H:%M:%S")
    return table


def answers(folder: Path) -> pd.DataFrame:
    """All rows of all answers, as numbers."""
    parts = []
    for path in sorted(folder.glob("*.json")):
        # The simulator's truth.json lies beside its exports, and is no answer.
        hourly = json.loads(path.read_text(encoding="utf-8")).get("hourly", {})
        parts += [pd.json_normalize(rows) for station, rows in hourly.items() if not station.startswith("_")]
    table = pd.concat(parts, ignore_index=True)
    for name in table.columns.difference(["id_station", "dh_utc"]):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    table["time"] = pd.to_datetime(table["dh_utc"])
    return table


if __name__ == "__main__":
    print(len(tables(Path(sys.argv[1]))) + len(answers(Path(sys.argv[1]))))
