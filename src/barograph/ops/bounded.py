"""Several questions at once, none of which may keep the others waiting for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from barograph.errors import BarographError

T = TypeVar("T")


class _Asked(Generic[T]):
    """A question under way in a thread that does not keep the process alive: a resolver, say, cannot be interrupted."""

    def __init__(self, name: str, call: Callable[[], T]) -> None:
        self._call = call
        self.value: T | None = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"ask {name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.value = self._call()
        except Exception as error:  # noqa: BLE001 - raised again, in the thread that asked
            self.error = error

    def done(self, seconds: float) -> bool:
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()


def at_once(calls: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T | BarographError]:
    """The answer to each question, or its BarographError; also for one that has none after so many seconds.

    Any other exception is a fault of ours and is raised.
    """
    asked = {name: _Asked(name, call) for name, call in calls.items()}
    deadline = time.monotonic() + seconds
    answers: dict[str, T | BarographError] = {}
    for name, one in asked.items():
        if not one.done(deadline - time.monotonic()):
            answers[name] = BarographError(f"no answer within {seconds:g} s", where=name, hint="is it reachable?")
        elif isinstance(one.error, BarographError):
            answers[name] = one.error
        elif one.error is not None:
            raise one.error
        else:
            answers[name] = one.value  # type: ignore[assignment]
    return answers
