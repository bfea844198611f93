"""Other ways to keep reports in MongoDB, each read as well as one reasonably can with pymongo and polars.

`OneDocumentPerReport` keeps {station_id, utc_time, temperature, …} under an index on (station_id, utc_time);
`EmbeddedArray` keeps all reports in an array of the station's document. Both leave out what is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import ASCENDING, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from barograph.frame import INSTANT
from barograph.store.mongo_client import OPTIONS

Document = dict[str, Any]
NAIVE: Final[CodecOptions[Document]] = CodecOptions()
MILLISECONDS: Final[CodecOptions[Document]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
"""Instants as whole numbers: quicker than datetimes where each is touched by Python anyway."""

PER_INSERT: Final = 10_000
PER_BATCH: Final = 2_000
"""The server's first batch has 101 documents: a day would take two round trips."""


def connect(uri: str) -> MongoClient[Document]:
    """A client with the options of barograph's own: majority writes, reads of what a majority has."""
    return MongoClient(uri, **OPTIONS)


class OneDocumentPerReport:
    """A collection of reports; `frame` tells the columns that a read gives."""

    def __init__(self, database: Database[Document], frame: pl.DataFrame) -> None:
        self._reports: Collection[Document] = database["one_per_report"]
        self._quick = self._reports.with_options(codec_options=MILLISECONDS)
        self._schema = dict(frame.schema)

    def fill(self, station_id: str, frame: pl.DataFrame) -> None:
        """Make the index and insert every report."""
        self._reports.create_index([("station_id", ASCENDING), ("utc_time", ASCENDING)], unique=True)
        for start in range(0, frame.height, PER_INSERT):
            rows = documents(frame.slice(start, PER_INSERT))
            self._reports.insert_many([{"station_id": station_id, **row} for row in rows], ordered=False)

    def read_rows(self, station_id: str, start: datetime, end: datetime) -> pl.DataFrame:
        """The span, the documents handed to polars as they are: the quicker way for many."""
        found = self._find(self._reports, station_id, start, end)
        schema = {**self._schema, "utc_time": pl.Datetime("ms")}
        frame = pl.DataFrame(found, schema=schema)
        return frame.with_columns(pl.col("utc_time").dt.replace_time_zone("UTC"))

    def read_columns(self, station_id: str, start: datetime, end: datetime) -> pl.DataFrame:
        """The span, taken apart into columns: the quicker way for few."""
        return columns(self._find(self._quick, station_id, start, end), self._schema)

    @staticmethod
    def _find(reports: Collection[Document], station_id: str, start: datetime, end: datetime) -> list[Document]:
        query = {"station_id": station_id, "utc_time": {"$gte": start, "$lt": end}}
        found = reports.find(query, {"_id": 0, "station_id": 0}).sort("utc_time", ASCENDING)
        return found.batch_size(PER_BATCH).to_list()


class EmbeddedArray:
    """Stations with their reports inside; `frame` tells the columns that a read gives."""

    def __init__(self, database: Database[Document], frame: pl.DataFrame) -> None:
        self._stations: Collection[Document] = database["embedded"].with_options(codec_options=MILLISECONDS)
        self._schema = dict(frame.schema)

    def fill(self, station_id: str, frame: pl.DataFrame) -> None:
        """Insert the station with all of its reports at once (adding them day by day takes minutes)."""
        self._stations.insert_one({"_id": station_id, "reports": documents(frame)})

    def add(self, station_id: str, frame: pl.DataFrame) -> None:
        """Append a day's reports in one update. Raises WriteError where the document would exceed 16 MB."""
        more = {"$push": {"reports": {"$each": documents(frame)}}}
        self._stations.update_one({"_id": station_id}, more, upsert=True)

    def size(self, station_id: str) -> int:
        """Bytes of the station's document."""
        match: Document = {"$match": {"_id": station_id}}
        pipeline: list[Document] = [match, {"$project": {"size": {"$bsonSize": "$$ROOT"}}}]
        return int(self._stations.aggregate(pipeline).next()["size"])

    def read(self, station_id: str, start: datetime, end: datetime) -> pl.DataFrame:
        """The span, cut out by the server: twice as quick as $unwind, and ten times as whole documents."""
        inside = {"$and": [{"$gte": ["$$report.utc_time", start]}, {"$lt": ["$$report.utc_time", end]}]}
        chosen = {"$filter": {"input": "$reports", "as": "report", "cond": inside}}
        pipeline: Sequence[Mapping[str, Any]] = [
            {"$match": {"_id": station_id}},
            {"$project": {"_id": 0, "reports": chosen}},
        ]
        return columns(self._stations.aggregate(pipeline).next()["reports"], self._schema)


def documents(frame: pl.DataFrame) -> list[Document]:
    """A row of `frame` each, without what is null."""
    return [{name: value for name, value in row.items() if value is not None} for row in frame.iter_rows(named=True)]


def columns(found: list[Document], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Documents with `utc_time` as DatetimeMS, as a frame."""
    instants = pl.Series("utc_time", [int(row["utc_time"]) for row in found], dtype=pl.Int64).cast(INSTANT)
    others = [
        pl.Series(name, [row.get(name) for row in found], dtype=dtype)
        for name, dtype in schema.items()
        if name != "utc_time"
    ]
    return pl.DataFrame([instants, *others])
