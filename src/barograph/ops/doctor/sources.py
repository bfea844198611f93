"""Each connection's source: is it there? Asked without reading it, and without spending a quota."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from barograph.bucket import Purpose, open_bucket
from barograph.errors import BarographError, SourceRefused, SourceUnavailable
from barograph.logs import Known
from barograph.ops.doctor.finding import Finding, Looked, of_error
from barograph.sources.fetched import TryAgain
from barograph.sources.guard import named
from barograph.sources.http_get import HttpGet
from barograph.sources.masking import mask

if TYPE_CHECKING:
    from barograph.config import Connection, Settings

SECONDS: Final = 5.0
FILES: Final = frozenset({"wunderground-table", "infoclimat", "table"})
"""The kinds whose url is the very file; that of another is where its requests begin, and may refuse a bare one."""
_BUCKET: Final = Purpose("source", SourceRefused, SourceUnavailable)


def source(connection: Connection, settings: Settings) -> Looked:
    """One connection's far end."""
    name = f"source of {connection.name}"
    try:
        found = _look(name, connection, settings)
    except BarographError as error:
        found = Looked((of_error(name, named(error, Known(connection.secrets), connection.name)),))
    return found


def _look(name: str, connection: Connection, settings: Settings) -> Looked:
    if connection.source == "airbyte":
        from barograph.sources.airbyte.installed import connector_of

        told, _, _ = connector_of(connection, settings.data_dir)
        return Looked((Finding(name, "ok", f"connector {told} is installed"),))
    url = str(connection.reveal(connection.url))
    scheme = urlsplit(url).scheme if "://" in url else ""
    if scheme in ("http", "https"):
        return _over_http(name, url, connection, settings)
    if scheme == "s3":
        bucket, key = open_bucket(url, _BUCKET, patience=SECONDS)
        bucket.entry(key)
        return Looked((Finding(name, "ok", f"{mask(connection.url)} is there"),))
    if scheme in ("", "file"):
        return Looked((_file(name, unquote(urlsplit(url).path) if scheme else url),))
    return Looked(())


def _file(name: str, path: str) -> Finding:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        cure = "check the connection's url; a relative one starts at the configuration's folder"
        return Finding(name, "failed", f"{path}: {error.strerror}", cure)
    if not stat.S_ISREG(mode):
        return Finding(name, "failed", f"{path} is no file", "name the export file itself in the connection's url")
    if not os.access(path, os.R_OK):
        return Finding(name, "failed", f"{path} cannot be read by this user", f"give this user the right: {path}")
    return Finding(name, "ok", f"{path} can be read")


def _over_http(name: str, url: str, connection: Connection, settings: Settings) -> Looked:
    limits = replace(settings.limits, http_timeout=min(SECONDS, settings.limits.http_timeout))
    whole = connection.source in FILES
    headers = connection.reveal(connection.options.get("headers") or {}) if whole else {}
    for option in ("token", "api_key"):
        connection.reveal(connection.options.get(option) or "")
    shown = mask(connection.url)
    began = time.time()
    try:
        told = HttpGet(url, limits, headers).look(any_answer=not whole)
    except TryAgain as failure:
        cure = "check the address and this machine's network; the next run tries it again"
        return Looked((Finding(name, "failed", f"{shown} {failure.what}", cure),))
    ended = time.time()
    ahead = None
    if told is not None:
        date = told.timestamp()
        # A Date has whole seconds: it is up to one behind the clock that it tells of.
        ahead = date - ended if date > ended else date + 1 - began if date + 1 < began else 0.0
    return Looked((Finding(name, "ok", f"{shown} answers"),), ahead)
