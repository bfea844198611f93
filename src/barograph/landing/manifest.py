"""Manifests: what our own sync leaves beside what it landed, written last.

A manifest marks a generation (or an incremental batch) complete and carries the source's state. It is never changed:
the newest one of a stream tells where the next sync goes on, so that a state is never ahead of its records.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from barograph.errors import FormatError
from barograph.landing.layout import manifest_folder, manifest_key
from barograph.model import epoch_ms, iso, utc_now

if TYPE_CHECKING:
    from barograph.landing.zone import LandingZone

Mode = Literal["full_refresh", "incremental", "reset"]

_NAME: Final = re.compile(r"\d{13}\.json")
"""Thirteen digits from 2001 to 2286, so that names sort as their instants do."""
_LOOK_BACK: Final = (timedelta(days=2), timedelta(days=100))
"""The newest manifest is looked for in the last days first: an hourly sync leaves 87,600 of them in ten years."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One complete write to a stream.

    `extracted_at`: epoch milliseconds, as in the keys of `objects` (later only where another sync's manifest stood at
    that instant). `digest`: SHA-256 of the records' lines. `flat`: whether their fields stand in the place of
    `_airbyte_data`. `state`: what the source said at its end, for the next incremental sync. A reset has no objects
    and no state.
    """

    generation_id: int
    extracted_at: int
    sync_id: int
    mode: Mode = "full_refresh"
    records: int = 0
    extension: str = ""
    digest: str = ""
    objects: tuple[str, ...] = ()
    state: dict[str, Any] | None = field(default=None, hash=False)
    flat: bool = False

    def create(self, zone: LandingZone, stream: str, instant: datetime) -> bool:
        """Write it; False where another sync has taken the instant."""
        body = {
            "generation_id": self.generation_id,
            "sync_id": self.sync_id,
            "mode": self.mode,
            "extracted_at": epoch_ms(instant),
            "synced_at": iso(instant),
            "records": self.records,
            "extension": self.extension,
            "flat": self.flat,
            "digest": self.digest,
            "objects": list(self.objects),
            "state": self.state,
        }
        return zone.create(manifest_key(zone.prefix, stream, instant), orjson.dumps(body, option=orjson.OPT_INDENT_2))


def newest_manifest(zone: LandingZone, stream: str) -> Manifest | None:
    """A stream's last manifest, None before the first. Raises FormatError for one that is damaged."""
    key = _newest_key(zone, manifest_folder(zone.prefix, stream))
    if key is None:
        return None
    try:
        body: dict[str, Any] = orjson.loads(zone.read(key))
        return Manifest(
            generation_id=body["generation_id"],
            extracted_at=body["extracted_at"],
            sync_id=body.get("sync_id", body["generation_id"]),
            mode=body.get("mode", "full_refresh"),
            records=body["records"],
            extension=body["extension"],
            digest=body["digest"],
            objects=tuple(body["objects"]),
            state=body.get("state"),
            flat=body.get("flat", False),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise FormatError(
            f"is no manifest ({error})", where=key, hint="remove it; the next sync then goes on from the one before"
        ) from error


def _newest_key(zone: LandingZone, folder: str) -> str | None:
    """What lies behind a place in the order of the names holds the newest, if there is anything."""
    now = utc_now()
    for after in (*[f"{folder}/{epoch_ms(now - back)}" for back in _LOOK_BACK], None):
        keys = [key for key in zone.keys(folder, after) if _NAME.fullmatch(key.rpartition("/")[2])]
        if keys:
            return keys[-1]
    return None
