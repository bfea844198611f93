"""What the servers of the tests share: their own faults fail the test, while their clients may go when they like."""

from __future__ import annotations

import sys
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import Any, ClassVar


class FaultKeeper(ThreadingTCPServer):
    """A server, or one base of it beside another of the standard library's.

    `pardoned` are the exceptions of a client that gave up or was killed: its right, and often the test.
    """

    daemon_threads = True
    block_on_close = False
    pardoned: ClassVar[tuple[type[BaseException], ...]] = (ConnectionError,)

    def __init__(self, *args: Any) -> None:
        self.faults: list[BaseException] = []
        super().__init__(*args)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver passes them
        error = sys.exception()
        if error is not None and not isinstance(error, self.pardoned):
            self.faults.append(error)

    def end(self, thread: Thread) -> None:
        """Close the port, and wait for the thread that has served it."""
        self.shutdown()
        self.server_close()
        thread.join()

    def raise_fault(self) -> None:
        """Raise what went wrong inside, if anything did."""
        if self.faults:
            raise self.faults[0]
