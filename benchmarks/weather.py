"""Made-up weather in numbers, whole years at a time: plausible, varied, the same for the same arguments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from barograph.frame import INSTANT
from barograph.variables import COMPASS

STEP: Final = timedelta(minutes=5)
PER_DAY: Final = timedelta(days=1) // STEP
FIRST_DAY: Final = date(2023, 1, 1)


def observe(station: int, days: int) -> pl.DataFrame:
    """`days` UTC days of 5-minute reports of one station, as numbers that a personal station's console shows.

    Columns: utc_time; °F: temperature, dew_point; %: humidity; mph: mean_wind_speed, wind_gust; inHg: pressure; in(/h):
    precipitation_rate, precipitation_acc; uv; W/m²: solar; wind_direction (16-point text, null when calm).
    """
    count = days * PER_DAY
    random = np.random.default_rng(station)
    start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    hours = np.arange(count) / (PER_DAY / 24)
    sun = np.sin((hours - 6) * np.pi / 12)
    season = np.cos((hours / 24 - 200) * 2 * np.pi / 365)
    front = sum(np.sin(hours * 2 * np.pi / period + random.uniform(0, 6)) for period in (61, 97, 151, 233))
    temperature = 52 + 13 * season + 6 * sun + 3 * front + random.normal(0, 0.4, count)
    spread = np.clip(9 + 5 * sun - 2 * front + random.normal(0, 0.6, count), 0, None)
    wind = np.clip(6 + 2 * front + 2 * sun + random.normal(0, 1.5, count), 0, None)
    rain = np.where((front < -1.5) & (random.random(count) < 0.5), random.exponential(0.06, count), 0)
    daily = (rain / 12).reshape(days, PER_DAY).cumsum(axis=1).ravel()
    solar = np.clip(900 * sun * (0.6 + 0.4 * season) * random.uniform(0.4, 1, count), 0, None)
    sector = (np.cumsum(random.normal(0, 0.5, count)) % 16).astype(int)
    frame = pl.DataFrame(
        {
            "temperature": temperature.round(1),
            "dew_point": (temperature - spread).round(1),
            "humidity": np.clip(100 - 2.6 * spread, 20, 100).round(),
            "mean_wind_speed": wind.round(1),
            "wind_gust": (wind * random.uniform(1, 1.7, count)).round(1),
            "pressure": (29.9 + 0.15 * front + random.normal(0, 0.01, count)).round(2),
            "precipitation_rate": rain.round(2),
            "precipitation_acc": daily.round(2),
            "uv": (solar / 110).round(),
            "solar": solar.round(1),
            "sector": sector,
        }
    )
    end = start + STEP * (count - 1)
    utc_time = pl.datetime_range(start, end, STEP, time_unit="ms", eager=True).cast(INSTANT).alias("utc_time")
    words = pl.col("sector").replace_strict(dict(enumerate(COMPASS)), return_dtype=pl.String)
    calm = pl.col("mean_wind_speed") == 0
    return frame.select(utc_time, pl.exclude("sector"), pl.when(~calm).then(words).alias("wind_direction"))
