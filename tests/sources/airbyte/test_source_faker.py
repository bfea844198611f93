"""airbyte-source-faker 7.2.1: incremental streams with states."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from barograph.landing import open_landing, open_object
from barograph.landing.manifest import newest_manifest
from tests.sources.airbyte.real import MAIN, version_of

pytestmark = pytest.mark.timeout(900)

CONFIG = """
[landing]
url = "landing"

[store]
url = "sqlite:///m.db"

[connections.faker]
source = "airbyte"
connector = "source-faker"
streams = ["users", "purchases"]
stream_prefix = "faker_"

[connections.faker.config]
count = {count}
seed = 7
records_per_slice = {slice}
parallelism = 1
always_updated = {always}
"""
EAGER = "from barograph.landing import write; write.BATCH_BYTES = 1; "
"""Each state is landed at once."""


class Faker:
    """A configuration of its own, synced by processes of its own."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.folder, self.data_dir = folder, data_dir
        folder.mkdir()
        self.zone = open_landing(str(folder / "landing"), "meteo_sync")

    def start(self, count: int = 60, size: int = 20, *, always: bool = False) -> subprocess.Popen[str]:
        text = CONFIG.format(count=count, slice=size, always=str(always).lower())
        (self.folder / "b.toml").write_text(text, encoding="utf-8")
        command = [*MAIN[:2], EAGER + MAIN[2], "--config", str(self.folder / "b.toml"), "--data-dir"]
        return subprocess.Popen(
            [*command, str(self.data_dir), "sync"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )

    def sync(self, **config: Any) -> None:
        with self.start(**config) as process:
            said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said

    def ids(self, stream: str) -> Counter[int]:
        found: Counter[int] = Counter()
        for item in self.zone.objects():
            if item.stream == f"faker_{stream}":
                lines = b"".join(open_object(self.zone, item, limit_mib=100)).splitlines()
                found.update(orjson.loads(line)["_airbyte_data"]["id"] for line in lines)
        return found

    def offset(self, stream: str) -> int | None:
        manifest = newest_manifest(self.zone, f"faker_{stream}")
        if manifest is None or manifest.state is None:
            return None
        offset: int = manifest.state["stream"]["stream_state"]["loop_offset"]
        return offset


def test_it_is_installed(source_faker: Path) -> None:
    """By `barograph connector install` itself; the minutes that takes are this test's own."""
    assert version_of(source_faker, "source-faker") == "7.2.1"


def test_three_syncs_equal_one(source_faker: Path, tmp_path: Path) -> None:
    """Each goes on from the state of the one before: with it the connector knows that it has said everything."""
    one, three = Faker(tmp_path / "one", source_faker), Faker(tmp_path / "three", source_faker)
    one.sync()
    for _ in range(3):
        three.sync()
    for stream in ("users", "purchases"):
        assert three.ids(stream) == one.ids(stream)
        assert set(three.ids(stream).values()) == {1}
        assert three.offset(stream) == one.offset(stream) == 60


def test_killed_in_between_nothing_is_lost(source_faker: Path, tmp_path: Path) -> None:
    """SIGKILL while users are being landed: the state never speaks of more than stands; then all of it comes.

    This connector begins anew from any state, so what stood is said and landed again: once more, not lost.
    """
    faker = Faker(tmp_path / "killed", source_faker)
    with faker.start(count=20_000, size=500, always=True) as process:
        end = time.monotonic() + 120
        while (faker.offset("users") or 0) < 1000:
            assert process.poll() is None, "it was done before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.05)
        process.kill()
        process.communicate()
    offset, landed = faker.offset("users"), faker.ids("users")
    assert offset is not None
    assert offset < 20_000
    assert set(landed) >= set(range(1, offset + 1))
    assert set(landed.values()) == {1}
    faker.sync(count=20_000, size=5000, always=True)
    assert set(faker.ids("users")) == set(range(1, 20_001))
    assert faker.offset("users") == faker.offset("purchases") == 20_000
