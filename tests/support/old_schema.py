"""Databases as earlier versions of barograph left them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from pymongo import ASCENDING, MongoClient


def make_version_1(url: str) -> None:
    """Give a store of today the schema of version 1: no `meta`, and MongoDB's index of days without revisions."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript("DROP TABLE meta; PRAGMA user_version = 1;")
        return
    with MongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        database.drop_collection("meta")
        database["reports"].drop_index("days_of_station")
        keys = [(name, ASCENDING) for name in ("station_id", "day", "count", "first", "last")]
        database["reports"].create_index(keys, name="station_day")


def say_version(url: str, version: int) -> None:
    """Let a store of today claim a version."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        return
    with MongoClient[dict[str, Any]](url) as client:
        client.get_default_database()["meta"].update_one({"_id": "schema"}, {"$set": {"version": version}})
