"""Unit conversion at the boundary, whole columns at a time.

The factors are exact by definition, but for the inch and the millimetre of mercury (conventional, at 0 °C: 33.863886
and 1.333224 hPa):
1 mi = 1609.344 m, 1 kn = 1852 m/h, 1 in = 25.4 mm (international yard and pound, 1959); 0 °C = 273.15 K.
A sky covered by 100 % is one of 8 oktas; 113 %, which BUFR (0 20 010) uses for a sky that cannot be seen, is okta 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, overload

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Unit:
    """canonical = (raw - shift) / divisor * factor."""

    factor: float = 1.0
    shift: float = 0.0
    divisor: float = 1.0

    @overload
    def to_canonical(self, raw: float) -> float: ...
    @overload
    def to_canonical(self, raw: pl.Expr) -> pl.Expr: ...
    def to_canonical(self, raw: float | pl.Expr) -> float | pl.Expr:
        """The value, or the column, in the dimension's canonical unit."""
        value = raw
        if self.shift:
            value = value - self.shift
        if self.divisor != 1.0:
            value = value / self.divisor
        if self.factor != 1.0:
            value = value * self.factor
        return value


_SAME: Final = Unit()
UNITS: Final[dict[str, dict[str, Unit]]] = {
    "temperature": {"°c": _SAME, "c": _SAME, "degc": _SAME, "°f": Unit(shift=32, divisor=1.8),
                    "f": Unit(shift=32, divisor=1.8), "degf": Unit(shift=32, divisor=1.8), "k": Unit(shift=273.15)},
    "fraction": {"%": _SAME, "1": Unit(100)},
    "angle": {"°": _SAME, "deg": _SAME, "degree": _SAME, "degrees": _SAME},
    "speed": {"km/h": _SAME, "kmh": _SAME, "mph": Unit(1.609344), "m/s": Unit(3.6),
              "kt": Unit(1.852), "kts": Unit(1.852), "kn": Unit(1.852)},
    "pressure": {"hpa": _SAME, "mb": _SAME, "mbar": _SAME, "in": Unit(33.863886), "inhg": Unit(33.863886),
                 "pa": Unit(divisor=100), "kpa": Unit(10), "mmhg": Unit(1.333224)},
    "length": {"mm": _SAME, "in": Unit(25.4), "cm": Unit(10), "l/m²": _SAME, "kg/m²": _SAME},
    "rain_rate": {"mm/h": _SAME, "mm/hr": _SAME, "mm": _SAME, "in": Unit(25.4), "in/h": Unit(25.4),
                  "in/hr": Unit(25.4)},
    "visibility": {"m": _SAME, "km": Unit(1000), "mi": Unit(1609.344)},
    "snow": {"cm": _SAME, "mm": Unit(divisor=10), "m": Unit(100), "in": Unit(2.54)},
    "irradiance": {"w/m²": _SAME, "w/m2": _SAME},
    "okta": {"%": Unit(divisor=12.5)},
    "code": {}, "index": {},
}  # fmt: skip
"""Per dimension: unit as written (lower case, blanks removed) -> conversion to the canonical unit."""


def unit_of(dimension: str, written: str) -> Unit | None:
    """The conversion for a unit as a source writes it, or None where the dimension does not know it."""
    return UNITS[dimension].get("".join(written.lower().split()).replace("\u00a0", ""))
