"""What our sync lands is, byte for byte, what Airbyte's S3 destination writes for the same records.

Ids, times and the numbers of syncs and generations are masked; nothing else is.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Final

import pytest

from barograph.config import load
from barograph.landing import land, open_landing
from barograph.messages import Columns, Record
from barograph.model import utc_now
from barograph.sources import Access, Messages, ReadRequest, open_source
from barograph.sources.infoclimat import Infoclimat
from tests.e2e.airbyte import destination, masked
from tests.e2e.scenario import Place, Scene
from tests.support.real import REAL, requires_real

FORMS: Final = [
    pytest.param(form, compression, flatten, id=f"{form} {compression} {flatten}")
    for form in ("csv", "jsonl")
    for compression in ("none", "gzip")
    for flatten in ("none", "root")
]
NAMES: Final = ("meteo_ichtegem", "meteo_madeleine", "meteo_infoclimat")


def records_of(config: Path, connection: str) -> list[dict[str, Any]]:
    """What a connection's source says."""
    settings = load(config, environ={})
    messages = open_source(settings.connections[connection], Access(settings.limits)).read(ReadRequest())
    return [message.data for message in messages if isinstance(message, Record)]


def reconfigured(source: Path, target: Path, form: str, compression: str, flatten: str) -> Path:
    """A configuration whose every connection lands in this form."""
    lines: list[str] = []
    for line in source.read_text(encoding="utf-8").split("\n"):
        if line.startswith("[connections."):
            lines += [line, f'format = "{form}"', f'compression = "{compression}"', f'flatten = "{flatten}"']
        elif not line.startswith(("format", "compression", "flatten")):
            lines.append(line)
    target.write_text("\n".join(lines), encoding="utf-8")
    return target


def assert_landed(config: Path, place: Place, form: str, compression: str, *, flat: bool) -> None:
    extension = form + (".gz" if compression == "gzip" else "")
    settings = place.settings
    assert set(settings.connections) == set(NAMES)
    for name in NAMES:
        stream = settings.connections[name].stream
        (path,) = (place.landing_folder / stream).iterdir()
        assert path.name.endswith(f"_0.{extension}")
        data = path.read_bytes()
        ours = masked(gzip.decompress(data) if compression == "gzip" else data, form)
        expected = destination(records_of(config, name), form, flat=flat)
        assert len(expected) > 1000
        assert ours == expected


@pytest.mark.parametrize(("form", "compression", "flatten"), FORMS)
def test_a_simulated_network(scene: Scene, form: str, compression: str, flatten: str) -> None:
    """Two workbooks and an answer; what was landed so is also the same record."""
    reconfigured(scene.place.config, scene.place.config, form, compression, flatten)
    assert scene.place.sync().status == "done"
    assert_landed(scene.place.config, scene.place, form, compression, flat=flatten == "root")
    report = scene.place.ingest()
    assert report.status == "done"
    scene.assert_fate(report)
    scene.assert_record()
    assert [item.status for item in scene.place.sync().connections] == ["unchanged"] * 3


@requires_real
@pytest.mark.parametrize(("form", "compression", "flatten"), FORMS)
def test_the_published_files(tmp_path: Path, form: str, compression: str, flatten: str) -> None:
    """The network's two workbooks and its Infoclimat answer."""
    assert REAL is not None
    text = (REAL / "barograph.toml").read_text(encoding="utf-8")
    config = tmp_path / "barograph.toml"
    config.write_text(text.replace('url = "', f'url = "{REAL}/'), encoding="utf-8")
    reconfigured(config, config, form, compression, flatten)
    place = Place(config, tmp_path / "data")
    assert place.sync().status == "done"
    assert_landed(config, place, form, compression, flat=flatten == "root")


def test_a_form_of_its_own_is_a_new_generation(scene: Scene) -> None:
    """The same records in another form are landed anew; in the same one they are not."""
    for flatten, status in (("none", "landed"), ("none", "unchanged"), ("root", "landed"), ("root", "unchanged")):
        reconfigured(scene.place.config, scene.place.config, "jsonl", "none", flatten)
        assert {item.status for item in scene.place.sync().connections} == {status}


ODD: Final[list[dict[str, Any]]] = [
    {"b": 'say "hi",\r\nthen go', "n": 1.0, "t": True},
    {},
    {"a": None, "b": "", "n": -0.25, "o": {"x": [1.0, None, 'é"']}, "l": []},
    {"late": "é\u00a0°F", "n": 12345678901234567, "e": 0.0001},
]


@pytest.mark.parametrize("catalog", [None, ["e", "n", "never", "b", "o", "l", "a", "late", "t"]])
@pytest.mark.parametrize(("form", "compression", "flatten"), FORMS)
def test_odd_values(form: str, compression: str, flatten: str, catalog: list[str] | None) -> None:
    """Quotes, line ends, nulls, nothing at all, nested values, large and small numbers; columns as a catalog orders."""
    zone = open_landing(f"memory://odd-{form}-{compression}-{flatten}-{bool(catalog)}", "p")
    landed = land(
        zone, "s", ODD, started=utc_now(), format=form, compression=compression, flatten=flatten,
        columns=catalog or (),
    )  # fmt: skip
    data = zone.read(landed.objects[0])
    ours = masked(gzip.decompress(data) if compression == "gzip" else data, form)
    assert ours == destination(ODD, form, flat=flatten == "root", catalog=catalog)


def test_what_a_catalog_does_not_know_is_not_lost() -> None:
    """Airbyte drops a property that the schema does not name; we put it behind the others."""
    zone = open_landing("memory://beyond", "p")
    landed = land(zone, "s", [{"x": 1, "b": 2}], started=utc_now(), format="csv", flatten="root", columns=("a", "b"))
    header = zone.read(landed.objects[0]).split(b"\r\n")[0]
    assert header.endswith(b'"_airbyte_generation_id","a","b","x"')


def test_a_source_may_tell_its_catalog(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that says its columns first, as one with a catalog can, has them in that order in a flattened CSV."""

    def read(self: Infoclimat, request: ReadRequest) -> Messages:
        yield Columns(("b", "never", "a"))
        yield Record({"a": 1.0, "b": "x"})

    monkeypatch.setattr(Infoclimat, "read", read)
    reconfigured(scene.place.config, scene.place.config, "csv", "none", "root")
    assert scene.place.sync().status == "done"
    data = masked(scene.landed("infoclimat").read_bytes(), "csv")
    assert data == destination([{"a": 1, "b": "x"}], "csv", flat=True, catalog=["b", "never", "a"])
