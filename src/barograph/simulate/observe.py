"""What the instruments report of the weather, as whole numbers in the export's own units.

A raw frame carries `utc_time`, `clock` (the naive time that the export shows), `day` (the date of `clock`) and the
variables under their canonical names, as Int64 in steps of the export: tenths of °F, hundredths of an inch. The text
of the export and the canonical value are both made from these, so neither rounding can hide the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from barograph.frame import INSTANT
from barograph.simulate.network import Site
from barograph.simulate.noise import DAY, HOUR, MINUTE, Noise
from barograph.simulate.weather import SLOT, rain, weather

KMH_PER_MPH: Final = 1.609344
HPA_PER_INHG: Final = 33.863886
TIP_UM: Final = {"personal": 254, "static": 200, "synop": 200}
"""What one tip of the rain gauge is, in µm: 0.01 in; 0.2 mm."""
STATIC_STEP: Final = 10 * MINUTE

PERSONAL: Final = (
    "temperature", "dew_point", "humidity", "wind_direction", "mean_wind_speed", "wind_gust", "pressure",
    "precipitation_rate", "precipitation_acc", "uv", "solar",
)  # fmt: skip
"""Variables of a personal station; `wind_direction` is the number of the compass point, 0 to 15."""
STATIC: Final = (
    "temperature", "pressure", "humidity", "dew_point", "mean_wind_speed", "wind_gust", "wind_direction_deg",
    "precipitation_3h", "precipitation_1h",
)  # fmt: skip
SYNOP: Final = (*STATIC, "visibility", "snow_depth", "ncloud_cover", "temps_omm")


@dataclass(frozen=True, slots=True)
class Span:
    """The days asked for, on one station's clock; with more than one day, the export is taken during the last."""

    start: date
    days: int

    def bounds(self, site: Site) -> tuple[int, int]:
        """First and last possible instant of `site` (seconds since 1970 UTC), the last one excluded."""
        first, end = midnight(self.start, site.timezone), midnight(self.start + timedelta(self.days), site.timezone)
        if self.days > 1:
            last_day = midnight(self.start + timedelta(self.days - 1), site.timezone)
            # When the real exports were taken: 14:50 and 15:00 local, 12:00 UTC (the synop then an hour behind).
            taken = 15 * HOUR if site.reset_hour else 14 * HOUR + 50 * MINUTE
            end = last_day + {"personal": taken, "static": 12 * HOUR + 1, "synop": 12 * HOUR}[site.kind]
        return first, end

    def odd_days(self, site: Site) -> list[date]:
        """The days of 23 or 25 hours."""
        days = [self.start + timedelta(offset) for offset in range(self.days)]
        return [
            day for day in days if midnight(day + timedelta(1), site.timezone) - midnight(day, site.timezone) != DAY
        ]

    def whole_days(self, site: Site) -> list[date]:
        """The days of 24 hours that the export covers entirely."""
        odd = set(self.odd_days(site))
        days = [self.start + timedelta(offset) for offset in range(max(1, self.days - 1))]
        return [day for day in days if day not in odd]


def midnight(day: date, zone: str) -> int:
    """The instant (seconds since 1970 UTC) at which a local day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())


def observe(noise: Noise, site: Site, span: Span, step_minutes: int) -> pl.DataFrame:
    """The raw frame of one station over the span (see above), ascending, with its outages."""
    step = {"personal": step_minutes * MINUTE, "static": STATIC_STEP, "synop": HOUR}[site.kind]
    # A personal console reports at the end of each interval (00:04, 00:09, …), Infoclimat on the round minute.
    offset = step - MINUTE if site.kind == "personal" else 0
    first, end = span.bounds(site)
    start = first + (offset - first) % step
    seconds = _with_outages(noise, site, span, pl.int_range(start, end, step, dtype=pl.Int64, eager=True))
    gauge = _Gauge(noise, site, span.start, end)
    state = weather(noise, site, seconds).with_columns(seconds=seconds)
    return _personal(site, state, gauge) if site.kind == "personal" else _listed(noise, site, state, gauge)


def times(seconds: str, zone: str) -> Sequence[pl.Expr]:
    """`utc_time`, `clock` and `day` from a column of seconds since 1970 UTC."""
    utc = pl.from_epoch(pl.col(seconds), time_unit="s").dt.cast_time_unit("ms").dt.replace_time_zone("UTC")
    clock = utc.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return utc.cast(INSTANT).alias("utc_time"), clock.alias("clock"), clock.dt.date().alias("day")


def _with_outages(noise: Noise, site: Site, span: Span, seconds: pl.Series) -> pl.Series:
    """Leaves out 8 to 27 minutes somewhere in every three days (twice that every six days for a static station)."""
    if not site.outages or seconds.is_empty():
        return seconds
    factor = 2 if site.kind == "static" else 1
    block = 3 * DAY * factor
    frame = pl.DataFrame({"seconds": seconds, "block": seconds // block})
    blocks = frame.select(pl.col("block").unique().sort()).to_series()
    outages = pl.DataFrame({"block": blocks}).with_columns(
        begin=(noise.uniform(blocks, "outage", site.station_id) * (block - HOUR)).cast(pl.Int64),
        length=((noise.uniform(blocks, "outage length", site.station_id) * 20 + 8) * factor * MINUTE).cast(pl.Int64),
    )
    within = pl.col("seconds") - pl.col("block") * block - pl.col("begin")
    joined = frame.join(outages, on="block", how="left", maintain_order="left")
    # Days of 23 and 25 hours are left whole, so that their rows count the hours of the clock.
    odd = [midnight(day, site.timezone) for day in span.odd_days(site)]
    on_odd_day = pl.any_horizontal(
        pl.lit(False), *(pl.col("seconds").is_between(begin, begin + 25 * HOUR) for begin in odd)
    )
    missing = (within >= 0) & (within < pl.col("length")) & ~on_odd_day
    return joined.filter(~missing)["seconds"]


class _Gauge:
    """The rain at one station, as exact running totals; it starts two days early, before any counter's last reset."""

    def __init__(self, noise: Noise, site: Site, start: date, end: int) -> None:
        self._first = midnight(start, "UTC") // SLOT - 2 * DAY // SLOT
        slots = pl.int_range(self._first, end // SLOT + 1, dtype=pl.Int64, eager=True)
        self._fallen = rain(noise, site, slots)
        self._total = pl.concat([pl.Series([0], dtype=pl.Int64), self._fallen.cum_sum()])

    def total(self, seconds: pl.Series) -> pl.Series:
        """µm since the gauge's start, up to the last full slot."""
        return self._total.gather(seconds // SLOT - self._first)

    def rate(self, seconds: pl.Series) -> pl.Series:
        """mm/h in the running slot."""
        return self._fallen.gather(seconds // SLOT - self._first) * (HOUR / SLOT / 1000)


def _tenths(expression: pl.Expr, factor: float) -> pl.Expr:
    return (expression * factor).round().cast(pl.Int64)


def _dew_point(celsius: pl.Expr, humidity: pl.Expr) -> pl.Expr:
    """Inverse Magnus formula (WMO-No. 8, Annex 4.B), as a console computes it from its own rounded readings."""
    gamma = (humidity / 100).log() + 17.62 * celsius / (243.12 + celsius)
    return 243.12 * gamma / (17.62 - gamma)


def _personal(site: Site, state: pl.DataFrame, gauge: _Gauge) -> pl.DataFrame:
    seconds = state["seconds"]
    point = ((pl.col("direction") + 11.25) / 22.5).floor().cast(pl.Int64) % 16
    reset = _last_reset(site, seconds)
    tip = TIP_UM["personal"]
    celsius = (pl.col("temperature") - 320) / 18
    frame = (
        state.with_columns(
            *times("seconds", site.timezone),
            temperature=_tenths(pl.col("temperature"), 18) + 320,
            humidity=_tenths(pl.col("humidity"), 1),
            mean_wind_speed=_tenths(pl.col("mean"), 10 / KMH_PER_MPH),
            wind_gust=_tenths(pl.col("gust"), 10 / KMH_PER_MPH),
            pressure=_tenths(pl.col("pressure"), 100 / HPA_PER_INHG),
            precipitation_rate=_tenths(pl.lit(gauge.rate(seconds)), 100 / 25.4),
            precipitation_acc=pl.lit(gauge.total(seconds) // tip - gauge.total(reset) // tip),
            uv=_tenths(pl.col("uv"), 1),
            solar=_tenths(pl.col("solar"), 10),
        )
        .with_columns(
            dew_point=_tenths(_dew_point(celsius, pl.col("humidity")), 18) + 320,
            wind_gust=pl.max_horizontal("wind_gust", "mean_wind_speed"),
            wind_direction=pl.when(pl.col("wind_gust") > 0).then(point),
        )
        .with_columns(pl.col("wind_direction").forward_fill() if site.stale_vane else pl.col("wind_direction"))
    )
    return frame.select("utc_time", "clock", "day", *PERSONAL)


def _last_reset(site: Site, seconds: pl.Series) -> pl.Series:
    """For each instant, when the rain counter last started again (seconds since 1970 UTC)."""
    hour = pl.duration(hours=site.reset_hour)
    begun = (pl.col("clock") - hour).dt.truncate("1d") + hour
    # Neither 00:00 nor 08:00 is ever skipped or repeated in the zones of the network.
    utc = begun.dt.replace_time_zone(site.timezone, ambiguous="earliest").dt.epoch("s")
    return pl.DataFrame({"seconds": seconds}).with_columns(*times("seconds", site.timezone)).select(utc).to_series()


def _listed(noise: Noise, site: Site, state: pl.DataFrame, gauge: _Gauge) -> pl.DataFrame:
    seconds, synop = state["seconds"], site.kind == "synop"
    tip = TIP_UM[site.kind]
    clock = pl.col("seconds")
    # A synop gives wind in whole m/s (shown in km/h) and tens of degrees, as Lesquin does.
    step = 36 if synop else 1
    degrees = ((pl.col("direction") / 10).ceil() * 10 if synop else pl.col("direction").floor()).cast(pl.Int64)
    tips = {hours: gauge.total(seconds) // tip - gauge.total(seconds - hours * HOUR) // tip for hours in (1, 3)}
    celsius = pl.col("temperature") / 10
    frame = (
        state.with_columns(
            *times("seconds", "UTC"),
            temperature=_tenths(pl.col("temperature"), 10),
            pressure=_tenths(pl.col("pressure"), 10),
            humidity=_tenths(pl.col("humidity"), 1),
            mean_wind_speed=_tenths(pl.col("mean"), 10 / step) * step,
            gust_of_synop=_tenths(pl.col("gust"), 10 / step) * step,
            precipitation_1h=pl.when(clock % HOUR == 0).then(pl.lit(tips[1]) * (tip // 100)),
            precipitation_3h=pl.when(clock % (3 * HOUR) == 0).then(pl.lit(tips[3]) * (tip // 100)),
            rate=pl.lit(gauge.rate(seconds)),
        )
        .with_columns(
            dew_point=_tenths(_dew_point(celsius, pl.col("humidity")), 10),
            wind_gust=pl.max_horizontal("gust_of_synop", "mean_wind_speed") if synop else pl.lit(None, pl.Int64),
            wind_direction_deg=pl.when(pl.col("mean_wind_speed") > 0).then(degrees),
        )
        .with_columns(pl.col("wind_direction_deg").forward_fill() if site.stale_vane else pl.col("wind_direction_deg"))
    )
    if synop:
        frame = _synop(noise, site, frame)
    return frame.select("utc_time", "clock", "day", *(SYNOP if synop else STATIC))


def _synop(noise: Noise, site: Site, frame: pl.DataFrame) -> pl.DataFrame:
    """Adds visibility (m), snow depth (cm), cloud cover (okta) and present weather (WMO 4677)."""
    apart = (pl.col("temperature") - pl.col("dew_point")) / 10
    clear = (200 + 8000 * (apart - 0.2).clip(0)) / (1 + 0.5 * pl.col("rate"))
    metres = pl.when(clear < 5000).then((clear / 100).round() * 100).otherwise((clear / 1000).round() * 1000)
    cold, rate = pl.col("temperature") < 5, pl.col("rate")
    fresh = pl.when(cold).then(pl.col("precipitation_1h")).otherwise(0).rolling_sum(24, min_samples=1) // 10
    hour = pl.col("clock").dt.hour()
    seen = pl.lit(noise.uniform(frame["seconds"], "okta", site.station_id)) < 0.45
    # 61/63/65 rain, 71/73/75 snow: slight below 2.5 mm/h, heavy above 10 (WMO-No. 306, table 4677); 45 fog, 10 mist.
    strength = pl.when(rate < 2.5).then(0).when(rate < 10).then(2).otherwise(4)
    falling = pl.when(cold).then(71 + strength).otherwise(61 + strength)
    return frame.with_columns(
        visibility=metres.clip(100, 45_000).cast(pl.Int64),
        snow_depth=pl.when(hour.is_in([6, 18]) & pl.col("clock").dt.month().is_in([11, 12, 1, 2, 3])).then(fresh),
        ncloud_cover=pl.when(seen).then(_tenths(pl.col("cloud"), 8)),
    ).with_columns(
        temps_omm=pl.when(rate > 0.1)
        .then(falling)
        .when(pl.col("visibility") < 1000)
        .then(45)
        .when((pl.col("visibility") < 5000) & (pl.col("humidity") >= 90))
        .then(10)
        .cast(pl.Int64)
    )
