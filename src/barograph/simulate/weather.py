"""The weather over Hauts-de-France as a function of seed, place and instant: plausible, not a forecast.

Troughs cross the region from the south-west; cloud, rain, wind and pressure follow from them, with a delay that
depends on the place. Scales and amplitudes were set so that a year at Lille resembles its climate (11 °C in the mean,
about 700 mm of rain, about 8 % of the time wet).
"""

from __future__ import annotations

import math
from typing import Final

import polars as pl

from barograph.simulate.network import Site
from barograph.simulate.noise import DAY, HOUR, MINUTE, Noise

SLOT: Final = 300
"""Seconds of a rain slot: rain is an integer number of µm in each, so that running totals are exact."""

_TRACK: Final = (0.83, 0.56)
"""Unit vector from which side systems pass to which (towards the east-north-east)."""
_TRACK_KMH: Final = 45.0


def weather(noise: Noise, site: Site, seconds: pl.Series) -> pl.DataFrame:
    """The true state of the air at `site`, one row for each instant of `seconds` (Int64, since 1970 UTC).

    Columns: temperature (°C), humidity (%), pressure (hPa, mean sea level), direction (degree), mean and gust (km/h),
    cloud (0..1), solar (W/m²), uv (index).
    """
    trough, band, _, slow_cloud, cloud = _cloud(noise, site, seconds)
    sun = sun_sine(site, seconds)
    temperature, depression = _air(noise, site, seconds, trough, slow_cloud)
    direction, mean, gust = _wind(noise, site, seconds, trough, band)
    elements = {
        "temperature": temperature,
        "depression": depression,
        "pressure": _pressure(noise, site, seconds, trough),
        "direction": direction,
        "mean": mean,
        "gust": gust,
        "cloud": cloud,
        "sun": sun,
    }
    frame = pl.DataFrame({name: series.alias(name) for name, series in elements.items()})
    mu = pl.when(pl.col("sun") > 0).then(pl.col("sun")).otherwise(None)
    cloudy = 1 - 0.75 * pl.col("cloud") ** 3.4
    return frame.select(
        pl.all().exclude("depression", "sun"),
        # Magnus formula over water, WMO-No. 8 (2018), Annex 4.B, on the dew point that the depression gives.
        (100 * (_magnus(pl.col("temperature") - pl.col("depression")) - _magnus(pl.col("temperature"))).exp())
        .clip(5, 100)
        .alias("humidity"),
        # Clear sky: Haurwitz (1945); cloud: Kasten and Czeplak (1980).
        (1098 * mu * (-0.057 / mu).exp() * cloudy).fill_null(0.0).alias("solar"),
        # Madronich (2007), at 300 Dobson units; clouds pass more ultraviolet than light.
        (12.5 * mu**2.42 * (1 - 0.65 * pl.col("cloud") ** 3.4)).fill_null(0.0).alias("uv"),
    )


def rain(noise: Noise, site: Site, slots: pl.Series) -> pl.Series:
    """Rain that falls at `site` in each slot (Int64, 300 s since 1970 UTC), in whole µm."""
    trough, band, cell, _, _ = _cloud(noise, site, slots * SLOT)
    wet = trough * 0.8 + band * 0.75 + cell * 0.5 - 1.4
    frame = pl.DataFrame({"wet": wet})
    rate = 2.1 * pl.col("wet").clip(0) ** 1.3
    micrometres = (rate * 1000 * SLOT / HOUR).round().cast(pl.Int64)
    return frame.select(micrometres.alias("rain")).to_series()


def sun_sine(site: Site, seconds: pl.Series) -> pl.Series:
    """Sine of the sun's elevation: the low-precision formulas of the Astronomical Almanac (0.01 degrees)."""
    days = pl.lit((seconds - 946_728_000).cast(pl.Float64) / DAY)
    anomaly = (357.528 + 0.9856003 * days).radians()
    longitude = (280.460 + 0.9856474 * days + 1.915 * anomaly.sin() + 0.020 * (2 * anomaly).sin()).radians()
    tilt = math.radians(23.439)
    ascension = pl.arctan2(math.cos(tilt) * longitude.sin(), longitude.cos())
    declination = (math.sin(tilt) * longitude.sin()).arcsin()
    sidereal = (18.697374558 + 24.06570982441908 * days) * 15 + (site.station.longitude or 0.0)
    angle = sidereal.radians() - ascension
    latitude = math.radians(site.station.latitude or 0.0)
    sine = math.sin(latitude) * declination.sin() + math.cos(latitude) * declination.cos() * angle.cos()
    return pl.select(sine).to_series()


def _magnus(celsius: pl.Expr) -> pl.Expr:
    """The logarithm of the saturation vapour pressure, but for its constant."""
    return 17.62 * celsius / (243.12 + celsius)


def _cloud(noise: Noise, site: Site, seconds: pl.Series) -> tuple[pl.Series, ...]:
    """The drivers: trough, rain band, shower cell (each of variance below 1), cloud without cells, cloud (0..1)."""
    place = site.place
    delay = round((place[0] * _TRACK[0] + place[1] * _TRACK[1]) / _TRACK_KMH * HOUR)
    passing = seconds - delay
    trough = noise.smooth(passing, 40 * HOUR, "trough")
    band = noise.smooth(passing, 5 * HOUR, "band")
    cell = noise.field(passing, 45 * MINUTE, place, 40.0, "cell")
    slow = trough * 0.35 + band * 0.2 + 0.55
    cloud = slow + cell * 0.15
    return trough, band, cell, slow.clip(0.0, 1.0), cloud.clip(0.0, 1.0)


def _air(
    noise: Noise, site: Site, seconds: pl.Series, trough: pl.Series, cloud: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """Temperature and dew-point depression (K, at least 0.12)."""
    place, key = site.place, site.station_id
    year = (seconds.cast(pl.Float64) / DAY) * (2 * math.pi / 365.2425)
    hour = (seconds.cast(pl.Float64) / HOUR + (site.station.longitude or 0.0) / 15) * (2 * math.pi / 24)
    # The air mass: coldest about 20 January (day 19.5 of the year); synoptic swings; 6.5 K/km.
    mass = (
        (year - 19.5 * 2 * math.pi / 365.2425).cos() * -7.4
        + noise.smooth(seconds, 5 * DAY, "air mass") * 3.2
        + noise.field(seconds, DAY, place, 200.0, "air") * 0.8
        + (11.2 - 0.0065 * (site.station.elevation or 0))
    )
    summer = ((year + 10 * 2 * math.pi / 365.2425).cos() * -1 + 1) / 2
    swing = (summer * 3.2 + 2.2) * (cloud * -0.75 + 1.15)
    turn = 2 * math.pi / 24
    diurnal = ((hour - 15 * turn).cos() + ((hour - 15 * turn) * 2).cos() * 0.18) * swing
    local = noise.field(seconds, 4 * HOUR, place, 60.0, "meso") * 0.45
    local = local + noise.smooth(seconds, 30 * MINUTE, "micro", key) * 0.12
    temperature = mass + diurnal + local - trough * 0.6 + noise.normal(seconds, "thermometer", key) * 0.04
    dry = noise.smooth(seconds, 2 * DAY, "dry") * 1.5 + noise.field(seconds, 6 * HOUR, place, 80.0, "moisture") * 0.5
    dew = mass - 3.2 - dry + trough * 1.2 + noise.smooth(seconds, 40 * MINUTE, "dew", key) * 0.15
    # A soft floor (softplus): the dew point follows the temperature down through the night.
    gap = pl.lit(temperature - dew)
    depression = pl.max_horizontal(gap, pl.lit(0.0)) + 0.8 * (1 + (-gap.abs() / 0.8).exp()).log() + 0.12
    return temperature, pl.select(depression).to_series()


def _pressure(noise: Noise, site: Site, seconds: pl.Series, trough: pl.Series) -> pl.Series:
    hour = (seconds.cast(pl.Float64) / HOUR + (site.station.longitude or 0.0) / 15) * (2 * math.pi / 24)
    drift = noise.smooth(seconds, 6 * DAY, "high") * 9.0
    tide = ((hour - 10 * 2 * math.pi / 24) * 2).cos() * 0.4
    bias = float(noise.normal(pl.Series([0]), "barometer bias", site.station_id).item()) * 0.2
    return drift - trough * 6.0 + tide + noise.normal(seconds, "barometer", site.station_id) * 0.04 + (1015.5 + bias)


def _wind(
    noise: Noise, site: Site, seconds: pl.Series, trough: pl.Series, band: pl.Series
) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Direction (degree), mean speed and gust (km/h, gust at least the mean)."""
    key, place = site.station_id, site.place
    hour = (seconds.cast(pl.Float64) / HOUR + (site.station.longitude or 0.0) / 15) * (2 * math.pi / 24)
    direction = (
        noise.smooth(seconds, 3 * DAY, "flow") * 65.0
        + noise.field(seconds, 9 * HOUR, place, 120.0, "turn") * 22.0
        + noise.smooth(seconds, 20 * MINUTE, "eddy", key) * 9.0
        + noise.normal(seconds, "vane", key) * 7.0
        + 225.0
    )
    strength = (
        noise.smooth(seconds, 3 * DAY, "gradient") * 0.3
        + trough * 0.2
        + band * 0.1
        + (hour - 14 * 2 * math.pi / 24).cos() * 0.25
        + noise.smooth(seconds, 15 * MINUTE, "lull", key) * 0.15
    )
    breath = noise.uniform(seconds, "gust", key)
    frame = pl.DataFrame({"d": direction, "s": strength, "b": breath})
    # An anemometer in the lee of trees starts late: calm nights at a sheltered site.
    mean = (site.exposure * 18.0 * pl.col("s").exp() - 3.5).clip(0.0)
    gust = pl.when(mean > 0).then(mean * (1.35 + 0.45 * pl.col("b")) + 1.0).otherwise(0.0)
    winds = frame.select(direction=pl.col("d") % 360.0, mean=mean, gust=gust)
    return winds["direction"], winds["mean"], winds["gust"]
