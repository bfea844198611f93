"""Sources that a test writes, and a job over them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from barograph.config import Connection, Settings
from barograph.landing import open_landing
from barograph.messages import Message, Record
from barograph.pipeline import Job
from barograph.sources import Access, ReadRequest
from barograph.store import open_store

Reader = Callable[[ReadRequest], Iterator[Message]]


@dataclass
class Network:
    """Sources that the tests write, by the connections' names, and what they saw."""

    readers: dict[str, Reader] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: int = 0
    most: int = 0
    files: int = 0

    def open(self, connection: Connection, _access: Access) -> Any:
        network = self

        class Source:
            spans = False

            def read(self, request: ReadRequest) -> Iterator[Message]:
                with network.counted():
                    yield from network.readers.get(connection.name, one_record)(request)

        return Source()

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            self.files = max(self.files, open_files())
        try:
            yield
        finally:
            with self.lock:
                self.under_way -= 1


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def one_record(request: ReadRequest) -> Iterator[Message]:
    time.sleep(0.002)
    yield Record({"Time": "00:04:00"})


@contextmanager
def job_of(folder: Path, *names: str, concurrency: int = 4) -> Iterator[Job]:
    """A job whose connections are all of a made-up kind."""
    connections = {name: Connection(name, "wunderground-table", "unused", name) for name in names}
    url = f"sqlite:///{folder / 'm.db'}"
    settings = Settings(folder, str(folder / "landing"), "p", url, connections=connections, concurrency=concurrency)
    with closing(open_store(url)) as store:
        yield Job(settings, open_landing(settings.landing_url, "p"), store)
