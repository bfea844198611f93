"""Several tasks at once in threads that never keep the process from ending."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from threading import Event, Semaphore

T = TypeVar("T")

GRACE: Final = 5.0
"""Seconds that tasks under way get to end when they are asked to stop; a server may keep one waiting for longer."""
_LOOK: Final = 0.1
"""Seconds between two looks whether to stop."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """How a task ended: with a value or with an exception."""

    value: T | None = None
    error: Exception | None = None


def run_all(
    tasks: Sequence[Callable[[], T]],
    *,
    concurrency: int,
    stop: Event,
    slots: Semaphore | None = None,
    grace: float = GRACE,
) -> list[Done[T] | None]:
    """Run all, `concurrency` at a time, and say how each ended, in their order.

    Once `stop` is set none is begun: such a task gives None, and so does one that has not ended `grace` seconds later,
    which is left to itself. `slots` are shared with other callers: a task takes one while it runs. An exception in the
    waiting thread (Ctrl-C) sets `stop` and is raised after the same grace.
    """
    work = _Work(tasks, stop, slots)
    workers = [threading.Thread(target=work.run, daemon=True) for _ in range(min(concurrency, len(tasks)))]
    for worker in workers:
        worker.start()
    try:
        while not stop.is_set() and any(worker.is_alive() for worker in workers):
            _join(workers, _LOOK)
    except BaseException:
        stop.set()
        _join(workers, grace)
        raise
    if stop.is_set():
        _join(workers, grace)
    return list(work.ended)


class _Work(Generic[T]):
    """The tasks that are left, and how the others ended."""

    def __init__(self, tasks: Sequence[Callable[[], T]], stop: Event, slots: Semaphore | None) -> None:
        self._stop, self._slots = stop, slots
        self._left = list(enumerate(tasks))[::-1]
        self._lock = threading.Lock()
        self.ended: list[Done[T] | None] = [None] * len(tasks)

    def run(self) -> None:
        """Take one after the other; what a worker thread does."""
        while self._admitted():
            try:
                with self._lock:
                    if not self._left or self._stop.is_set():
                        return
                    place, task = self._left.pop()
                self.ended[place] = _ended(task)
            finally:
                if self._slots is not None:
                    self._slots.release()

    def _admitted(self) -> bool:
        """Wait for a slot; False where there is nothing left to do."""
        while self._left and not self._stop.is_set():
            if self._slots is None or self._slots.acquire(timeout=_LOOK):
                return True
        return False


def _ended(task: Callable[[], T]) -> Done[T]:
    try:
        return Done(task())
    except Exception as error:  # noqa: BLE001 - told to the caller, who raises it when the others have ended
        return Done(error=error)


def _join(workers: Sequence[threading.Thread], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
