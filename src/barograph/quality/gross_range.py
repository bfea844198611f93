"""QARTOD gross range test: values outside of what is physically possible fail."""

from __future__ import annotations

import polars as pl

from barograph.frame import FLAG, FLAG_SUFFIX
from barograph.quality.flags import FAIL
from barograph.variables import LIMITED


def flag_gross_range(frame: pl.DataFrame) -> pl.DataFrame:
    """Set `<variable>_flag` to 4 where a value lies outside the limits of the variables table.

    The values stay as they are; a variable that passes everywhere gets no flag column, and flags that other tests set
    are kept where they are worse or equal.
    """
    present = [v for v in LIMITED if v.name in frame.columns]
    if not present or frame.is_empty():
        return frame
    bounds = frame.select(
        expr
        for v in present
        for expr in (pl.col(v.name).min().alias(f"{v.name}<"), pl.col(v.name).max().alias(f"{v.name}>"))
    ).row(0, named=True)
    failed = [
        v
        for v in present
        if bounds[f"{v.name}<"] is not None
        and (bounds[f"{v.name}<"] < (v.minimum or 0) or bounds[f"{v.name}>"] > (v.maximum or 0))
    ]
    flags = []
    for variable in failed:
        name = variable.name + FLAG_SUFFIX
        before = pl.col(name) if name in frame.columns else pl.lit(None, dtype=FLAG)
        outside = ~pl.col(variable.name).is_between(variable.minimum or 0, variable.maximum or 0)
        flags.append(pl.when(outside).then(pl.lit(FAIL, dtype=FLAG)).otherwise(before).alias(name))
    return frame.with_columns(flags) if flags else frame
