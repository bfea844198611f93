"""Working one item ahead: a generator that runs in a thread of its own while its items are used."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from queue import Full, Queue
from typing import TypeVar

T = TypeVar("T")


class _End:
    """What the thread says last: why it ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def ahead(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """The same items in the same order, at most one of them made in advance; an error comes where it would have.

    Leaving the block early stops the thread after the item at hand; the block never leaves a thread behind.
    """
    queue: Queue[T | _End] = Queue(maxsize=1)
    stopped = threading.Event()

    def put(entry: T | _End) -> bool:
        while not stopped.is_set():
            try:
                queue.put(entry, timeout=0.1)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End(None))
        except BaseException as error:  # noqa: BLE001 - carried over to the user of the items, whatever it is
            put(_End(error))

    def take() -> Generator[T, None, None]:
        while True:
            entry = queue.get()
            if isinstance(entry, _End):
                if entry.error is not None:
                    raise entry.error
                return
            yield entry

    thread = threading.Thread(target=work, name="barograph-ahead", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        thread.join()
