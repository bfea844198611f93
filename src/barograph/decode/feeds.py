"""The tables that known servers tell -> report frames: their columns as mappings, and what a mapping cannot say.

A mapping's columns that are not the server's own are made here: the current form of a file and its classic one brought
under one name, a value out of two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from barograph.decode import mapped
from barograph.decode.base import DecodeContext, Decoded, Decoder, Opener
from barograph.decode.envelope import RawBatch, read_table
from barograph.mapping import MappedColumn, TableMapping
from barograph.model import LandedObject, Note

STATION_TYPE: Final = "station_type"


@dataclass(frozen=True, slots=True)
class Feed:
    """A server's table. `raw` are its columns that are read; `core` the variables that no object goes without."""

    mapping: TableMapping
    raw: tuple[str, ...]
    prepare: Callable[[pl.DataFrame], pl.DataFrame]
    core: tuple[str, ...]
    station_type: str


@dataclass(slots=True)
class _Seen:
    """How many rows of an object became reports, and which core variables any of them has."""

    variables: set[str] = field(default_factory=set)
    rows: int = 0


def decoder_of(feed: Feed) -> Decoder:
    """The decoder of a feed."""

    def decode(item: LandedObject, opener: Opener, context: DecodeContext) -> Iterator[Decoded]:
        seen = _Seen()
        batches = read_table(item, opener(), feed.raw, limit_bytes=context.record_mib << 20)
        ready = (_prepared(batch, feed) for batch in batches)
        for piece in mapped.decode_batches(item, ready, context, feed.mapping):
            seen.rows += piece.frame.height
            found = [name for name in feed.core if name in piece.frame.columns]
            seen.variables.update(name for name in found if piece.frame.get_column(name).is_not_null().any())
            yield piece
        yield _drift(item, feed, seen)

    return decode


def _prepared(batch: RawBatch, feed: Feed) -> RawBatch:
    frame = batch.frame
    absent = [name for name in feed.raw if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    frame = feed.prepare(frame.with_columns(pl.lit(feed.station_type).alias(STATION_TYPE)))
    return replace(batch, frame=frame.select(*feed.mapping.names, "_line", "_extracted_at"))


def _drift(item: LandedObject, feed: Feed, seen: _Seen) -> Decoded:
    """Note that what every such table says is nowhere in this one: a renamed value would be lost in silence."""
    out = Decoded()
    for name in feed.core if seen.rows else ():
        if name not in seen.variables:
            column = feed.mapping.columns[name].column
            text = f"no row has a value of {column}; was it renamed?"
            out.notes.append(Note("warning", text, {"object": item.key, "column": column}))
    return out


# ---------------------------------------------------------------------------------------- Weather Underground, PWS v2

_METRIC: Final = {
    "tempAvg": "temp", "dewptAvg": "dewpt", "windspeedAvg": "windSpeed", "windgustHigh": "windGust",
    "pressureMax": "pressure", "pressureMin": "pressure", "precipRate": "precipRate", "precipTotal": "precipTotal",
}  # fmt: skip
_PLAIN: Final = {
    "humidityAvg": "humidity", "winddirAvg": "winddir", "solarRadiationHigh": "solarRadiation", "uvHigh": "uv",
}  # fmt: skip
"""What a period's summary calls a value, and what a single observation calls it."""


def _pws(frame: pl.DataFrame) -> pl.DataFrame:
    metric = pl.col("metric")
    values = [
        pl.coalesce(metric.str.json_path_match(f"$.{name}"), metric.str.json_path_match(f"$.{single}")).alias(
            f"metric.{name}"
        )
        for name, single in _METRIC.items()
    ]
    plain = [pl.coalesce(name, single).alias(name) for name, single in _PLAIN.items()]
    frame = frame.with_columns(*values, *plain)
    ends = pl.col("metric.pressureMax"), pl.col("metric.pressureMin")
    highest, lowest = (end.cast(pl.Float64, strict=False) for end in ends)
    # A text that is no number stays, and is refused with what it says.
    return frame.with_columns(pl.coalesce(((highest + lowest) / 2).cast(pl.String), *ends).alias("pressure"))


PWS: Final = Feed(
    TableMapping(
        columns={
            "temperature": MappedColumn("metric.tempAvg", "°C"),
            "dew_point": MappedColumn("metric.dewptAvg", "°C"),
            "humidity": MappedColumn("humidityAvg", "%"),
            "wind_direction_deg": MappedColumn("winddirAvg", "°"),
            "mean_wind_speed": MappedColumn("metric.windspeedAvg", "km/h"),
            "wind_gust": MappedColumn("metric.windgustHigh", "km/h"),
            "pressure": MappedColumn("pressure", "hPa"),
            "precipitation_acc": MappedColumn("metric.precipTotal", "mm"),
            "precipitation_rate": MappedColumn("metric.precipRate", "mm/h"),
            "uv": MappedColumn("uvHigh"),
            "solar": MappedColumn("solarRadiationHigh", "W/m²"),
        },
        time=("epoch",),
        time_format="epoch_s",
        station="stationID",
        station_columns={"latitude": "lat", "longitude": "lon", "type": STATION_TYPE},
        license_info="Weather Underground: data of the station's owner, under the terms of The Weather Company's API; "
        "https://www.wunderground.com/",
    ),
    raw=("stationID", "epoch", "lat", "lon", "metric", *_PLAIN, *_PLAIN.values()),
    prepare=_pws,
    core=("temperature", "humidity"),
    station_type="personal",
)

# ---------------------------------------------------------------------------------------------- Météo-France, SYNOP

_CLASSIC_TIME: Final = r"^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$"


def _synop(frame: pl.DataFrame) -> pl.DataFrame:
    time = pl.coalesce("validity_time", "date").str.replace(_CLASSIC_TIME, "${1}-${2}-${3}T${4}:${5}:${6}Z")
    code = pl.col("ww").cast(pl.Float64, strict=False)
    # Rain that could not be measured, a trace, is written as -0.1 mm.
    trace = [pl.col(name).str.replace(r"^-0\.10*$", "0").alias(name) for name in ("rr1", "rr3")]
    return frame.with_columns(
        pl.coalesce("geo_id_wmo", "numer_sta").str.zfill(5).alias("station"),
        time.alias("time"),
        # Codes of automatic stations stand from 100 on; theirs is another table (WMO 4680), whose numbers mean else.
        pl.when(code.is_null() | (code < 100)).then("ww").alias("ww"),
        *trace,
    )


SYNOP: Final = Feed(
    TableMapping(
        columns={
            "temperature": MappedColumn("t", "K"),
            "dew_point": MappedColumn("td", "K"),
            "humidity": MappedColumn("u", "%"),
            "wind_direction_deg": MappedColumn("dd", "°"),
            "mean_wind_speed": MappedColumn("ff", "m/s"),
            "wind_gust": MappedColumn("raf10", "m/s"),
            "pressure": MappedColumn("pmer", "Pa"),
            "precipitation_1h": MappedColumn("rr1", "mm"),
            "precipitation_3h": MappedColumn("rr3", "mm"),
            "visibility": MappedColumn("vv", "m"),
            "snow_depth": MappedColumn("ht_neige", "m"),
            "ncloud_cover": MappedColumn("n", "%"),
            "temps_omm": MappedColumn("ww"),
        },
        time=("time",),
        station="station",
        # A WIGOS station identifier, so that it is not taken for Infoclimat's 07015: two servers that round in their
        # own ways would overwrite each other every night.
        station_prefix="0-20000-0-",
        missing=("mq",),
        station_columns={"name": "name", "latitude": "lat", "longitude": "lon", "type": STATION_TYPE},
        license_info="Licence Ouverte / Open Licence (Etalab); Météo-France; "
        "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
    ),
    raw=(
        "geo_id_wmo", "numer_sta", "validity_time", "date", "name", "lat", "lon",
        "t", "td", "u", "dd", "ff", "raf10", "pmer", "rr1", "rr3", "vv", "ht_neige", "n", "ww",
    ),
    prepare=_synop,
    core=("temperature", "humidity", "mean_wind_speed"),
    station_type="synop",
)  # fmt: skip

# ------------------------------------------------------------------------------------------------- IEM, METAR reports

ASOS: Final = Feed(
    TableMapping(
        columns={
            "temperature": MappedColumn("tmpf", "°F"),
            "dew_point": MappedColumn("dwpf", "°F"),
            "humidity": MappedColumn("relh", "%"),
            "wind_direction_deg": MappedColumn("drct", "°"),
            "mean_wind_speed": MappedColumn("sknt", "kt"),
            "wind_gust": MappedColumn("gust", "kt"),
            "pressure": MappedColumn("mslp", "hPa"),
            "precipitation_1h": MappedColumn("p01i", "in"),
            "visibility": MappedColumn("vsby", "mi"),
        },
        time=("valid",),
        station="station",
        missing=("M",),
        station_columns={"latitude": "lat", "longitude": "lon", "elevation": "elevation", "type": STATION_TYPE},
        license_info="METAR reports, public domain; archive of the Iowa Environmental Mesonet, Iowa State University; "
        "https://mesonet.agron.iastate.edu/",
    ),
    raw=(
        "station", "valid", "lat", "lon", "elevation",
        "tmpf", "dwpf", "relh", "drct", "sknt", "gust", "mslp", "p01i", "vsby",
    ),
    prepare=lambda frame: frame,
    core=("temperature", "mean_wind_speed"),
    station_type="metar",
)  # fmt: skip

FEEDS: Final[dict[str, Feed]] = {"wunderground-pws": PWS, "meteofrance-synop": SYNOP, "iem-asos": ASOS}
"""Kind of source -> what its table says."""
