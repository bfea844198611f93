"""Working one item ahead: a generator that runs in a thread of its own while its items are used."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import Full, Queue
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

T = TypeVar("T")
_POLL: Final = 0.1


class _End:
    """What the thread says last: why it ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Ahead(Generic[T]):
    """The same items in the same order, at most one of them made in advance; an error comes where it would have.

    Leaving the block early stops the thread after the item at hand; the block never leaves a thread behind.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self._queue: Queue[T | _End] = Queue(maxsize=1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="barograph-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while not isinstance(entry := self._queue.get(), _End):
            yield entry
        if entry.error is not None:
            raise entry.error

    def _work(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - carried over to the user of the items, whatever it is
            self._put(_End(error))
        else:
            self._put(_End(None))

    def _put(self, entry: T | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=_POLL)
            except Full:
                continue
            return True
        return False
