"""The one merge, above both engines: what incoming reports make of a stored station-day.

Reports are identified by (station_id, utc_time). Each value stands on its own, with the extraction that it came from:

- a value beats another of an older extraction, and anything beats null;
- at the same extraction instant the greater object key wins, and within one object the first row, so that the outcome
  never depends on the order of arrival;
- a row of the same object that says something else for the same instant is a conflict, and is reported;
- a day in which no value changes is not written at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from barograph.frame import FLAG, FLAG_SUFFIX, INSTANT, OVERRIDE_SUFFIXES, SOURCE, dtype_of, flags_in, variables_in
from barograph.model import Counts, Note, Rejection, iso
from barograph.store.base import DayKey, StationDay

_PLACE: Final = ("extracted_at", "source", "line")
_SUFFIXES: Final = tuple(OVERRIDE_SUFFIXES)
_NEW: Final = "__new"
_FIRST: Final = pl.Series("source", [0], dtype=SOURCE)


@dataclass(slots=True)
class Merged:
    """The outcome for one station-day; `day` is None where nothing is to be written."""

    key: DayKey
    day: StationDay | None
    counts: Counts
    rejections: list[Rejection] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DayRows:
    """Incoming reports of one station-day: rows in the object's order, `source` indexing the sorted `origins`."""

    frame: pl.DataFrame
    origins: tuple[str, ...]


def _runs(frame: pl.DataFrame) -> tuple[list[DayKey], list[int]]:
    """The station-days of consecutive rows, and where each run begins."""
    day = frame.get_column("utc_time").dt.date()
    station = frame.get_column("station_id")
    edges = (day != day.shift(1)).fill_null(value=True) | (station != station.shift(1)).fill_null(value=True)
    starts = edges.arg_true().to_list()
    pairs = zip(station.gather(starts).to_list(), day.gather(starts).to_list(), strict=True)
    return [DayKey(*pair) for pair in pairs], starts


def split_days(frame: pl.DataFrame) -> dict[DayKey, DayRows]:
    """A report frame cut into station-days; the order of rows within a day is kept."""
    if frame.is_empty():
        return {}
    origins = sorted(frame.get_column("origin").unique().to_list())
    index = {origin: place for place, origin in enumerate(origins)}
    keys, starts = _runs(frame)
    if len(set(keys)) < len(keys):
        # Not a station after the other, as in a table of many stations: bring each day's rows together.
        frame = frame.sort("station_id", pl.col("utc_time").dt.date(), maintain_order=True)
        keys, starts = _runs(frame)
    stops = [*starts[1:], frame.height]
    source = (
        pl.lit(0, dtype=SOURCE) if len(origins) == 1 else pl.col("origin").replace_strict(index, return_dtype=SOURCE)
    )
    bare = frame.select(pl.exclude("station_id", "origin"), source.alias("source"))
    nulls = dict(zip(bare.columns, bare.null_count().row(0), strict=True))
    gappy = [name for name, count in nulls.items() if 0 < count < bare.height and name not in _PLACE]
    bare = bare.select(name for name, count in nulls.items() if count < bare.height or name in _PLACE)
    days = {key: bare.slice(start, stop - start) for key, start, stop in zip(keys, starts, stops, strict=True)}
    return {key: _compact(part, gappy, origins) for key, part in days.items()}


def _compact(frame: pl.DataFrame, gappy: list[str], origins: list[str]) -> DayRows:
    """One day's rows without the columns that are null all day, and with the origins that it uses.

    `gappy` are the columns that may be null all day.
    """
    empty = {name for name in gappy if frame.get_column(name).null_count() == frame.height}
    if empty:
        frame = frame[[name for name in frame.columns if name not in empty]]
    if len(origins) == 1:
        return DayRows(frame, (origins[0],))
    source = frame.get_column("source")
    if source.min() == source.max():
        # A day from one place: 3 µs, where mapping the indices takes 200.
        only = origins[source[0]]
        zeros = _FIRST.new_from_index(0, frame.height)
        return DayRows(frame.replace_column(frame.get_column_index("source"), zeros), (only,))
    used = sorted(source.unique().to_list())
    if len(used) < len(origins):
        places = {old: new for new, old in enumerate(used)}
        frame = frame.with_columns(pl.col("source").replace_strict(places, return_dtype=SOURCE))
    return DayRows(frame, tuple(origins[place] for place in used))


def merge_day(
    key: DayKey,
    stored: StationDay | None,
    incoming: DayRows,
    *,
    stream: str | None = None,
    later: DayRows | None = None,
) -> Merged:
    """Merge incoming reports of one station-day into what is stored.

    `stream` is the landing zone's stream that the reports come from; a stored report of the same stream that the later
    extraction no longer holds stays, and is noted. `later` holds reports of the same instants from extractions that
    were ingested before, but are newer than the incoming ones: since a day in which nothing changes is not written, the
    store may not know that they confirmed its values.
    """
    outcome = Merged(key, None, Counts())
    layers = _layers(incoming.frame)
    if stored is None and later is None and len(layers) == 1:
        outcome.counts = Counts(new=incoming.frame.height)
        outcome.day = StationDay(key, 0, layers[0], incoming.origins)
        return outcome
    origins = sorted({*incoming.origins, *(stored.sources if stored else ()), *(later.origins if later else ())})
    frame = _reindexed(incoming.frame, incoming.origins, origins)
    layers = _layers(frame)
    base = None if stored is None else _reindexed(stored.frame, stored.sources, origins)
    if base is not None and later is None and len(layers) == 1 and _confirms(base, layers[0]):
        outcome.counts = Counts(unchanged=frame.height)
        return outcome
    fold = _Fold(key, origins)
    if later is not None:
        for said in fold.by_object(_reindexed(later.frame, later.origins, origins)):
            base = said if base is None else fold.fold(base, said, confirm=True)
        fold.conflicts.clear()
    said = fold.settled(layers)
    merged = said if base is None else fold.fold(base, said)
    before = merged.clear() if base is None else base
    outcome.rejections = fold.conflicts
    _count(outcome, before, merged, frame, len(fold.conflicts))
    if base is not None and stream is not None:
        outcome.notes += _vanished(key, base, frame, origins, stream)
    if outcome.counts.new or outcome.counts.changed:
        outcome.day = _pruned(key, 0 if stored is None else stored.revision, merged, origins)
    return outcome


def _reindexed(frame: pl.DataFrame, from_origins: Sequence[str], origins: Sequence[str]) -> pl.DataFrame:
    if tuple(origins) == tuple(from_origins):
        return frame
    index = {old: origins.index(origin) for old, origin in enumerate(from_origins)}
    columns = [name for name in frame.columns if name == "source" or name.endswith("_source")]
    return frame.with_columns(pl.col(columns).replace_strict(index, default=None, return_dtype=SOURCE))


def _layers(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows as frames of unique ascending instants; a second row for an instant is in the second layer."""
    times = frame.get_column("utc_time")
    ordered = frame if times.is_sorted() else frame.sort("utc_time", maintain_order=True)
    if ordered.get_column("utc_time").n_unique() == ordered.height:
        return [ordered]
    ranked = ordered.with_columns(pl.int_range(pl.len()).over("utc_time").alias("__layer"))
    return [
        part.drop("__layer") for part in ranked.sort("__layer", "utc_time").partition_by("__layer", maintain_order=True)
    ]


def _confirms(base: pl.DataFrame, frame: pl.DataFrame) -> bool:
    """Whether every incoming value stands in the base already (the cheap answer for yesterday's rows sent again)."""
    if frame.height != base.height or not (frame.get_column("utc_time") == base.get_column("utc_time")).all():
        return False
    for name in variables_in(frame.columns):
        if name not in base.columns:
            return False
        said = frame.get_column(name)
        if not (said.is_null() | said.eq_missing(base.get_column(name))).all():
            return False
    return True


class _Fold:
    """Folds one layer of reports (unique instants) into another, value by value."""

    def __init__(self, key: DayKey, origins: Sequence[str]) -> None:
        self.key = key
        objects = [origin.partition("#")[0] for origin in origins]
        self.object_of = {place: objects.index(name) for place, name in enumerate(objects)}
        self.origins = origins
        self.conflicts: list[Rejection] = []

    def by_object(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Rows of several objects, settled object by object."""
        marked = frame.with_columns(self._objects(pl.col("source")).alias("__object"))
        return [self.settled(_layers(part.drop("__object"))) for part in marked.partition_by("__object")]

    def settled(self, layers: list[pl.DataFrame]) -> pl.DataFrame:
        """What one object says, one row per instant.

        Settled before it meets the record: which of its rows stand must not depend on what was stored earlier.
        """
        said = layers[0]
        for layer in layers[1:]:
            said = self.fold(said, layer, within=True)
        return said

    def fold(
        self, old: pl.DataFrame, new: pl.DataFrame, *, within: bool = False, confirm: bool = False
    ) -> pl.DataFrame:
        """`within`: both come from one reading of one object; `confirm`: equal values move to their newer place."""
        variables = variables_in({*old.columns, *new.columns})
        flags = flags_in({*old.columns, *new.columns})
        both = (
            _complete(old, variables, flags)
            .join(_complete(new, variables, flags), on="utc_time", how="full", coalesce=True, suffix=_NEW)
            .sort("utc_time")
        )
        is_old, is_new = pl.col("extracted_at").is_not_null(), pl.col("extracted_at" + _NEW).is_not_null()
        both = both.with_columns(
            is_old.alias("__old"),
            is_new.alias("__is_new"),
            self._newer(*_row_place(_NEW), *_row_place("")).fill_null(value=False).alias("__newer"),
        )
        both = both.with_columns(self._conflict(variables, within=within).alias("__conflict"))
        refused = pl.col("__conflict") & ~pl.col("__newer")
        wins = {name: self._wins(name) & ~refused for name in variables}
        differs = pl.any_horizontal(
            [wins[name] & pl.col(name + _NEW).ne_missing(pl.col(name)) for name in variables] or [pl.lit(value=False)]
        )
        both = both.with_columns(
            *(expr.alias(f"{name}__wins") for name, expr in wins.items()),
            (pl.col("__old") & pl.col("__is_new") & differs).alias("__changed"),
            (~pl.col("__old")).alias("__added"),
        )
        self._collect_conflicts(both.filter("__conflict"), variables)
        return self._take(both, variables, flags, confirm=confirm)

    def _newer(self, ne: pl.Expr, ns: pl.Expr, nl: pl.Expr, oe: pl.Expr, os: pl.Expr, ol: pl.Expr) -> pl.Expr:
        """Whether the new place (extracted_at, source, line) comes before the old one (see the module)."""
        new_object, old_object = self._objects(ns), self._objects(os)
        # The very same place again (nl == ol) is the object read anew, perhaps after it was mended in place.
        first = (new_object == old_object) & (nl <= ol)
        return (ne > oe) | ((ne == oe) & ((new_object > old_object) | first))

    def _objects(self, source: pl.Expr) -> pl.Expr:
        return source.replace_strict(self.object_of, default=None, return_dtype=pl.Int32)

    def _wins(self, name: str) -> pl.Expr:
        newer = self._newer(*_value_place(name, _NEW), *_value_place(name, ""))
        there = pl.col(name + _NEW).is_not_null()
        return (there & (pl.col(name).is_null() | newer)).fill_null(value=False)

    def _conflict(self, variables: list[str], *, within: bool) -> pl.Expr:
        """Rows of one reading of one object that contradict each other at one instant."""
        contradicts = [pl.col(name) != pl.col(name + _NEW) for name in variables] or [pl.lit(value=False)]
        same = self._objects(pl.col("source")) == self._objects(pl.col("source" + _NEW))
        together = pl.lit(value=True) if within else pl.col("extracted_at") == pl.col("extracted_at" + _NEW)
        apart = pl.col("line") != pl.col("line" + _NEW)
        return (same & together & apart & pl.any_horizontal(contradicts)).fill_null(value=False)

    def _collect_conflicts(self, rows: pl.DataFrame, variables: list[str]) -> None:
        for row in rows.iter_rows(named=True):
            name = next(v for v in variables if row[v] is not None and row[v + _NEW] not in (None, row[v]))
            lost, kept = ("", _NEW) if row["__newer"] else (_NEW, "")
            origin = self.origins[row["source" + lost]]
            key, _, part = origin.partition("#")
            self.conflicts.append(
                Rejection(
                    key,
                    f"a second row for {self.key.station_id} at {row['utc_time']:%Y-%m-%dT%H:%M:%SZ} says otherwise "
                    f"(line {row['line' + kept]} was kept, with {name} = {row[name + kept]})",
                    line=row["line" + lost],
                    sheet=part or None,
                    column=name,
                    value=str(row[name + lost]),
                    station_id=self.key.station_id,
                )
            )

    def _take(self, both: pl.DataFrame, variables: list[str], flags: list[str], *, confirm: bool) -> pl.DataFrame:
        # A row that neither adds nor changes a value leaves everything, its provenance included, as it was.
        changed = (pl.col("__is_new") & pl.col("__old")) if confirm else pl.col("__changed")
        added, newer = pl.col("__added"), pl.col("__newer")
        moved = added | (changed & newer)
        exprs: list[pl.Expr] = [pl.col("utc_time")]
        for name in variables:
            win = pl.col(f"{name}__wins") & (changed | added)
            exprs.append(pl.when(win).then(pl.col(name + _NEW)).otherwise(pl.col(name)).alias(name))
            if (flag := name + FLAG_SUFFIX) in flags:
                exprs.append(pl.when(win).then(pl.col(flag + _NEW)).otherwise(pl.col(flag)).alias(flag))
            places = zip(_SUFFIXES, _value_place(name, ""), _value_place(name, _NEW), strict=True)
            exprs += [pl.when(win).then(new).otherwise(old).alias(f"{name}{suffix}__at") for suffix, old, new in places]
        exprs += [pl.when(moved).then(pl.col(p + _NEW)).otherwise(pl.col(p)).alias(p) for p in _PLACE]
        taken = both.select(exprs)
        return _with_overrides(taken, variables, flags)


def _row_place(side: str) -> list[pl.Expr]:
    """Where a report comes from: extracted_at, source, line."""
    return [pl.col(place + side) for place in _PLACE]


def _value_place(name: str, side: str) -> list[pl.Expr]:
    """Where a value comes from: its own place, else its report's."""
    own = pl.col(name + "_extracted_at" + side).is_not_null()
    return [
        pl.when(own).then(pl.col(name + suffix + side)).otherwise(place)
        for suffix, place in zip(_SUFFIXES, _row_place(side), strict=True)
    ]


def _complete(frame: pl.DataFrame, variables: list[str], flags: list[str]) -> pl.DataFrame:
    """The frame with every column that a fold needs."""
    wanted: dict[str, pl.DataType] = {"utc_time": INSTANT}
    wanted |= {name: dtype_of(name) for name in variables}
    wanted |= dict.fromkeys(flags, FLAG)
    wanted |= {name: dtype_of(name) for name in _PLACE}
    wanted |= {name + suffix: dtype for name in variables for suffix, dtype in OVERRIDE_SUFFIXES.items()}
    return frame.select(
        pl.col(name) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in wanted.items()
    )


def _with_overrides(taken: pl.DataFrame, variables: list[str], flags: list[str]) -> pl.DataFrame:
    """Keep a value's own place only where it is not its report's."""
    exprs: list[pl.Expr] = []
    for name in variables:
        same = pl.all_horizontal(
            pl.col(f"{name}{suffix}__at").eq_missing(pl.col(place))
            for place, suffix in zip(_PLACE, _SUFFIXES, strict=True)
        )
        own = ~same & pl.col(name).is_not_null()
        exprs += [
            pl.when(own).then(pl.col(f"{name}{suffix}__at")).otherwise(None).alias(name + suffix)
            for suffix in _SUFFIXES
        ]
    frame = taken.select("utc_time", *variables, *flags, *_PLACE, *exprs)
    empty = [
        name for name in frame.columns if name not in _PLACE and frame.get_column(name).null_count() == frame.height
    ]
    return frame.drop(empty)


def _count(outcome: Merged, before: pl.DataFrame, after: pl.DataFrame, incoming: pl.DataFrame, conflicts: int) -> None:
    """New, changed and unchanged instants; further rows for an instant are duplicates or, contradicting, rejected."""
    times = incoming.get_column("utc_time").unique()
    new = times.filter(~times.is_in(before.get_column("utc_time").implode())).len() if before.height else times.len()
    variables = variables_in({*before.columns, *after.columns})
    changed = 0
    if before.height and variables:
        joined = _complete(after, variables, []).join(
            _complete(before, variables, []), on="utc_time", how="inner", suffix=_NEW
        )
        changed = joined.filter(
            pl.any_horizontal([pl.col(name).ne_missing(pl.col(name + _NEW)) for name in variables])
        ).height
    further = incoming.height - times.len()
    outcome.counts = Counts(
        new=new,
        changed=changed,
        unchanged=times.len() - new - changed - max(0, conflicts - further),
        rejected=conflicts,
        duplicates=max(0, further - conflicts),
    )


def _vanished(
    key: DayKey, base: pl.DataFrame, incoming: pl.DataFrame, origins: Sequence[str], stream: str
) -> list[Note]:
    """A note where a later extraction of the same stream no longer holds a report, within the span that it covers."""
    mine = [place for place, origin in enumerate(origins) if f"/{stream}/" in f"/{origin.partition('#')[0]}"]
    times = incoming.get_column("utc_time")
    gone = base.filter(
        pl.col("source").is_in(mine)
        & (pl.col("utc_time") >= times.min())
        & (pl.col("extracted_at") < incoming.get_column("extracted_at").min())
        & ~pl.col("utc_time").is_in(times.implode())
    )
    if gone.is_empty():
        return []
    instants = gone.get_column("utc_time")
    newest = incoming.sort("extracted_at").item(-1, "source")
    context = {
        "station_id": key.station_id,
        "day": key.day.isoformat(),
        "reports": gone.height,
        "first": iso(min(instants.to_list())),
        "last": iso(max(instants.to_list())),
        "object": origins[newest].partition("#")[0],
    }
    text = f"{gone.height} reports of {key} are no longer in the source; the record keeps them"
    return [Note("warning", text, context)]


def _pruned(key: DayKey, revision: int, frame: pl.DataFrame, origins: list[str]) -> StationDay:
    """The day with only the origins that something still comes from."""
    columns = [name for name in frame.columns if name == "source" or name.endswith("_source")]
    used = sorted({value for name in columns for value in frame.get_column(name).drop_nulls().unique().to_list()})
    if len(used) == len(origins):
        return StationDay(key, revision, frame, tuple(origins))
    index = {old: new for new, old in enumerate(used)}
    frame = frame.with_columns(pl.col(columns).replace_strict(index, default=None, return_dtype=SOURCE))
    return StationDay(key, revision, frame, tuple(origins[old] for old in used))
