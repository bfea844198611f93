"""The bytes of a source as a bounded snapshot: in memory up to 32 MiB, in a temporary file beyond."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Final, Self

from barograph.config import MIB, Limits
from barograph.errors import LimitExceeded, SourceUnavailable

IN_MEMORY: Final = 32 * MIB


class TryAgain(Exception):
    """One try failed, another may not; `fetch` turns the last one into a SourceUnavailable."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched file: a context manager that lets go of the bytes at its end.

    `name` and `final_url` are for people, their secrets masked; `size` is in bytes, after gunzip. `status` is another
    one than 200 only where that was asked for, as with a conditional request.
    """

    file: IO[bytes]
    name: str
    size: int
    final_url: str
    content_type: str | None = None
    etag: str | None = None
    last_modified: datetime | None = None
    status: int = 200

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the bytes."""
        self.file.close()

    def read(self, size: int = -1) -> bytes:
        """The first `size` bytes, or all of them."""
        self.file.seek(0)
        return self.file.read(size)

    def pieces(self, size: int = MIB) -> Iterator[bytes]:
        """The bytes from the beginning, `size` at a time."""
        self.file.seek(0)
        while piece := self.file.read(size):
            yield piece


def keep(pieces: Iterable[bytes], where: str, limits: Limits) -> tuple[IO[bytes], int]:
    """The pieces as a file of ours, and their size in bytes.

    Raises LimitExceeded beyond `limits.source_mib`, SourceUnavailable where the temporary folder is full.
    """
    size = 0
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))
        for piece in pieces:
            size += len(piece)
            if size > limits.source_mib * MIB:
                raise too_large(where, limits)
            try:
                file.write(piece)
            except OSError as error:
                raise SourceUnavailable(
                    f"cannot be kept in the temporary folder: {error.strerror}",
                    where=where,
                    hint="free some space there, or name another folder in TMPDIR",
                ) from error
        stack.pop_all()
    return file, size


def too_large(where: str, limits: Limits) -> LimitExceeded:
    """The error for a source beyond `limits.source_mib`."""
    return LimitExceeded(
        f"is larger than {limits.source_mib} MiB", where=where, hint="raise [limits] source_mib if it is genuine"
    )
