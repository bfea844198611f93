"""Stations, ledger entries, log entries and run reports as MongoDB documents, and back."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

from barograph.model import Counts, Coverage, LedgerEntry, LogEntry, Station, StationSummary, iso
from barograph.store.base import StoredStation
from barograph.store.plain import plain, plain_text

Document = dict[str, Any]

DESCRIPTION: Final = tuple(field.name for field in fields(Station) if field.name != "station_id")
NO_REPORTS: Final[Document] = {"count": 0, "first": None, "last": None}


def describing(station: Station, described_at: datetime | None) -> Document:
    """The update that writes a description and leaves the summary alone; what is not said has no field."""
    said: Document = {name: getattr(station, name) for name in DESCRIPTION} | {"described_at": described_at}
    said = {name: plain_text(value) if isinstance(value, str) else value for name, value in said.items()}
    update: Document = {"$setOnInsert": {"reports": NO_REPORTS}}
    if known := {name: value for name, value in said.items() if value is not None}:
        update["$set"] = known
    if unknown := {name: "" for name, value in said.items() if value is None}:
        update["$unset"] = unknown
    return update


def stored_station(document: Document) -> StoredStation:
    """From a document of `stations`."""
    summary = document.get("reports", NO_REPORTS)
    return StoredStation(
        Station(document["_id"], **{name: document.get(name) for name in DESCRIPTION}),
        StationSummary(summary["count"], summary["first"], summary["last"]),
        document.get("described_at"),
    )


def station_document(stored: StoredStation) -> Document:
    """A whole document of `stations`, its fields in alphabetical order."""
    summary = {"count": stored.summary.count, "first": stored.summary.first, "last": stored.summary.last}
    said: Document = {name: getattr(stored.station, name) for name in DESCRIPTION}
    said |= {"_id": stored.station.station_id, "described_at": stored.described_at, "reports": summary}
    texts = {name: plain_text(value) if isinstance(value, str) else value for name, value in said.items()}
    return {name: texts[name] for name in sorted(texts) if texts[name] is not None}


def object_document(entry: LedgerEntry) -> Document:
    """A document of `objects`; coverage in columns, since one object may hold very many stations."""
    return {
        "_id": entry.key,
        "stream": entry.stream,
        "etag": entry.etag,
        "size": entry.size,
        "status": entry.status,
        "ingested_at": entry.ingested_at,
        "oldest": entry.oldest,
        "newest": entry.newest,
        "counts": asdict(entry.counts),
        "coverage": {
            "station_id": [part.station_id for part in entry.coverage],
            "first": [part.first for part in entry.coverage],
            "last": [part.last for part in entry.coverage],
        },
        "error": None if entry.error is None else plain_text(entry.error),
        "run_id": entry.run_id,
    }


def ledger_entry(document: Document) -> LedgerEntry:
    """From a document of `objects`."""
    coverage = document["coverage"]
    parts = zip(coverage["station_id"], coverage["first"], coverage["last"], strict=True)
    return LedgerEntry(
        key=document["_id"],
        stream=document["stream"],
        etag=document["etag"],
        size=document["size"],
        status=document["status"],
        ingested_at=document["ingested_at"],
        oldest=document["oldest"],
        newest=document["newest"],
        counts=Counts(**document["counts"]),
        coverage=tuple(Coverage(*part) for part in parts),
        error=document["error"],
        run_id=document["run_id"],
    )


def log_document(entry: LogEntry) -> Document:
    """A document of `logs`."""
    return {
        "_id": entry.log_id,
        "timestamp": entry.timestamp,
        "type": entry.type,
        "msg": plain_text(entry.msg),
        "context": plain(entry.context),
    }


def log_entry(document: Document) -> LogEntry:
    """From a document of `logs`."""
    return LogEntry(document["_id"], document["timestamp"], document["type"], document["msg"], document["context"])


def run_document(report: Document) -> Document:
    """A document of `runs`, from `RunReport.as_dict`: the report, its two instants as dates."""
    instants = {name: datetime.fromisoformat(report[name]) for name in ("started", "finished")}
    return {"_id": report["run_id"], **plain(report), **instants}


def run_report(document: Document) -> Document:
    """From a document of `runs`, JSON-ready as `RunReport.as_dict` made it."""
    del document["_id"]
    return document | {"started": iso(document["started"]), "finished": iso(document["finished"])}
