"""What a configuration of the four interfaces may say; each refusal names the connection and the setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from barograph.config import Settings, load
from barograph.errors import ConfigError
from tests.sources.api_site import STATIONS

GOOD: dict[str, dict[str, Any]] = {
    "infoclimat-api": {"stations": '["07015"]', "token": '"${T}"', "start": "2024-10-01"},
    "wunderground-pws": {"stations": '["IICHTE19"]', "api_key": '"${T}"', "start": '"2024-10-01"'},
    "meteofrance-synop": {"url": '"https://synop.example.org/archive"', "start": "2024-10-01"},
    "iem-asos": {"stations": '["LFQQ"]', "start": "2024-10-01"},
}


def loaded(folder: Path, kind: str, **over: str | None) -> Settings:
    """The settings with one connection; None leaves a setting out."""
    values = {key: value for key, value in {**GOOD[kind], **over}.items() if value is not None}
    lines = [f"{key} = {value}" for key, value in values.items()]
    path = folder / "b.toml"
    path.write_text("\n".join([STATIONS, "[connections.net]", f'source = "{kind}"', *lines]), encoding="utf-8")
    return load(path, environ={"T": "the-secret"})


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_the_least_that_is_needed(tmp_path: Path, kind: str) -> None:
    """Stations, a key and a first day suffice; what is shown of a connection never holds the key's value."""
    connection = loaded(tmp_path, kind).connections["net"]
    assert connection.url.startswith("https://")
    assert "the-secret" not in repr(connection)


@pytest.mark.parametrize(
    ("kind", "over", "said"),
    [
        ("infoclimat-api", {"token": '"abcdef"'}, "token must name a variable of the environment"),
        ("infoclimat-api", {"token": None}, "token is missing"),
        ("infoclimat-api", {"start": None}, "start is missing"),
        ("infoclimat-api", {"batch": "101"}, "batch = 101 is not between 1 and 100"),
        ("infoclimat-api", {"window_days": "366"}, "window_days = 366 is not between 2 and 365"),
        ("infoclimat-api", {"stations": "[]"}, "stations names no station"),
        ("infoclimat-api", {"stations": '["a", "b", "a"]'}, "stations names 'a' twice"),
        ("infoclimat-api", {"url": '"https://x.example.org/?token=1"'}, "url must be the address alone"),
        ("infoclimat-api", {"overlap_days": "-1"}, "must not be negative"),
        ("wunderground-pws", {"api_key": '"x${T}"'}, "api_key must name a variable of the environment"),
        ("wunderground-pws", {"stations": '["IX"]'}, r"timezone of station 'IX' is not known.*\[stations.IX\]"),
        ("wunderground-pws", {"requests_per_minute": "31"}, "is not between 1 and 30"),
        ("wunderground-pws", {"requests_per_day": "0"}, "requests_per_day = 0 is not between 1 and 1500"),
        ("meteofrance-synop", {"url": None}, "url is missing"),
        ("meteofrance-synop", {"stations": '["LFQQ"]'}, "'LFQQ' is no WMO number"),
        ("iem-asos", {"start": '"1850-01-01"'}, "is before 1900"),
        ("iem-asos", {"batch": "51"}, "batch = 51 is not between 1 and 50"),
    ],
)
def test_what_is_refused(tmp_path: Path, kind: str, over: dict[str, str | None], said: str) -> None:
    """At load, not in the night."""
    with pytest.raises(ConfigError, match=said) as caught:
        loaded(tmp_path, kind, **over)
    assert "net" in str(caught.value) or "b.toml" in caught.value.where
