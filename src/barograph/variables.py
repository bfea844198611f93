"""The table of observed variables: the single place for names, units, CF names, columns and limits.

`minimum` and `maximum` bound what is physically possible in this network's climate; a value outside is stored and
flagged 4 (QARTOD "fail"), never dropped. Sources of the limits, by the tag in `limits_from`:

- `qc`: the network's own quality-control study (range test, "fail" column), for Hauts-de-France and West Flanders;
- `wmo`: WMO-No. 8 (2018), Annex 1.A (range of the sensor) and WMO-No. 306 code tables;
- `def`: the bound follows from the definition of the quantity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["float", "int", "text"]


@dataclass(frozen=True, slots=True)
class Variable:
    """One observed variable. `unit` is the canonical unit; null means "not observed", zero means zero."""

    name: str
    unit: str
    kind: Kind
    label: str
    cf_name: str | None = None
    wunderground: str | None = None
    infoclimat: str | None = None
    dimension: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    limits_from: str | None = None

    @property
    def decimals(self) -> int:
        """Digits kept after the decimal point."""
        return 0 if self.kind == "int" else 2


# fmt: off
VARIABLES: Final[tuple[Variable, ...]] = (
    Variable("temperature", "°C", "float", "Temperature", "air_temperature",
             "Temperature", "temperature", "temperature", -40, 50, "qc"),
    Variable("dew_point", "°C", "float", "Dew point", "dew_point_temperature",
             "Dew Point", "point_de_rosee", "temperature", -60, 40, "wmo"),
    Variable("humidity", "%", "int", "Relative humidity", "relative_humidity",
             "Humidity", "humidite", "fraction", 0, 100, "def"),
    Variable("wind_direction", "", "text", "Wind direction (16 points)"),
    Variable("wind_direction_deg", "degree", "float", "Wind direction", "wind_from_direction",
             "Wind", "vent_direction", "angle", 0, 360, "def"),
    Variable("mean_wind_speed", "km/h", "float", "Mean wind speed", "wind_speed",
             "Speed", "vent_moyen", "speed", 0, 270, "qc"),
    Variable("wind_gust", "km/h", "float", "Wind gust", "wind_speed_of_gust",
             "Gust", "vent_rafales", "speed", 0, 270, "qc"),
    Variable("pressure", "hPa", "float", "Mean sea level pressure", "air_pressure_at_mean_sea_level",
             "Pressure", "pression", "pressure", 870, 1085, "qc"),
    Variable("precipitation_1h", "mm", "float", "Precipitation, last hour", "precipitation_amount",
             None, "pluie_1h", "length", 0, 300, "wmo"),
    Variable("precipitation_3h", "mm", "float", "Precipitation, last 3 hours", "precipitation_amount",
             None, "pluie_3h", "length", 0, 500, "wmo"),
    Variable("precipitation_acc", "mm", "float", "Precipitation, running total", "precipitation_amount",
             "Precip. Accum.", None, "length", 0, 10000, "def"),
    Variable("precipitation_rate", "mm/h", "float", "Rainfall rate", "rainfall_rate",
             "Precip. Rate.", None, "rain_rate", 0, 2000, "wmo"),
    Variable("visibility", "m", "float", "Visibility", "visibility_in_air",
             None, "visibilite", "visibility", 0, 100000, "wmo"),
    Variable("snow_depth", "cm", "float", "Snow depth", "surface_snow_thickness",
             None, "neige_au_sol", "snow", 0, 1000, "wmo"),
    Variable("ncloud_cover", "okta", "int", "Cloud cover", "cloud_area_fraction",
             None, "nebulosite", "okta", 0, 9, "wmo"),
    Variable("temps_omm", "", "int", "Present weather (WMO 4677)", None,
             None, "temps_omm", "code", 0, 99, "wmo"),
    Variable("uv", "", "float", "UV index", "ultraviolet_index",
             "UV", None, "index", 0, 20, "def"),
    Variable("solar", "W/m²", "float", "Solar radiation", "surface_downwelling_shortwave_flux_in_air",
             "Solar", None, "irradiance", -1, 1600, "qc"),
)
# fmt: on

BY_NAME: Final[dict[str, Variable]] = {variable.name: variable for variable in VARIABLES}
NAMES: Final[tuple[str, ...]] = tuple(BY_NAME)
LIMITED: Final[tuple[Variable, ...]] = tuple(v for v in VARIABLES if v.minimum is not None)

COMPASS: Final[tuple[str, ...]] = (
    "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW",
)  # fmt: skip
"""The 16 points; point i is centred on i * 22.5 degrees from which the wind blows."""
