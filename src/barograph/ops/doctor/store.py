"""The store: reachable, of this version, readable and writable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from barograph.errors import BarographError
from barograph.ops.doctor.finding import Finding, of_error
from barograph.store import open_store, redact
from barograph.store.schema import VERSION, Schema

if TYPE_CHECKING:
    from barograph.config import Settings
    from barograph.store.base import Store

PATIENCE: Final = 5.0


def store(settings: Settings) -> Iterator[Finding]:
    """The configured store, whichever it is."""
    url = settings.store_url
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not path.exists():
        yield _to_be_made(path)
        return
    try:
        with closing(open_store(url, patience=PATIENCE)) as opened:
            schema = opened.schema()
            yield from _schema(schema)
            count = len(opened.stations())
            yield Finding("store", "ok", f"{opened.url} is read: {count} station{'s' * (count != 1)}")
            if url.startswith("sqlite") and schema.version == VERSION:
                yield _writing(opened)
    except BarographError as error:
        yield of_error("store", error)
        return
    if url.startswith("mongodb"):
        from barograph.ops.doctor.mongodb import mongodb

        yield from mongodb(url, writing=schema.version == VERSION)


def _to_be_made(path: Path) -> Finding:
    folder = next(parent for parent in path.parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding("store", "failed", f"{folder} cannot be written", "give this user the folder, or use --data-dir")
    return Finding("store", "ok", f"{redact(f'sqlite:///{path}')} is made by the first run")


def _schema(schema: Schema) -> Iterator[Finding]:
    if schema.restoring is not None:
        yield Finding(
            "schema",
            "failed",
            f"the restore of backup {schema.restoring} has not finished",
            f"wait for it, or `barograph backup restore {schema.restoring}` starts it anew",
        )
    elif schema.version is not None and schema.version > VERSION:
        yield Finding("schema", "failed", f"version {schema.version} is newer than {VERSION}", "upgrade barograph")
    elif schema.pending:
        verdict = "failed" if schema.version is not None and schema.version < VERSION else "warning"
        yield Finding(
            "schema",
            "failed" if verdict == "failed" else "warning",
            f"version {schema.version}, to be done: {'; '.join(schema.pending)}",
            "`barograph backup create`, then `barograph migrate`",
        )
    elif schema.version is None:
        yield Finding("schema", "ok", "the database is empty; the first run makes it")
    else:
        yield Finding("schema", "ok", f"version {schema.version}")


def _writing(opened: Store) -> Finding:
    """A transaction that takes the lock of writers and writes nothing."""
    try:
        opened.put_objects([])
    except BarographError as error:
        return of_error("store: writing", error)
    return Finding("store: writing", "ok", "a transaction was begun and committed")
