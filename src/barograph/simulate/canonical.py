"""From raw frames to canonical values: the conversions of the design, apart from the decoder's that they judge."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import polars as pl

from barograph.frame import INSTANT, VARIABLE_SCHEMA
from barograph.simulate.network import Site
from barograph.simulate.observe import HPA_PER_INHG, KMH_PER_MPH
from barograph.variables import COMPASS

SCHEMA: Final[dict[str, pl.DataType]] = {
    "station_id": pl.String(),
    "utc_time": INSTANT,
    **VARIABLE_SCHEMA,
    "flags": pl.String(),
}

_PERSONAL: Final[dict[str, pl.Expr]] = {
    "temperature": (pl.col("temperature") / 10 - 32) / 1.8,
    "dew_point": (pl.col("dew_point") / 10 - 32) / 1.8,
    "humidity": pl.col("humidity"),
    "mean_wind_speed": pl.col("mean_wind_speed") / 10 * KMH_PER_MPH,
    "wind_gust": pl.col("wind_gust") / 10 * KMH_PER_MPH,
    "wind_direction_deg": pl.col("wind_direction") * 22.5,
    "pressure": pl.col("pressure") / 100 * HPA_PER_INHG,
    "precipitation_rate": pl.col("precipitation_rate") / 100 * 25.4,
    "precipitation_acc": pl.col("precipitation_acc") / 100 * 25.4,
    "uv": pl.col("uv"),
    "solar": pl.col("solar") / 10,
}
_WHOLE: Final = ("humidity", "wind_direction_deg", "visibility", "snow_depth", "ncloud_cover", "temps_omm")


def canonical(site: Site, raw: pl.DataFrame) -> pl.DataFrame:
    """The reports that `raw` stands for, in canonical units, with every variable and an empty `flags`."""
    if site.kind == "personal":
        values, point = dict(_PERSONAL), pl.col("wind_direction")
    else:
        names = [name for name in raw.columns if name in VARIABLE_SCHEMA]
        values = {name: pl.col(name) if name in _WHOLE else pl.col(name) / 10 for name in names}
        point = ((pl.col("wind_direction_deg") + 11.25) / 22.5).floor().cast(pl.Int64) % 16
    values["wind_direction"] = point.replace_strict(dict(enumerate(COMPASS)), return_dtype=pl.String)
    columns = []
    for name, dtype in VARIABLE_SCHEMA.items():
        value = values.get(name, pl.lit(None))
        columns.append((value.round(2) if dtype == pl.Float64 and name in values else value).cast(dtype).alias(name))
    flags = pl.lit(None, pl.String).alias("flags")
    return raw.select(pl.lit(site.station_id).alias("station_id"), "utc_time", *columns, flags)


def without(reports: pl.DataFrame, refused: Iterable[datetime]) -> pl.DataFrame:
    """The reports without those of the refused instants."""
    instants = pl.Series(list(refused), dtype=INSTANT)
    return reports.filter(~pl.col("utc_time").is_in(instants.implode()))
