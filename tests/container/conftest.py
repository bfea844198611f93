"""The image, built once for these tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.image import Image, built
from tests.support.bare_root import place


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The image of this checkout's tracked files; skips where it cannot be built."""
    folder = Path(tempfile.mkdtemp(prefix="barograph-image-", dir=place()))
    try:
        with built(folder) as image:
            yield image
    finally:
        shutil.rmtree(folder)
