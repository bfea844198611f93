"""The four interfaces side by side: a server, settings, and what must come out of the one weather that they tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.support.weather_servers import (
    PLACES,
    IemServer,
    InfoclimatServer,
    PwsServer,
    SynopServer,
    Weather,
    WeatherServer,
)

START: Final = datetime(2024, 10, 5, tzinfo=UTC)
Facts = dict[tuple[str, str], Any]


@dataclass(frozen=True)
class Kind:
    """One kind of source. `narrow` are settings under which a week takes many requests; `zone`: hours to local days."""

    name: str
    server: type[WeatherServer]
    settings: dict[str, Any]
    narrow: dict[str, Any]
    stations: tuple[str, ...]
    prefix: str
    nightly: int
    rows: Callable[[Iterable[dict[str, Any]]], Facts]
    truth: Callable[[Weather], dict[str, Any]]
    licences: dict[str, str]

    def visible(self, server: WeatherServer, first: datetime, end: datetime) -> set[tuple[str, datetime]]:
        """Station and instant of every report that the server has."""
        return {(name, at) for name in self.stations for at in server.instants(name, first, end)}


def _infoclimat(landed: Iterable[dict[str, Any]]) -> Facts:
    arrays = [rows for answer in landed for name, rows in answer["hourly"].items() if name != "_params"]
    return {(row["id_station"], row["dh_utc"]): row for rows in arrays for row in rows}


def _pws(landed: Iterable[dict[str, Any]]) -> Facts:
    return {(row["stationID"], row["obsTimeUtc"]): row for row in landed}


def _synop(landed: Iterable[dict[str, Any]]) -> Facts:
    return {(row["geo_id_wmo"], row["validity_time"]): row for row in landed}


def _iem(landed: Iterable[dict[str, Any]]) -> Facts:
    return {(row["station"], row["valid"]): row for row in landed}


def _common(weather: Weather) -> dict[str, Any]:
    return {
        "temperature": weather.temperature,
        "dew_point": weather.dew_point,
        "humidity": weather.humidity,
        "wind_direction_deg": weather.direction,
        "mean_wind_speed": weather.wind,
        "pressure": weather.pressure,
    }


POINTS: Final = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]


def point(degrees: float) -> str:
    """The nearest of the 16 points, by distance on the circle; ties do not occur at tens of degrees."""
    return min(POINTS, key=lambda name: abs((degrees - POINTS.index(name) * 22.5 + 180) % 360 - 180))


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind(
            "infoclimat-api",
            InfoclimatServer,
            {"stations": ["00052", "07015"], "token": "${WEATHER_KEY}", "start": "2024-10-05"},
            {"window_days": 2, "batch": 1, "overlap_days": 1},
            ("00052", "07015"),
            "",
            1,
            _infoclimat,
            lambda weather: {**_common(weather), "precipitation_1h": weather.rain, "wind_gust": None},
            {"00052": "CC BY; infoclimat.fr; https://example.org/licence"},
        ),
        Kind(
            "wunderground-pws",
            PwsServer,
            {"stations": ["IICHTE19", "ILAMAD25"], "api_key": "${WEATHER_KEY}", "start": "2024-10-05"},
            {},
            ("IICHTE19", "ILAMAD25"),
            "",
            6,
            _pws,
            lambda weather: {
                **_common(weather),
                "wind_gust": weather.gust,
                "precipitation_rate": weather.rain,
                "precipitation_acc": weather.rain * 2,
                "solar": 100.5,
                "uv": 2.0,
            },
            {"IICHTE19": "Weather Underground: data of the station's owner"},
        ),
        Kind(
            "meteofrance-synop",
            SynopServer,
            {"start": "2024-10-05"},
            {},
            ("07015", "00052"),
            "0-20000-0-",
            1,
            _synop,
            lambda weather: {
                **_common(weather),
                "wind_gust": weather.gust,
                "precipitation_3h": weather.rain,
                "precipitation_1h": None,
                "visibility": weather.visibility,
                "snow_depth": 12.0,
                "ncloud_cover": weather.humidity % 9,
                "temps_omm": weather.humidity % 100,
            },
            {"07015": "Licence Ouverte / Open Licence (Etalab); Météo-France"},
        ),
        Kind(
            "iem-asos",
            IemServer,
            {"stations": ["LFQQ", "EBOS"], "start": "2024-10-05"},
            {"window_days": 1, "batch": 1, "overlap_days": 1},
            ("LFQQ", "EBOS"),
            "",
            1,
            _iem,
            lambda weather: {
                **_common(weather),
                "wind_gust": weather.gust,
                "precipitation_1h": weather.rain,
                "visibility": weather.visibility,
            },
            {"LFQQ": "METAR reports, public domain; archive of the Iowa Environmental Mesonet"},
        ),
    )
}

HOURS: Final = timedelta(hours=1)
assert all(name in PLACES for kind in KINDS.values() for name in kind.stations)
