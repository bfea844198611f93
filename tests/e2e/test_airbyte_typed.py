"""Parquet and Avro, as Airbyte lands them before 1.0 and since, are ingested to the record of our own sync."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.airbyte import Rows, rows_of
from tests.e2e.airbyte_typed import CODECS, Typing, avro_of, parquet_of
from tests.e2e.scenario import Place, Scene
from tests.support.real import REAL, requires_real

NEW: Final = Typing()
OLD: Final = Typing("before 1.0")
TYPINGS: Final = {
    "from 1.0": NEW,
    "from 1.0, no schema inside": Typing(objects=False),
    "from 1.0, all text": Typing(objects=False, times=False),
    "from 1.0, a union": Typing(mixed="UV", extracted="timestamp"),
    "from 1.0, text instant": Typing(extracted="text"),
    "before 1.0": OLD,
    "before 1.0, no schema inside": Typing("before 1.0", objects=False),
    "before 1.0, a union and an unforeseen column": Typing("before 1.0", mixed="UV", extra="Gust"),
}
Write = Callable[[Rows], bytes]


def forms() -> Iterator[tuple[str, str, Write]]:
    """Every form: its name, its extension, its writer."""
    for name, typing in TYPINGS.items():
        yield f"avro, {name}", "avro", partial(avro_of, typing=typing, codec="deflate")
        yield f"parquet, {name}", "parquet", partial(parquet_of, typing=typing)
    for codec in CODECS:
        yield f"avro {codec}", "avro", partial(avro_of, typing=NEW, codec=codec)
    for packed in ("none", "snappy", "gzip", "zstd"):
        for by in ("pyarrow", "polars"):
            yield f"parquet {packed} by {by}", "parquet", partial(parquet_of, typing=NEW, compression=packed, by=by)
    pages: dict[str, Any] = {
        "use_dictionary": False,
        "write_page_checksum": True,
        "data_page_version": "2.0",
        "data_page_size": 4096,
    }
    yield "parquet without a dictionary, with checksums", "parquet", partial(parquet_of, typing=NEW, **pages)
    yield "avro, a record a block", "avro", partial(avro_of, typing=OLD, codec="deflate", block_rows=1)


FORMS: Final = [pytest.param(extension, write, id=name) for name, extension, write in forms()]


def rewrite(place: Place, streams: tuple[str, ...], extension: str, write: Write) -> None:
    """Put another form in the place of what our own sync landed."""
    for stream in streams:
        (path,) = (place.landing_folder / stream).iterdir()
        data = write(rows_of(path))
        path.unlink()
        path.with_name(f"{path.name.partition('.')[0]}.{extension}").write_bytes(data)


@pytest.mark.parametrize(("extension", "write"), FORMS)
def test_a_simulated_network(scene: Scene, extension: str, write: Write) -> None:
    """Two tables and an answer: every report, every value, every station."""
    scene.land_undisturbed()
    rewrite(scene.place, ("ichtegem", "madeleine", "infoclimat"), extension, write)
    report = scene.place.ingest()
    assert list(report.errors) == []
    scene.assert_fate(report)
    own = Place(scene.undisturbed.folder / "barograph.toml", scene.undisturbed.data_dir)
    assert scene.place.export() == own.export()
    assert scene.place.state()["stations"] == own.state()["stations"]
    scene.assert_record()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The network's published files, synced and ingested by our own job."""
    assert REAL is not None
    place = Place(REAL / "barograph.toml", tmp_path_factory.mktemp("published"))
    assert place.run().reports.new == 4950
    return place


@requires_real
@pytest.mark.parametrize(("extension", "write"), FORMS)
def test_the_published_files(published: Place, tmp_path: Path, extension: str, write: Write) -> None:
    """4,950 reports: the export is the same, byte for byte, and so is what is known of the stations."""
    shutil.copytree(published.data_dir / "landing", tmp_path / "landing")
    place = Place(published.config, tmp_path)
    streams = tuple(path.name for path in place.landing_folder.iterdir() if path.name != "_barograph")
    assert len(streams) == 3
    rewrite(place, streams, extension, write)
    report = place.ingest()
    assert (report.status, report.reports.new, report.reports.rejected) == ("done", 4950, 0)
    assert place.export() == published.export()
    assert place.state()["stations"] == published.state()["stations"]
