"""A simulated network: plausible weather, in the real export formats, with faults whose truth is known.

    network = simulate(Path("demo"), days=30, faults=["spike", "unparsable"])
    truth = load_truth("demo")

The folder then holds a table for each personal station, one Infoclimat answer, a `barograph.toml` that connects them,
and the truth. The same arguments give the same bytes; the weather is a function of seed, place and instant, so a longer
span or a larger network repeats the smaller one inside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final, Literal

from barograph.simulate.faults import FAULTS as _KINDS
from barograph.simulate.truth import Fault, SimulatedNetwork, Truth, load_truth

FAULTS: Final[Mapping[str, str]] = {name: kind.help for name, kind in _KINDS.items()}
"""The faults that can be asked for, and what each is."""

__all__ = ["FAULTS", "Fault", "SimulatedNetwork", "Truth", "load_truth", "simulate"]


def simulate(
    out_dir: str | os.PathLike[str],
    *,
    start: date = date(2024, 10, 1),
    days: int = 7,
    stations: int | None = None,
    seed: int = 1,
    step_minutes: int = 5,
    faults: Sequence[str] = (),
    table_format: Literal["xlsx", "csv"] = "xlsx",
) -> SimulatedNetwork:
    """Write a simulated network into `out_dir` (made where it is missing; an earlier simulation in it is overwritten).

    `start` and `days` are local days of a personal station, UTC days of the others. With more than one day, the
    exports end during the last one (about 15:00 local, 12:00 UTC), as the real ones do. `stations` counts stations: the
    six of the first network (None), then invented ones in the same mix. `step_minutes`, a divisor of 60, is the
    interval of the personal stations; the others report every 10 minutes, a synop every hour. Each element of `faults`
    (names of FAULTS, repeatable) injects one fault. `table_format` is the form of the personal stations' tables.

    Raises UsageError for arguments that cannot be met, or where the folder cannot be written or holds a
    barograph.toml that no simulation wrote.
    """
    from barograph.simulate.build import Request, build

    request = Request(start, days, stations, seed, step_minutes, tuple(faults), table_format)
    return build(Path(out_dir), request)
