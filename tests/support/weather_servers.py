"""The four interfaces as servers on loopback: one weather, told in each server's own shape, units and bad habits.

The weather is a formula (`Weather`), so that a test knows what must come out without reading what went in. Each server
has a clock of its own (`now`), tells only what was observed until then, and may be told to hold reports back (`late`).
`trouble` are replies that are given in place of the true ones, one a request.
"""

from __future__ import annotations

import gzip
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from tests.support.http_server import HttpServer, Reply, Seen, plain

DAY: Final = timedelta(days=1)
TOKEN: Final = "tok/en+S3CRET%ü"


@dataclass(frozen=True, slots=True)
class Weather:
    """What a station observes at an instant, in canonical units (°C, %, degrees, km/h, hPa, mm, m)."""

    temperature: float
    dew_point: float
    humidity: int
    direction: int
    wind: float
    gust: float
    pressure: float
    rain: float
    visibility: int

    @classmethod
    def at(cls, station: str, instant: datetime) -> Weather:
        """A different one for each station and hour."""
        n = (sum(map(ord, station)) * 7 + int(instant.timestamp()) // 600) % 997
        return cls(
            temperature=round(-5 + n % 300 / 10, 1),
            dew_point=round(-8 + n % 200 / 10, 1),
            humidity=30 + n % 70,
            direction=n % 36 * 10,
            wind=float(n % 40),
            gust=float(n % 40 + 11),
            pressure=round(990 + n % 400 / 10, 1),
            rain=round(n % 13 / 5, 1),
            visibility=1000 + n % 90 * 100,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A station: its name and where it stands; `since`: its first report."""

    name: str
    latitude: float
    longitude: float
    elevation: int
    since: datetime = datetime(2000, 1, 1, tzinfo=UTC)


PLACES: Final = {
    "00052": Place("Armentières", 50.689, 2.877, 16),
    "07015": Place("Lille-Lesquin", 50.57, 3.0975, 47),
    "000R5": Place("Bergues", 50.968, 2.441, 17),
    "IICHTE19": Place("WeerstationBS", 51.092, 2.999, 15),
    "ILAMAD25": Place("La Madeleine", 50.659, 3.07, 23),
    "LFQQ": Place("Lille", 50.5619, 3.0894, 48),
    "EBOS": Place("Ostend", 51.1989, 2.8622, 4),
}


@dataclass
class WeatherServer(HttpServer):
    """What the four have in common. `step` is the interval of the reports."""

    now: datetime = datetime(2024, 10, 8, 6, tzinfo=UTC)
    step: timedelta = timedelta(hours=3)
    late: dict[tuple[str, datetime], datetime] = field(default_factory=dict)
    gaps: set[tuple[str, date]] = field(default_factory=set)
    trouble: deque[Reply] = field(default_factory=deque)
    path: ClassVar[str]

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, seen: Seen) -> Reply:
        with self._lock:
            self.requests.append(seen)
            if self.trouble:
                return self.trouble.popleft()
        return self.respond(seen)

    def respond(self, seen: Seen) -> Reply:
        """The true answer."""
        raise NotImplementedError

    def instants(self, station: str, first: datetime, end: datetime) -> Iterator[datetime]:
        """What the server has of a station, first <= instant < end."""
        at = first + (-(first - datetime(2000, 1, 1, tzinfo=UTC)) % self.step)
        while at < end:
            visible = self.late.get((station, at), at) <= self.now and at >= PLACES[station].since
            if visible and (station, at.date()) not in self.gaps:
                yield at
            at += self.step

    def take(self) -> list[Seen]:
        """The requests since the last time."""
        taken, self.requests = self.requests, []
        return taken


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


@dataclass
class InfoclimatServer(WeatherServer):
    """The opendata server: every value text, its errors with status 200."""

    path = "/opendata/"

    def respond(self, seen: Seen) -> Reply:
        query = seen.query
        if query.get("token") != [TOKEN]:
            return plain("Wrong ip address")
        names, (start,), (end,) = query["stations[]"], query["start"], query["end"]
        first, last = _midnight(start), _midnight(end)
        if len(names) > 100 or last - first >= 365 * DAY:
            return Reply(json.dumps({"status": "ERROR", "errors": ["too much"], "hourly": {}}).encode())
        if unknown := [name for name in names if name not in PLACES]:
            return Reply(json.dumps({"status": "ERROR", "errors": [f"unknown {unknown[0]}"]}).encode())
        hourly: dict[str, Any] = {
            name: [self._row(name, at) for at in self.instants(name, first, last + DAY)] for name in names
        }
        hourly = {name: rows for name, rows in hourly.items() if rows}
        answer = {
            "status": "OK",
            "errors": [],
            "data": [],
            "stations": [self._station(name) for name in hourly],
            "metadata": {"temperature": "temperature,degC", "vent_moyen": "mean wind speed,km/h"},
            "hourly": {**hourly, "_params": ["temperature"]},
        }
        return Reply(json.dumps(answer).encode(), content_type="application/json", gzip=True)

    def _station(self, name: str) -> dict[str, Any]:
        place = PLACES[name]
        licence = "CC BY-NC" if name == "000R5" else "CC BY"
        return {
            "id": name, "name": place.name, "latitude": place.latitude, "longitude": place.longitude,
            "elevation": place.elevation, "type": "static",
            "license": {"license": licence, "url": "https://example.org/licence", "source": "infoclimat.fr"},
        }  # fmt: skip

    def _row(self, name: str, at: datetime) -> dict[str, Any]:
        weather = Weather.at(name, at)
        return {
            "id_station": name, "dh_utc": f"{at:%Y-%m-%d %H:%M:%S}", "temperature": str(weather.temperature),
            "pression": str(weather.pressure), "humidite": str(weather.humidity),
            "point_de_rosee": str(weather.dew_point), "vent_moyen": str(weather.wind), "vent_rafales": None,
            "vent_direction": str(weather.direction), "pluie_1h": str(weather.rain), "pluie_3h": "",
        }  # fmt: skip


@dataclass
class PwsServer(WeatherServer):
    """Weather Underground's API: `zones` are the stations' timezones."""

    path = "/v2/pws"
    zones: dict[str, str] = field(default_factory=lambda: {"IICHTE19": "Europe/Brussels", "ILAMAD25": "Europe/Paris"})
    quota: int = 10**6

    def respond(self, seen: Seen) -> Reply:
        query = seen.query
        if query.get("apiKey") != [TOKEN]:
            return Reply(b'{"errors":[{"error":{"code":"CDN-0001","message":"Invalid apiKey."}}]}', 401)
        if len(self.requests) > self.quota:
            return Reply(b"", 429)
        (name,) = query["stationId"]
        if name not in self.zones:
            return Reply(b'{"errors":[{"error":{"message":"Data Not Found"}}]}', 404)
        zone = ZoneInfo(self.zones[name])
        today = self.now.astimezone(zone).date()
        running = seen.path.endswith("/observations/all/1day")
        day = today if running else date.fromisoformat(query["date"][0])
        if day == today and not running:
            # The real one gives what it once gave for today, for the rest of the day.
            return Reply(b"", 204)
        first = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        after = day + DAY
        end = datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)
        rows = [self._row(name, at, zone) for at in self.instants(name, first, min(end, self.now))]
        if not rows:
            return Reply(b"", 204)
        return Reply(json.dumps({"observations": rows}).encode(), content_type="application/json", gzip=True)

    def _row(self, name: str, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
        weather, place = Weather.at(name, at), PLACES[name]
        local = at.astimezone(zone)
        return {
            "stationID": name, "tz": str(zone), "obsTimeUtc": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "obsTimeLocal": f"{local:%Y-%m-%d %H:%M:%S}", "epoch": int(at.timestamp()),
            "lat": place.latitude, "lon": place.longitude, "solarRadiationHigh": 100.5, "uvHigh": 2.0,
            "winddirAvg": weather.direction, "humidityHigh": weather.humidity + 1, "humidityLow": weather.humidity - 1,
            "humidityAvg": weather.humidity, "qcStatus": 1,
            "metric": {
                "tempHigh": weather.temperature + 1, "tempLow": weather.temperature - 1,
                "tempAvg": weather.temperature, "windspeedHigh": weather.wind + 2, "windspeedLow": 0.0,
                "windspeedAvg": weather.wind, "windgustHigh": weather.gust, "windgustLow": 0.0,
                "windgustAvg": weather.gust - 1, "dewptHigh": weather.dew_point + 1,
                "dewptLow": weather.dew_point - 1, "dewptAvg": weather.dew_point, "windchillAvg": 1.0,
                "heatindexAvg": 2.0, "pressureMax": weather.pressure + 0.2, "pressureMin": weather.pressure - 0.2,
                "pressureTrend": None, "precipRate": weather.rain, "precipTotal": weather.rain * 2,
            },
        }  # fmt: skip


CLASSIC: Final = ("numer_sta", "date", "pmer", "tend", "dd", "ff", "t", "td", "u", "vv", "ww", "n", "nbas", "pres",
                  "raf10", "ht_neige", "rr1", "rr3", "")  # fmt: skip
CURRENT: Final = ("lat", "lon", "geo_id_wmo", "name", "reference_time", "validity_time", *CLASSIC[2:-1])


@dataclass
class SynopServer(WeatherServer):
    """Yearly files; `classic` are the years in the old form."""

    path = "/synop"
    classic: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    stations: tuple[str, ...] = ("07015", "00052")
    files: ClassVar[dict[Any, Reply]] = {}
    """Made once for all servers that tell the same."""

    def respond(self, seen: Seen) -> Reply:
        year = int(seen.path.removesuffix(".csv.gz").rpartition("_")[2])
        if year in self.missing or year > self.now.year:
            return plain("Not Found", 404)
        end = min(datetime(year + 1, 1, 1, tzinfo=UTC), self.now)
        same = (year, end, year in self.classic, self.stations, self.step, *sorted(self.gaps))
        key = (*same, *(item for item in sorted(self.late.items()) if item[1] > self.now), len(self.late))
        if key not in self.files:
            self.files[key] = self._file(year)
        return self.files[key]

    def _file(self, year: int) -> Reply:
        first = datetime(year, 1, 1, tzinfo=UTC)
        end = min(datetime(year + 1, 1, 1, tzinfo=UTC), self.now + timedelta(seconds=1))
        header = CLASSIC if year in self.classic else CURRENT
        found = [(at, name) for name in self.stations for at in self.instants(name, first, end)]
        lines = [";".join(header), *(";".join(self._row(name, at, header)) for at, name in sorted(found))]
        newest = max((max(at, self.late.get((name, at), at)) for at, name in found), default=first)
        # Made anew with each report, as a server does that writes its file every three hours.
        modified = format_datetime(newest, usegmt=True)
        body = gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)
        etag = f'"{len(lines)}-{int(newest.timestamp())}"'
        return Reply(body, content_type="application/gzip", etag=etag, headers={"Last-Modified": modified})

    def _row(self, name: str, at: datetime, header: tuple[str, ...]) -> list[str]:
        weather, place = Weather.at(name, at), PLACES[name]
        values = {
            "numer_sta": name, "geo_id_wmo": name, "date": f"{at:%Y%m%d%H%M%S}", "name": place.name.upper(),
            "lat": str(place.latitude), "lon": str(place.longitude),
            "reference_time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "validity_time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "pmer": f"{weather.pressure * 100:.0f}", "pres": f"{weather.pressure * 100 - 600:.0f}",
            "dd": str(weather.direction), "ff": f"{weather.wind / 3.6:.6f}", "raf10": f"{weather.gust / 3.6:.6f}",
            "t": f"{weather.temperature + 273.15:.2f}", "td": f"{weather.dew_point + 273.15:.2f}",
            "u": str(weather.humidity), "vv": str(weather.visibility), "ww": str(weather.humidity % 100),
            "n": str(SKY[weather.humidity % 9]), "nbas": "3", "ht_neige": "0.12",
            "rr1": "mq", "rr3": f"{weather.rain:.1f}", "tend": "mq",
        }  # fmt: skip
        return [values.get(column, "") for column in header]


SKY: Final = (0, 10, 25, 40, 50, 60, 75, 90, 100)
"""Percent as BUFR's writers give it for 0 to 8 oktas."""

IEM: Final = ("station", "valid", "lon", "lat", "elevation", "tmpf", "dwpf", "relh", "drct", "sknt", "p01i", "alti",
              "mslp", "vsby", "gust", "skyc1", "wxcodes", "metar")  # fmt: skip


@dataclass
class IemServer(WeatherServer):
    """The ASOS archive; specials are left out where report_type=3 is asked for."""

    path = "/cgi-bin/request/asos.py"

    def respond(self, seen: Seen) -> Reply:
        query = seen.query
        wanted = {"tz": ["UTC"], "format": ["onlycomma"], "missing": ["M"], "trace": ["0.0001"], "report_type": ["3"]}
        if any(query.get(name) != value for name, value in wanted.items()):
            return plain("ERROR: this server is asked in one way only", 422)
        first, end = (datetime.strptime(query[key][0], "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC) for key in ("sts", "ets"))
        if unknown := [name for name in query["station"] if name not in PLACES]:
            return plain(f"ERROR: unknown station {unknown[0]}")
        lines = [",".join(IEM)]
        for name in query["station"]:
            lines += [self._row(name, at) for at in self.instants(name, first, min(end, self.now))]
        return Reply(("\n".join(lines) + "\n").encode(), content_type="text/plain", gzip=True)

    def _row(self, name: str, at: datetime) -> str:
        weather, place = Weather.at(name, at), PLACES[name]
        values = {
            "station": name, "valid": f"{at:%Y-%m-%d %H:%M}", "lon": str(place.longitude),
            "lat": str(place.latitude), "elevation": f"{place.elevation:.2f}",
            "tmpf": f"{weather.temperature * 1.8 + 32:.2f}", "dwpf": f"{weather.dew_point * 1.8 + 32:.2f}",
            "relh": f"{weather.humidity:.2f}", "drct": f"{weather.direction:.2f}",
            "sknt": f"{weather.wind / 1.852:.4f}", "gust": f"{weather.gust / 1.852:.4f}",
            "p01i": "0.0001" if weather.rain == 0 else f"{weather.rain / 25.4:.4f}",
            "alti": "29.92", "mslp": f"{weather.pressure:.2f}", "vsby": f"{weather.visibility / 1609.344:.6f}",
            "skyc1": "BKN", "wxcodes": "M", "metar": f"{name} {at:%d%H%M}Z AUTO",
        }  # fmt: skip
        return ",".join(values[column] for column in IEM)
