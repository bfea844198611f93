"""Stations, ledger entries, log entries and run reports as rows of the SQLite engine, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import datetime
from typing import Any, Final

import orjson

from barograph.model import Counts, Coverage, LedgerEntry, LogEntry, Station, StationSummary
from barograph.store.base import StoredStation
from barograph.store.plain import plain, plain_text
from barograph.store.span import from_ms, to_ms

DESCRIPTION: Final = tuple(field.name for field in fields(Station))
OBJECT_COLUMNS: Final = tuple(field.name for field in fields(LedgerEntry))


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def station_row(station: Station, described_at: datetime | None) -> tuple[Any, ...]:
    """DESCRIPTION, then described_at."""
    cells = (plain_text(cell) if isinstance(cell, str) else cell for cell in astuple(station))
    return (*cells, _ms(described_at))


def summarised_row(stored: StoredStation) -> tuple[Any, ...]:
    """DESCRIPTION, described_at, count, first, last."""
    summary = stored.summary
    description = station_row(stored.station, stored.described_at)
    return (*description, summary.count, _ms(summary.first), _ms(summary.last))


def stored_station(row: Sequence[Any]) -> StoredStation:
    """From DESCRIPTION, described_at, count, first, last."""
    *description, described_at, count, first, last = row
    summary = StationSummary(count, _instant(first), _instant(last))
    return StoredStation(Station(*description), summary, _instant(described_at))


def object_row(entry: LedgerEntry) -> tuple[Any, ...]:
    """OBJECT_COLUMNS; coverage as [[station_id, first, last], …]."""
    coverage = [(part.station_id, to_ms(part.first), to_ms(part.last)) for part in entry.coverage]
    return (
        entry.key,
        entry.stream,
        entry.etag,
        entry.size,
        entry.status,
        to_ms(entry.ingested_at),
        _ms(entry.oldest),
        _ms(entry.newest),
        _json({field.name: getattr(entry.counts, field.name) for field in fields(Counts)}),
        _json(coverage),
        None if entry.error is None else plain_text(entry.error),
        entry.run_id,
    )


def ledger_entry(row: Sequence[Any]) -> LedgerEntry:
    """From OBJECT_COLUMNS."""
    key, stream, etag, size, status, ingested_at, oldest, newest, counts, coverage, error, run_id = row
    return LedgerEntry(
        key=key,
        stream=stream,
        etag=etag,
        size=size,
        status=status,
        ingested_at=from_ms(ingested_at),
        oldest=_instant(oldest),
        newest=_instant(newest),
        counts=Counts(**orjson.loads(counts)),
        coverage=tuple(Coverage(part[0], from_ms(part[1]), from_ms(part[2])) for part in orjson.loads(coverage)),
        error=error,
        run_id=run_id,
    )


def log_row(entry: LogEntry) -> tuple[Any, ...]:
    """log_id, timestamp, type, msg, context, run_id."""
    context = plain(entry.context)
    run_id = context.get("run_id")
    text = None if run_id is None else str(run_id)
    return entry.log_id, to_ms(entry.timestamp), entry.type, plain_text(entry.msg), _json(context), text


def log_entry(row: Sequence[Any]) -> LogEntry:
    """From log_id, timestamp, type, msg, context."""
    log_id, timestamp, type_, msg, context = row
    return LogEntry(log_id, from_ms(timestamp), type_, msg, orjson.loads(context))


def run_row(report: dict[str, Any]) -> tuple[Any, ...]:
    """run_id, started, report; from `RunReport.as_dict`."""
    return report["run_id"], to_ms(datetime.fromisoformat(report["started"])), _json(plain(report))
