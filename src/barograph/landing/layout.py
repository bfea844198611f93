"""Keys of the landing zone, as Airbyte's S3 destination writes them.

    <prefix>/<stream>/<YYYY>_<MM>_<DD>_<epoch ms of the sync's start>_<part>.<csv|jsonl>[.gz]
    <prefix>/_barograph/<stream>/<epoch ms>.json        the manifest of a generation that our own sync wrote

Parquet and Avro objects, which an Airbyte may land, have `parquet` or `avro` in that place.

A generation is complete when its manifest is there; a reader of Airbyte's layout never sees the manifests, because
`_barograph` holds no stream. Older Airbyte versions put a namespace folder above the stream or a UUID for the part;
both are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from barograph.model import epoch_ms, from_epoch_ms

MANIFESTS: Final = "_barograph"

_NAME: Final = re.compile(
    r"(?P<date>\d{4}_\d{2}_\d{2})_(?P<millis>\d{12,14})_(?P<part>\d+|[0-9a-fA-F-]{32,36})\.(?P<ext>[\w.]+)"
)
READABLE: Final = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet", "avro", "xlsx")


@dataclass(frozen=True, slots=True)
class ObjectName:
    """What a key says: its stream, its extension, and the instant of its sync where the name carries one."""

    stream: str
    extension: str
    extracted_at: datetime | None


def stream_folder(prefix: str, stream: str) -> str:
    """The folder of a stream's objects."""
    return "/".join(filter(None, (prefix, stream)))


def object_key(prefix: str, stream: str, started: datetime, part: int, extension: str) -> str:
    """The key of one part of a sync that started at `started`."""
    return f"{stream_folder(prefix, stream)}/{started:%Y_%m_%d}_{epoch_ms(started)}_{part}.{extension}"


def manifest_folder(prefix: str, stream: str) -> str:
    """The folder of a stream's manifests."""
    return stream_folder(prefix, f"{MANIFESTS}/{stream}")


def manifest_key(prefix: str, stream: str, started: datetime) -> str:
    """The key of a generation's manifest."""
    return f"{manifest_folder(prefix, stream)}/{epoch_ms(started)}.json"


def parse_key(prefix: str, key: str) -> ObjectName | None:
    """What `key` says, or None where it is not a stream's object (a manifest, a file outside of any stream)."""
    if prefix and not key.startswith(prefix + "/"):
        return None
    *folders, name = key.removeprefix(prefix + "/" if prefix else "").split("/")
    if not folders or folders[0] == MANIFESTS or "." not in name or name.startswith("."):
        return None
    match = _NAME.fullmatch(name)
    if match is None:
        _, _, suffix = name.partition(".")
        extension = next((ext for ext in READABLE if name.endswith("." + ext)), suffix)
        return ObjectName(folders[-1], extension, None)
    return ObjectName(folders[-1], match["ext"], from_epoch_ms(int(match["millis"])))
