"""The truth about a simulation: what a correct decoder and a correct merge must make of the written files.

`truth.parquet` holds station_id, utc_time, every variable of the table of variables (canonical units, 2 decimals) and
`flags`, a JSON object {variable: QARTOD flag} or null. `truth.json` holds the faults and the counts.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from barograph.errors import FormatError, UsageError
from barograph.model import Station, iso

if TYPE_CHECKING:
    import polars as pl

TABLE: Final = "truth.parquet"
SUMMARY: Final = "truth.json"


@dataclass(frozen=True, slots=True)
class Fault:
    """An injected fault and its consequence.

    `object` is the file. In a workbook, `sheet` and `row` (1-based, as Excel counts) locate it; in a CSV, `row` is the
    line; in the Infoclimat answer, `row` is the 1-based place in the station's array. `column` is a column of the
    table or, where values were changed, the canonical variable; `value` is what stands there. `utc_time` and `until`
    are the first and the last instant concerned. `done` says what was done, `record` what the record must hold.
    `rejected` and `duplicates` count the report rows that must not become reports; `flags` are QARTOD flags that the
    record must carry.
    """

    name: str
    object: str
    station_id: str
    done: str
    record: str
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    utc_time: datetime | None = None
    until: datetime | None = None
    rejected: int = 0
    duplicates: int = 0
    flags: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimulatedNetwork:
    """What `simulate` wrote.

    rows = reports + rejected + duplicates: `rows` are the report rows in the files (blank ones are none), `reports`
    the reports that the record must hold. `station_reports` has them by station.
    """

    out_dir: Path
    config: Path
    files: tuple[Path, ...]
    stations: tuple[Station, ...]
    rows: int
    reports: int
    rejected: int
    duplicates: int
    station_reports: dict[str, int]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth as read back: `reports` (see above; ascending by station as written, then time), faults, counts."""

    reports: pl.DataFrame
    faults: tuple[Fault, ...]
    counts: dict[str, Any]


def save_truth(network: SimulatedNetwork, reports: pl.DataFrame, parameters: dict[str, Any]) -> None:
    """Write truth.parquet and truth.json into the network's folder."""
    reports.write_parquet(network.out_dir / TABLE)
    summary = {
        "simulation": parameters,
        "files": [path.name for path in network.files],
        "counts": {
            "rows": network.rows,
            "reports": network.reports,
            "rejected": network.rejected,
            "duplicates": network.duplicates,
            "stations": network.station_reports,
        },
        "faults": [_plain(fault) for fault in network.faults],
    }
    text = json.dumps(summary, indent=2, ensure_ascii=False)
    (network.out_dir / SUMMARY).write_text(text + "\n", encoding="utf-8")


def load_truth(out_dir: str | os.PathLike[str]) -> Truth:
    """The truth that `simulate` left in `out_dir`.

    Raises UsageError where there is none, FormatError where it is broken.
    """
    import polars as pl

    folder = Path(out_dir)
    for name in (TABLE, SUMMARY):
        if not (folder / name).is_file():
            raise UsageError(f"holds no {name}", where=str(folder), hint="write a simulation there first")
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        faults = tuple(_fault(entry) for entry in summary["faults"])
        counts = summary["counts"]
        reports = pl.read_parquet(folder / TABLE)
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise FormatError(f"is not a simulation's truth ({error})", where=str(folder), hint="simulate again") from error
    return Truth(reports, faults, counts)


def _plain(fault: Fault) -> dict[str, Any]:
    plain = {key: value for key, value in asdict(fault).items() if value is not None}
    return {key: iso(value) if isinstance(value, datetime) else value for key, value in plain.items()}


def _fault(entry: dict[str, Any]) -> Fault:
    known = {item.name for item in fields(Fault)}
    values = {key: value for key, value in entry.items() if key in known}
    for key in ("utc_time", "until"):
        if key in values:
            values[key] = datetime.fromisoformat(values[key])
    return Fault(**values)
