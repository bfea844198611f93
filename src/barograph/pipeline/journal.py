"""What a run tells the `logs` collection, buffered and written in batches."""

from __future__ import annotations

from datetime import datetime
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from barograph.model import LogEntry, Note, Rejection, fact_id, iso, utc_now

if TYPE_CHECKING:
    from barograph.store.base import Store

_BATCH: Final = 1000


class Journal:
    """Collects log entries of one run, from any thread.

    A fact that a repeated ingest finds again keeps its id, so it stands once.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self.run_id = store, run_id
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
        self._add(fact_id("rejection", *place, rejection.reason), "error", f"rejected: {rejection}", context)

    def note(self, note: Note, etag: str) -> None:
        """An assumption or an oddity of an object; logged once for the same content."""
        self._add(
            fact_id("note", note.msg, etag, *sorted(note.context.items())), note.type, note.msg, dict(note.context)
        )

    def _add(self, log_id: str, type: str, msg: str, context: dict[str, Any]) -> None:  # noqa: A002
        moment: datetime = utc_now()
        with self._lock:
            self._entries.append(LogEntry(log_id, moment, type, msg, {"run_id": self.run_id, **context}))
            if len(self._entries) >= _BATCH:
                self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        with self._lock:
            if self._entries:
                self._store.put_logs(self._entries)
                self._entries = []
