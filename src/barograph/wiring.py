"""Settings -> an opened, closable application: the landing zone, the store, the job, the read side."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from barograph.landing import open_landing
from barograph.pipeline import Job, NoProgress, Progress
from barograph.store import open_reader, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barograph.config import Settings
    from barograph.store.base import Store, StoreReader


READ_PATIENCE: Final = 15.0
"""Seconds that a question waits for a server; the job, which nobody watches, waits for [store] patience."""


@contextmanager
def opened_store(settings: Settings, *, patience: float | None = READ_PATIENCE) -> Iterator[StoreReader]:
    """The store alone, for faces that only read."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with closing(open_reader(settings.store_url, patience=patience)) as store:
        yield store


@contextmanager
def opened_writer(settings: Settings) -> Iterator[Store]:
    """The store alone, for faces that write to it, with the job's patience."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with closing(open_store(settings.store_url, patience=settings.store_patience)) as store:
        yield store


@contextmanager
def opened_job(settings: Settings, progress: Progress | None = None) -> Iterator[Job]:
    """The landing zone and the store, for the job's commands."""
    with opened_writer(settings) as store:
        zone = open_landing(settings.landing_url, settings.landing_prefix)
        yield Job(settings, zone, store, progress or NoProgress())
