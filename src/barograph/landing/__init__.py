"""The landing zone: raw extracts in the layout of Airbyte's S3 destination, write-once, the source of truth."""

from barograph.landing.manifest import newest_manifest
from barograph.landing.read import open_object
from barograph.landing.write import Landed, StreamWriter, land, last_state, reset
from barograph.landing.zone import LandingZone, open_landing

__all__ = [
    "Landed",
    "LandingZone",
    "StreamWriter",
    "land",
    "last_state",
    "newest_manifest",
    "open_landing",
    "open_object",
    "reset",
]
