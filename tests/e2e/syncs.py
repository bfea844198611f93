"""What the tests of disturbed syncs share: places with the scripted source, and what must hold of a landing zone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from barograph.landing import LandingZone, open_landing, open_object
from barograph.model import epoch_ms
from tests.e2e.scenario import Place, assert_settled
from tests.support.scripted import Script, data

Rows = list[tuple[int, int]]
BEFORE: Rows = [(step, 40) for step in range(60)]
AFTER: Rows = [*BEFORE, *[(step, 50) for step in range(20, 260)]]
"""The source's rows at first, and then: 40 values have changed and 200 are new; in all several parts and batches."""
EVERY = 20


def place_in(folder: Path, script: Script, landing: str | None = None) -> Place:
    """A place whose connection speaks a script."""
    script.write(folder / "barograph.toml")
    return Place(folder / "barograph.toml", folder / "data", landing=landing)


def speak(place: Place, script: Script) -> None:
    """Let the connection of a place speak another script."""
    script.write(place.config)


def zone_of(place: Place) -> LandingZone:
    """Its landing zone, opened."""
    return open_landing(place.settings.landing_url, place.settings.landing_prefix)


def landed_rows(zone: LandingZone, until: int | None = None) -> Counter[str]:
    """How often each record is landed, up to an extraction instant in epoch ms."""
    found: Counter[str] = Counter()
    for item in zone.objects():
        if until is None or epoch_ms(item.extracted_at) <= until:
            text = b"".join(open_object(zone, item, limit_mib=10)).decode()
            found.update(_key(json.loads(line)["_airbyte_data"]) for line in text.splitlines())
    return found


def manifests(zone: LandingZone) -> list[dict[str, Any]]:
    """The manifests of the one stream, oldest first."""
    return [json.loads(zone.read(key)) for key in zone.keys(f"{zone.prefix}/_barograph/garden")]


def assert_states_behind_data(place: Place, rows: Rows) -> None:
    """Whatever a manifest's state counts is landed, and so is each object that a manifest names."""
    zone = zone_of(place)
    standing = {item.key for item in zone.objects()}
    for manifest in manifests(zone):
        assert set(manifest["objects"]) <= standing
        if manifest["state"] is not None:
            said = Counter(_key(data(row)) for row in rows[: manifest["state"]["at"]])
            landed = landed_rows(zone, manifest["extracted_at"])
            assert not said - landed, (manifest, said - landed)


def assert_a_run_completes(place: Place, rows: Rows, expected: bytes) -> None:
    """What a sync that failed or was killed left is sound, and one more run leaves what undisturbed runs leave."""
    assert_states_behind_data(place, rows)
    report = place.run()
    assert (report.status, report.errors) == ("done", ())
    assert place.export() == expected
    assert_states_behind_data(place, rows)
    assert_settled(place)


def assert_landed_once(place: Place, rows: Rows) -> None:
    """Every row of an incremental source is landed as often as the source said it."""
    assert landed_rows(zone_of(place)) == Counter(_key(data(row)) for row in rows)


def undisturbed_export(folder: Path, *scripts: Script) -> bytes:
    """What a place of its own holds after an undisturbed run of each script."""
    place = place_in(folder, scripts[0])
    for script in scripts:
        speak(place, script)
        assert place.run().status == "done"
    assert_settled(place)
    return place.export()


def _key(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True)
