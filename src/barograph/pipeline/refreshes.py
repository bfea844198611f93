"""Which landed objects hold all that their source said: only against these can a report be missed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from barograph.errors import FormatError
from barograph.landing import newest_manifest

if TYPE_CHECKING:
    from barograph.landing import LandingZone
    from barograph.model import LandedObject

_PART: Final = re.compile(r"_(\d+|[0-9a-fA-F-]{32,36})(\.[\w.]+)$")


def whole_exports(zone: LandingZone, waiting: Iterable[LandedObject], listed: Iterable[str]) -> frozenset[str]:
    """The keys among `waiting` of full refreshes in one part.

    A part of several holds some of the reports, and an incremental batch what is new. Streams that an Airbyte fills
    have no manifest; they count as full refreshes, since nothing says otherwise.
    """
    parts = Counter(_batch(key) for key in listed)
    alone = [item for item in waiting if parts[_batch(item.key)] == 1]
    refreshed = {stream: _is_refreshed(zone, stream) for stream in {item.stream for item in alone}}
    return frozenset(item.key for item in alone if refreshed[item.stream])


def _batch(key: str) -> str:
    """The key without its part: what the objects of one sync have in common."""
    return _PART.sub(r"\2", key)


def _is_refreshed(zone: LandingZone, stream: str) -> bool:
    try:
        manifest = newest_manifest(zone, stream)
    except FormatError:
        # The next sync of the stream refuses it by name; here nothing can be told.
        return False
    return manifest is None or manifest.mode == "full_refresh"
