"""The landing zone and the place of the backups: can they be listed, written, and cleaned up again?"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from barograph.bucket import BACKUPS, LANDING, Bucket, Purpose, open_bucket
from barograph.errors import BarographError
from barograph.model import utc_now
from barograph.ops.doctor.finding import Finding, Looked, of_error

if TYPE_CHECKING:
    from barograph.config import Settings

FOLDER: Final = "_barograph/doctor"
"""No stream is ever there."""
PATIENCE: Final = 5.0


def landing(settings: Settings) -> Looked:
    """The landing zone; its clock is known from the object that is written."""
    missing = _missing("landing zone", settings.landing_url, settings)
    return missing or _look("landing zone", settings.landing_url, LANDING, settings.landing_prefix)


def backups(settings: Settings) -> Looked:
    """The place of the backups."""
    return _missing("backups", settings.backup_url, settings) or _look("backups", settings.backup_url, BACKUPS, "")


def _missing(name: str, url: str, settings: Settings) -> Looked | None:
    """A folder that is not there: nothing is made, since it may be a disk that is not mounted."""
    path = Path(url.removeprefix("file://"))
    if urlsplit(url).scheme not in ("", "file") or path.exists():
        return None
    if path.is_relative_to(settings.data_dir):
        return Looked((Finding(name, "ok", f"{path} is made when it is needed"),))
    return Looked((Finding(name, "warning", f"{path} does not exist", f"mount it, or mkdir -p {path}"),))


def _look(name: str, url: str, purpose: Purpose, prefix: str) -> Looked:
    findings: list[Finding] = []
    try:
        bucket, inner = open_bucket(url, purpose, patience=PATIENCE)
        root = "/".join(filter(None, (inner, prefix)))
        next(iter(bucket.entries(root)), None)
        key = "/".join(filter(None, (root, FOLDER, uuid.uuid4().hex)))
        began = utc_now()
        bucket.create(key, b"barograph doctor\n")
    except BarographError as error:
        return Looked((of_error(name, error),))
    ahead = _ahead(bucket, key, began.timestamp())
    try:
        bucket.delete([key])
    except BarographError as error:
        findings.append(
            Finding(
                f"{name}: deleting",
                "warning",
                f"{error.what}; the probe {key} stays, which is harmless",
                "no run deletes there; `connections reset` and `backup prune` need the right to",
            )
        )
    findings.insert(0, Finding(name, "ok", f"{bucket.url} can be listed and written"))
    return Looked(tuple(findings), ahead if url.startswith("s3://") else None)


def _ahead(bucket: Bucket, key: str, began: float) -> float | None:
    """How far the store's clock is ahead of ours, by when it says the object was written; to the second."""
    try:
        written = bucket.entry(key).last_modified.timestamp()
    except BarographError:
        return None
    ended = time.time()
    if began - 1 <= written <= ended:
        return 0.0
    return written - ended if written > ended else written - began
