"""Noise as a pure function of (seed, name, instant): a longer span or one more station changes nothing else.

Built on a counter-based generator (the finaliser of SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014) over whole columns; smooth noise interpolates between hashed knots (value noise).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import cache
from typing import Final

import polars as pl

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400

_BIAS: Final = 1 << 40
"""Added to every counter, so that instants before 1970 have one too."""


@cache
def _u64(value: int) -> pl.Expr:
    return pl.lit(value, dtype=pl.UInt64)


class Noise:
    """All randomness of one simulation. Series in, Series of the same length out; `name` tells the sources apart."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def uniform(self, counter: pl.Series, *name: object) -> pl.Series:
        """Independent values in [0, 1), one for each value of `counter` (Int64)."""
        return pl.select((self._hash(counter, name) // _u64(1 << 11)).cast(pl.Float64) * 2.0**-53).to_series()

    def normal(self, counter: pl.Series, *name: object) -> pl.Series:
        """Independent values of mean 0 and variance 1, within ±3.5 (Irwin-Hall sum of four 16-bit uniforms)."""
        bits = pl.col("bits")
        total = sum(((bits // _u64(1 << shift)) & _u64(0xFFFF) for shift in (16, 32, 48)), bits & _u64(0xFFFF))
        hashed = pl.select(bits=self._hash(counter, name))
        return hashed.select((total.cast(pl.Float64) / 65536 - 2) * math.sqrt(3)).to_series()

    def smooth(self, seconds: pl.Series, period: int, *name: object) -> pl.Series:
        """Noise without jumps at ascending `seconds`: knots of variance 1 every `period`, smoothstep in between."""
        knot = seconds // period
        first, last = (knot.item(0), knot.item(-1)) if len(knot) else (0, 0)
        values = self.normal(pl.int_range(first, last + 2, eager=True), *name)
        share = (seconds - knot * period).cast(pl.Float64) / period
        weight = share * share * (3 - share * 2)
        before, after = values.gather(knot - first), values.gather(knot - first + 1)
        return before + (after - before) * weight

    def field(
        self, seconds: pl.Series, period: int, place: tuple[float, float], scale: float, *name: object
    ) -> pl.Series:
        """Smooth noise in time and space at `place` (km): places `scale` km apart share little, twice that nothing."""
        total = pl.zeros(len(seconds), dtype=pl.Float64, eager=True)
        for column, row, weight in _corners(place, scale):
            total = total + self.smooth(seconds, period, *name, column, row) * weight
        return total

    def _hash(self, counter: pl.Series, name: tuple[object, ...]) -> pl.Expr:
        text = "\x1f".join(str(part) for part in (self.seed, *name))
        salt = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        # Columns of unsigned integers wrap on overflow, which the generator needs.
        value = pl.lit((counter.cast(pl.Int64) + _BIAS).cast(pl.UInt64)) * _u64(0x9E3779B97F4A7C15) + _u64(salt)
        value = (value ^ (value // _u64(1 << 30))) * _u64(0xBF58476D1CE4E5B9)
        value = (value ^ (value // _u64(1 << 27))) * _u64(0x94D049BB133111EB)
        return value ^ (value // _u64(1 << 31))


def _corners(place: tuple[float, float], scale: float) -> Iterator[tuple[int, int, float]]:
    """The four lattice points around a place, with weights whose squares sum to 1 (the variance stays)."""
    column, row = (math.floor(axis / scale) for axis in place)
    east, north = (share * share * (3 - 2 * share) for share in (place[0] / scale - column, place[1] / scale - row))
    weights = [(i, j, (east if i else 1 - east) * (north if j else 1 - north)) for i in (0, 1) for j in (0, 1)]
    norm = math.sqrt(sum(weight**2 for *_, weight in weights))
    for i, j, weight in weights:
        yield column + i, row + j, weight / norm
