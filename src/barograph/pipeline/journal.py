"""What a run tells: the process log at once, the `logs` collection buffered and in batches."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from barograph.logs import Masks, emit
from barograph.model import LogEntry, Note, Rejection, fact_id, iso, utc_now

if TYPE_CHECKING:
    from barograph.store.base import Store

_BATCH: Final = 1000

TOLD_OF_A_KIND: Final = 20
"""How many rejections of one object, column and reason the process log shows; the store has all."""


class Journal:
    """Collects log entries of one run, from any thread.

    A fact that a repeated ingest finds again keeps its id, so it stands once in the store; the process log, which
    forgets, is told it by every run that finds it. `masks` hide secrets from both alike.
    """

    def __init__(self, store: Store, run_id: str, masks: Masks | None = None) -> None:
        self._store, self.run_id, self._masks = store, run_id, masks or Masks()
        self._told: Counter[tuple[str, str, str]] = Counter()
        self._entries: list[LogEntry] = []
        self._sequence = 0
        self._lock = RLock()

    def event(self, type: str, msg: str, **context: Any) -> None:  # noqa: A002 - the collection's field name
        """Something that this run did."""
        with self._lock:
            self._sequence += 1
            self._add(f"{self.run_id}:{self._sequence:06d}", type, msg, context)

    def rejection(self, rejection: Rejection, etag: str) -> None:
        """A refused row; the same row of the same content is logged once, however often it is read."""
        context = {
            name: value
            for name in ("object", "line", "sheet", "row", "column", "value", "reason", "station_id", "rows")
            if (value := getattr(rejection, name)) is not None
        }
        if rejection.instant is not None:
            context["instant"] = iso(rejection.instant)
        if rejection.day is not None:
            context["day"] = rejection.day.isoformat()
        place = (rejection.object, etag, rejection.line, rejection.sheet, rejection.row, rejection.column)
        kind = (rejection.object, rejection.column or "", rejection.reason)
        with self._lock:
            self._told[kind] += 1
            shown = self._told[kind] <= TOLD_OF_A_KIND
        log_id = fact_id("rejection", *place, rejection.reason)
        self._add(log_id, "error", f"rejected: {rejection}", context, shown=shown)

    def note(self, note: Note, etag: str) -> None:
        """An assumption or an oddity of an object; logged once for the same content."""
        self._add(
            fact_id("note", note.msg, etag, *sorted(note.context.items())), note.type, note.msg, dict(note.context)
        )

    def count_rest(self, key: str | None = None) -> None:
        """Tell the process log how many rejections of an object (None: of any) it was not shown."""
        with self._lock:
            ended = {kind: number for kind, number in self._told.items() if key in (None, kind[0])}
            for kind in ended:
                del self._told[kind]
        for (name, column, reason), number in ended.items():
            if (rest := number - TOLD_OF_A_KIND) > 0:
                place = f"{name}, column {column}" if column else name
                told = f"rejected: {place}: {rest} more like these: {reason} — `barograph logs` has them all"
                self.tell("error", told, object=name, **({"column": column} if column else {}), left_out=rest)

    def tell(self, type: str, msg: str, **context: Any) -> None:  # noqa: A002
        """Something for the process log alone: what the store has in another form, or cannot be told."""
        emit(type, self._masks.text(msg), context=self._masks.value({"run_id": self.run_id, **context}))

    def _add(self, log_id: str, type: str, msg: str, context: dict[str, Any], *, shown: bool = True) -> None:  # noqa: A002
        moment: datetime = utc_now()
        msg, context = self._masks.text(msg), {"run_id": self.run_id, **self._masks.value(context)}
        if shown:
            # Before the store, which may not answer.
            emit(type, msg, moment=moment, log_id=log_id, context=context)
        with self._lock:
            self._entries.append(LogEntry(log_id, moment, type, msg, context))
            if len(self._entries) >= _BATCH:
                self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        with self._lock:
            if self._entries:
                self._store.put_logs(self._entries)
                self._entries = []
