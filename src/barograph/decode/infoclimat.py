"""Infoclimat's answers (metric, UTC, every value a string) -> report frames and station descriptions.

An answer is one record, one line, however long; it is streamed. What its `stations` say becomes stations, licence
included. `hourly` holds an array of rows per station, and `_params`, which is no station.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
import polars as pl

from barograph.decode.base import DecodeContext, Decoded, Opener
from barograph.decode.columnar import is_columnar, records
from barograph.decode.envelope import EXTRACTED, plain_name
from barograph.decode.values import Column, column_for, compass_points, parse_columns
from barograph.errors import FormatError
from barograph.formats.answer import Head, Rows, scan_answer
from barograph.formats.lines import long_lines
from barograph.frame import INSTANT
from barograph.model import LandedObject, Note, Rejection, Station, from_epoch_ms
from barograph.units import unit_of
from barograph.variables import VARIABLES

_UNITS: Final = {
    "temperature": ("°C", "degC"),
    "point_de_rosee": ("°C", "degC"),
    "humidite": ("%", "%"),
    "vent_direction": ("°", "deg"),
    "vent_moyen": ("km/h", "km/h"),
    "vent_rafales": ("km/h", "km/h"),
    "pression": ("hPa", "hPa"),
    "pluie_1h": ("mm", "mm"),
    "pluie_3h": ("mm", "mm"),
    "visibilite": ("m", "m"),
    "neige_au_sol": ("cm", "cm"),
    "nebulosite": ("", "octats"),
    "temps_omm": ("", ""),
}
"""Field -> our name of its unit, and the feed's (in `metadata`: "mean wind speed,km/h")."""

COLUMNS: Final = {
    v.infoclimat: column_for(v.name, v.infoclimat, _UNITS[v.infoclimat][0]) for v in VARIABLES if v.infoclimat
}
KNOWN: Final = ("id_station", "dh_utc", *COLUMNS)
_USUAL: Final = (
    "id_station",
    "dh_utc",
    "temperature",
    "pression",
    "humidite",
    "point_de_rosee",
    "vent_moyen",
    "vent_direction",
)
"""Fields that every station of the network has."""
_SHOWN: Final = 120
# Infoclimat does not say a timezone; its stations in this box (metropolitan France and its borders) keep Paris time.
_METROPOLITAN: Final = (41.0, 51.6, -5.6, 10.0)


def decode(item: LandedObject, opener: Opener, context: DecodeContext) -> Iterator[Decoded]:
    """Decode one landed object of answers (JSONL or CSV, flattened or not, Parquet, Avro)."""
    whole = 0
    broken: list[FormatError] = []
    for number, pieces in _records(item, opener, context):
        answer = _Answer(item, number, context, opener)
        try:
            yield from answer.decode(pieces)
            whole += 1
        except FormatError as error:
            broken.append(error)
            reason = f"{error.what}; {answer.rows} rows before that place were kept"
            yield Decoded(rejections=[Rejection(item.key, reason, line=number, rows=0)])
    if broken and not whole:
        raise broken[0]
    if not whole:
        raise FormatError("holds no answer", where=item.key, hint="sync again")


def _records(item: LandedObject, opener: Opener, context: DecodeContext) -> Iterator[tuple[int, Iterable[bytes]]]:
    """The object's records, each as pieces of JSON text, with its line number."""
    if item.key.removesuffix(".gz").endswith(".csv"):
        yield from _csv_records(item, opener(), context)
        return
    if is_columnar(item.key):
        limits = {"record_bytes": context.record_mib << 20, "unpacked_mib": context.unpacked_mib}
        for number, record in records(opener(), item.key, **limits):
            yield number, [orjson.dumps(_restored(record))]
        return
    if not item.key.removesuffix(".gz").endswith(".jsonl"):
        raise FormatError(
            "is neither jsonl, csv, parquet nor avro",
            where=item.key,
            hint="an Infoclimat answer is landed as JSON lines",
        )
    for line in long_lines(opener()):
        pieces = iter(line)
        first = next((piece for piece in pieces if piece.strip()), None)
        if first is not None:
            yield line.number, _chained(first, pieces)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _csv_records(
    item: LandedObject, chunks: Iterator[bytes], context: DecodeContext
) -> Iterator[tuple[int, list[bytes]]]:
    """Answers in CSV cells; unlike lines of JSON these are held whole, within the limit of a record."""
    limit = context.record_mib << 20
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > limit:
            raise FormatError(
                f"is a CSV of answers beyond {context.record_mib} MiB", where=item.key, hint="land Infoclimat as jsonl"
            )
    csv.field_size_limit(limit)
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        for row in reader:
            cell = row.get("_airbyte_data")
            extracted = next((row[name] for name in EXTRACTED if row.get(name)), None)
            if cell is not None:
                text = b'{"_airbyte_extracted_at":%s,"_airbyte_data":%s}' % (orjson.dumps(extracted), cell.encode())
            else:
                fields = {key: _cell(value) for key, value in row.items() if key and value != ""}
                text = json.dumps(fields, ensure_ascii=False).encode()
            yield reader.line_num, [text]
    except (csv.Error, UnicodeDecodeError) as error:
        raise FormatError(f"is not a CSV of answers ({error})", where=item.key) from error


def _cell(value: Any) -> Any:
    """A flattened cell: JSON text where it is an object or an array."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _restored(record: Mapping[str, Any]) -> dict[str, Any]:
    """An answer out of typed columns, its stations under the names that it gives them.

    A schemaless object is JSON text. In one with a schema a station is a field, and a field's name is changed where it
    holds more than letters and digits.
    """
    fields = {key: _cell(value) for key, value in record.items() if value is not None}
    stations, hourly = fields.get("stations"), fields.get("hourly")
    if isinstance(stations, list) and isinstance(hourly, dict):
        known = [str(entry["id"]) for entry in stations if isinstance(entry, dict) and entry.get("id")]
        names = {plain_name(name): name for name in known}
        fields["hourly"] = {
            key if key in known else names.get(plain_name(key), key): rows for key, rows in hourly.items()
        }
    return fields


class _Answer:
    """One answer: its head, once known, and the rows as they stream by."""

    def __init__(self, item: LandedObject, line: int, context: DecodeContext, opener: Opener) -> None:
        self.item, self.line, self.context, self.opener = item, line, context, opener
        self.rows = 0
        self.extracted_at = item.extracted_at
        self.known: dict[str, Station] = {}
        self.columns = COLUMNS
        self.noted: set[str] = set()

    def decode(self, pieces: Iterable[bytes]) -> Iterator[Decoded]:
        ready = False
        for part in scan_answer(pieces, where=f"{self.item.key}, line {self.line}"):
            if isinstance(part, Head):
                if ready:
                    continue
                values = part.values
                if "stations" in values or "hourly" in values:
                    ready = True
                    yield self._begin(values)
                else:
                    ready = True
                    yield self._begin(self._whole_head())
            else:
                yield self._piece(part)

    def _whole_head(self) -> dict[str, Any]:
        """The head of an answer whose `hourly` stands first: one more pass over it."""
        for number, pieces in _records(self.item, self.opener, self.context):
            if number == self.line:
                heads = [part for part in scan_answer(pieces, where=self.item.key) if isinstance(part, Head)]
                return heads[-1].values
        raise FormatError("changed while it was read", where=self.item.key, hint="run again")

    def _begin(self, head: Mapping[str, Any]) -> Decoded:
        if head.get("status", "OK") != "OK" or head.get("errors"):
            raise FormatError(
                f"is an answer with status {head.get('status')!r} and errors {str(head.get('errors'))[:_SHOWN]}",
                where=self.item.key,
                hint="sync again",
            )
        if "stations" not in head and "hourly" not in head:
            raise FormatError("is no Infoclimat answer (it has neither stations nor hourly)", where=self.item.key)
        self.extracted_at = _instant(head, self.item)
        self.columns = _columns(head.get("metadata") or {}, self.item.key)
        described = [
            _station(entry) for entry in head.get("stations") or [] if isinstance(entry, dict) and entry.get("id")
        ]
        self.known = {station.station_id: station for station in described}
        return Decoded(stations=[(station, self.extracted_at) for station in described])

    def _piece(self, part: Rows) -> Decoded:
        out = Decoded()
        array = f"hourly.{part.station}"
        if part.station not in self.known and part.station not in self.context.stations:
            out.rejections.append(
                Rejection(
                    self.item.key,
                    "unknown station: neither the answer's stations nor the configuration describes it",
                    line=self.line,
                    sheet=array,
                    row=part.index + 1,
                    column="id_station",
                    value=part.station,
                    station_id=part.station,
                    rows=len(part.rows),
                )
            )
            return out
        rows, places = self._sift(part, array, out)
        frame = self._frame(rows, out, array)
        self.rows += frame.height
        utc = frame.get_column("dh_utc").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False)
        refused: dict[int, tuple[str, str, str | None]] = {}
        for row in utc.is_null().arg_true().to_list():
            refused[row] = ("dh_utc", "not a UTC time (YYYY-MM-DD HH:MM:SS)", frame.item(row, "dh_utc"))
        strange = (frame.get_column("id_station").fill_null(part.station) != part.station).arg_true().to_list()
        for row in strange:
            refused[row] = ("id_station", f"stands in the array of {part.station}", frame.item(row, "id_station"))
        times = utc.dt.replace_time_zone("UTC")
        numbers, bad = parse_columns(frame, list(self.columns.values()))
        for cell in bad:
            refused.setdefault(cell.row, (cell.column, cell.reason, cell.value))
        out.rejections += [
            Rejection(
                self.item.key, reason, line=self.line, sheet=array, row=places[row] + 1, column=column, value=value,
                station_id=part.station, instant=times[row],
            )
            for row, (column, reason, value) in sorted(refused.items())
        ]  # fmt: skip
        place = array if self.line == 1 else f"line-{self.line}/{array}"
        reports = numbers.with_columns(
            compass_points("wind_direction_deg"),
            pl.lit(part.station).alias("station_id"),
            times.alias("utc_time"),
            pl.lit(self.extracted_at, dtype=INSTANT).alias("extracted_at"),
            pl.lit(f"{self.item.key}#{place}").alias("origin"),
            (pl.Series("line", places, dtype=pl.Int32) + 1),
        )
        if refused:
            reports = reports.filter(~pl.Series(range(frame.height)).is_in(list(refused)))
        out.frame = reports
        return out

    def _sift(self, part: Rows, array: str, out: Decoded) -> tuple[list[bytes], list[int]]:
        """The rows that are flat JSON objects, and their places in the array."""
        places = list(range(part.index, part.index + len(part.rows)))
        if _parses(part.rows):
            return part.rows, places
        rows, kept = [], []
        for place, row in zip(places, part.rows, strict=True):
            if _parses([row]):
                rows.append(row)
                kept.append(place)
            else:
                shown = row[:_SHOWN].decode("utf-8", "backslashreplace")
                out.rejections.append(
                    Rejection(
                        self.item.key, "the row is not a JSON object, or not UTF-8", line=self.line, sheet=array,
                        row=place + 1, value=shown, station_id=part.station,
                    )
                )  # fmt: skip
        return rows, kept

    def _frame(self, rows: list[bytes], out: Decoded, array: str) -> pl.DataFrame:
        text = b"\n".join(rows)
        frame = pl.read_ndjson(text, schema=dict.fromkeys(KNOWN, pl.String())) if rows else _empty()
        filled = frame.height * len(KNOWN) - sum(frame.null_count().row(0))
        if text.count(b'":') > filled + text.count(b'":null'):
            self._drift(rows, out, array)
        return frame

    def _drift(self, rows: list[bytes], out: Decoded, array: str) -> None:
        """Report fields that no column takes up; with a known field absent, something was renamed."""
        fields: set[str] = set()
        for row in rows:
            fields |= orjson.loads(row).keys()
        for name in sorted(fields - {*KNOWN} - self.noted):
            self.noted.add(name)
            absent = [field for field in _USUAL if field not in fields]
            if absent:
                reason = f"unknown field, while {', '.join(map(repr, absent))} is absent; was it renamed?"
                out.rejections.append(
                    Rejection(self.item.key, reason, line=self.line, sheet=array, column=name, rows=0)
                )
            else:
                context = {"object": self.item.key, "column": name}
                out.notes.append(Note("info", f"field {name!r} is not known and was left out", context))


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(KNOWN, pl.String()))


def _parses(rows: list[bytes]) -> bool:
    try:
        return pl.read_ndjson(b"\n".join(rows), schema={"dh_utc": pl.String()}).height == len(rows)
    except pl.exceptions.PolarsError:
        return False


def _instant(head: Mapping[str, Any], item: LandedObject) -> datetime:
    """When the answer was extracted: the envelope's milliseconds, else the object's instant."""
    value = next((head[name] for name in EXTRACTED if head.get(name) is not None), None)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, int):
        return from_epoch_ms(value)
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return item.extracted_at
        return parsed if parsed.tzinfo is not None else item.extracted_at
    return item.extracted_at


def _columns(metadata: Mapping[str, Any], where: str) -> dict[str, Column]:
    """The columns, with the units that the answer itself declares ("mean wind speed,km/h")."""
    columns = dict(COLUMNS)
    for field, text in metadata.items():
        if field not in columns or not isinstance(text, str):
            continue
        declared = text.rpartition(",")[2].strip()
        theirs = _UNITS[field][1]
        if declared == theirs or not theirs:
            continue
        if unit_of(columns[field].variable.dimension or "", declared) is None:
            raise FormatError(
                f"declares {field} in {declared!r}, not {theirs!r}",
                where=where,
                hint="teach units.py this unit, then ingest",
            )
        columns[field] = column_for(columns[field].variable.name, field, declared)
    return columns


def _station(entry: Mapping[str, Any]) -> Station:
    licence = entry.get("license") or {}
    parts = [licence.get(key) for key in ("license", "source", "url")] if isinstance(licence, dict) else [str(licence)]
    latitude, longitude = _number(entry.get("latitude")), _number(entry.get("longitude"))
    elevation = _number(entry.get("elevation"))
    south, north, west, east = _METROPOLITAN
    metropolitan = (
        latitude is not None and longitude is not None and south <= latitude <= north and west <= longitude <= east
    )
    return Station(
        str(entry["id"]),
        name=entry.get("name"),
        latitude=latitude,
        longitude=longitude,
        elevation=None if elevation is None else round(elevation),
        type=entry.get("type"),
        license_info="; ".join(str(part) for part in parts if part) or None,
        timezone="Europe/Paris" if metropolitan else None,
    )


def _number(value: Any) -> float | None:
    try:
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None
