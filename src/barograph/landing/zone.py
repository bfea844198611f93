"""The landing zone: the objects of all streams under one prefix of a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barograph.bucket import LANDING, Bucket, open_bucket
from barograph.landing.layout import parse_key
from barograph.model import LandedObject

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class LandingZone:
    """An opened landing zone. Keys include `prefix`; every error is a LandingError that names the object."""

    url: str
    prefix: str
    bucket: Bucket

    def objects(self) -> list[LandedObject]:
        """Every object of every stream, oldest extraction first (then by key); manifests are left out."""
        found = []
        for entry in self.bucket.entries(self.prefix):
            name = parse_key(self.prefix, entry.key)
            if name is not None:
                extracted = name.extracted_at or entry.last_modified
                found.append(
                    LandedObject(entry.key, name.stream, entry.size, entry.etag, entry.last_modified, extracted)
                )
        return sorted(found, key=lambda item: (item.extracted_at, item.key))

    def keys(self, folder: str, after: str | None = None) -> list[str]:
        """The keys under a folder, sorted; with `after` those alone that sort behind it."""
        return self.bucket.keys(folder, after)

    def sweep(self, folder: str) -> None:
        """Remove what killed processes left half-written in a folder of files."""
        self.bucket.sweep(folder)

    def chunks(self, item: LandedObject) -> Iterator[bytes]:
        """An object's bytes as they stand, in chunks of some MiB, while it is the object that was listed."""
        return self.bucket.chunks(item.key, item.size, item.etag)

    def read(self, key: str) -> bytes:
        """A whole (small) object."""
        return self.bucket.read(key)

    def create(self, key: str, data: bytes, attributes: Mapping[str, str] | None = None) -> bool:
        """Write an object that must not exist yet; False where it does. `attributes` reach S3 only."""
        return self.bucket.create(key, data, attributes)


def open_landing(url: str, prefix: str) -> LandingZone:
    """Open a landing zone at any URL that `open_bucket` takes."""
    bucket, inner = open_bucket(url, LANDING)
    return LandingZone(bucket.url, "/".join(filter(None, (inner, prefix))), bucket)
