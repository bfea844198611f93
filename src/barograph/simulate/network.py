"""The simulated stations: the six of the first network, then the same mix with invented names.

Positions, elevations and firmware of the six are those of `barograph.toml` and of the Infoclimat answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from barograph.model import Station

Kind = Literal["personal", "static", "synop"]

LICENSE: Final = "Simulated data (CC0 1.0), simulated by barograph"
LICENSE_URL: Final = "https://creativecommons.org/publicdomain/zero/1.0/"
ANSWER: Final = "infoclimat.json"


@dataclass(frozen=True, slots=True)
class Site:
    """A station and what its surroundings and its instruments do to the weather.

    `exposure` scales the wind; a stale vane keeps its last direction while calm, another one says nothing;
    `reset_hour` is the local hour at which the rain counter starts again (personal stations only); `outages`: whether
    reports go missing for some minutes now and then; `stream` is the folder in the landing zone and ends the
    connection's name.
    """

    station: Station
    kind: Kind
    stream: str = "infoclimat"
    exposure: float = 1.0
    reset_hour: int = 0
    stale_vane: bool = False
    outages: bool = False

    @property
    def station_id(self) -> str:
        """The station's id."""
        return self.station.station_id

    @property
    def place(self) -> tuple[float, float]:
        """Kilometres east and north of 50.7 N 2.8 E (equirectangular: under 1 % wrong within 150 km)."""
        latitude, longitude = self.station.latitude or 0.0, self.station.longitude or 0.0
        return (longitude - 2.8) * 70.5, (latitude - 50.7) * 111.2

    @property
    def timezone(self) -> str:
        """The zone of the clock in the station's export: local for a personal station, else UTC."""
        return self.station.timezone or "UTC" if self.kind == "personal" else "UTC"


def _personal(station_id: str, names: str, zone: str, where: tuple[float, float, int], software: str) -> Station:
    name, _, city = names.partition(", ")
    return Station(
        station_id,
        name=name,
        city=city,
        latitude=where[0],
        longitude=where[1],
        elevation=where[2],
        timezone=zone,
        hardware="other",
        software=software,
        license_info=LICENSE,
    )


def _listed(station_id: str, name: str, kind: Kind, where: tuple[float, float, int]) -> Station:
    return Station(station_id, name=name, latitude=where[0], longitude=where[1], elevation=where[2], type=kind)


_ICHTEGEM: Final = _personal(
    "IICHTE19", "WeerstationBS, Ichtegem", "Europe/Brussels", (51.092, 2.999, 15), "EasyWeatherV1.6.6"
)
_MADELEINE: Final = _personal(
    "ILAMAD25", "La Madeleine, La Madeleine", "Europe/Paris", (50.659, 3.07, 23), "EasyWeatherPro_V5.1.6"
)
# Personal stations come early, so that two stations already show both kinds of export.
FIRST_NETWORK: Final = (
    Site(_ICHTEGEM, "personal", stream="ichtegem", exposure=0.5, stale_vane=True, outages=True),
    Site(_listed("00052", "Armentières", "static", (50.689, 2.877, 16)), "static", exposure=0.35, stale_vane=True),
    Site(_MADELEINE, "personal", stream="madeleine", exposure=0.3, reset_hour=8),
    Site(_listed("07015", "Lille-Lesquin", "synop", (50.575, 3.092, 47)), "synop"),
    Site(_listed("000R5", "Bergues", "static", (50.968, 2.441, 17)), "static", exposure=0.6, outages=True),
    Site(_listed("STATIC0010", "Hazebrouck", "static", (50.734, 2.545, 31)), "static", exposure=0.3, stale_vane=True),
)


def network(count: int | None = None) -> tuple[Site, ...]:
    """The first `count` stations (None: six). Station k is the same whatever the count."""
    known = FIRST_NETWORK[:count]
    return known + tuple(invented(index) for index in range(len(known), count or 0))


def invented(index: int, kind: Kind | None = None, station_id: str | None = None) -> Site:
    """Station number `index` (from 6): kinds in the order of the first network, spread evenly over the region."""
    pattern = FIRST_NETWORK[index % len(FIRST_NETWORK)]
    kind = kind or pattern.kind
    number = index - len(FIRST_NETWORK) + 1
    place = _spread(number)
    if kind == "personal":
        key = station_id or f"ISIMUL{number:02d}"
        zone = "Europe/Brussels" if place[1] > 3.2 and place[0] > 50.75 else "Europe/Paris"
        station = _personal(key, f"Simulated {number:02d}, Simulated town", zone, place, "EasyWeatherV1.6.6")
        stream = key.lower()
    else:
        key = station_id or (f"07{900 + number:03d}" if kind == "synop" else f"S{number:04d}")
        station = _listed(key, f"Simulated {number:02d}", kind, place)
        stream = "infoclimat"
    return Site(
        station,
        kind,
        stream=stream,
        exposure=pattern.exposure,
        reset_hour=pattern.reset_hour,
        stale_vane=pattern.stale_vane,
        outages=pattern.outages,
    )


def _spread(number: int) -> tuple[float, float, int]:
    """Latitude, longitude, elevation: the additive recurrence R3 (generalised golden ratio) over Hauts-de-France."""
    shares = [(0.5 + number * step) % 1 for step in (0.8191725134, 0.6710436067, 0.5497004779)]
    return round(49.4 + 1.45 * shares[0], 3), round(1.7 + 2.3 * shares[1], 3), round(2 + 150 * shares[2] ** 2)
