"""The scheduler: syncs connections when they are due, in the foreground, and ingests what they landed.

APScheduler keeps the time. A due connection goes to a run of its own, together with those that are due in the same
moment; runs go on beside each other, their ingests take turns. What was missed while nobody ran is told by the store's
history, and is made up for once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from apscheduler.executors.debug import DebugExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from barograph.config import Schedule, Settings
from barograph.errors import BarographError
from barograph.model import RunReport, utc_now
from barograph.pipeline.job import Job, run
from barograph.pipeline.told import told_run, told_sync
from barograph.query.history import histories

TICK: Final = 0.25
"""Seconds between two looks at the clock, the configuration and whether to stop."""
GRACE: Final = 10.0
"""Seconds that runs under way get to end."""
BEAT: Final = 5.0
"""Seconds between two signs of life."""
SILENT: Final = 60.0
"""Seconds without one, after which a scheduler is taken to be stuck: its loop waits for nothing."""
RETRY: Final = 60.0
"""Seconds until the history is asked for again, after the store did not answer."""


class DueTrigger(BaseTrigger):  # type: ignore[misc]
    """APScheduler's view of a `Schedule`: however many due times have passed, one is made up for."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The first due time behind both."""
        return self._schedule.next_after(now if previous is None else max(previous, now))


def scheduled(settings: Settings) -> dict[str, Schedule]:
    """The schedules of the enabled connections that have one."""
    found = {c.name: settings.schedule(c) for c in settings.connections.values() if c.enabled}
    return {name: schedule for name, schedule in found.items() if schedule is not None}


def overdue(job: Job, schedules: Mapping[str, Schedule], now: datetime) -> list[str]:
    """The connections for which a due time has passed since their last sync began; those never synced are."""
    past = histories(job.store, schedules, now)
    return [
        name
        for name, schedule in schedules.items()
        if (last := past[name].attempted) is None or schedule.next_after(last) <= now
    ]


@dataclass
class Scheduler:
    """`load` reads the configuration anew, `open_job` opens what it names, `say` tells one event.

    `watched` is the configuration's file: when it changes it is read again, and a broken one changes nothing.
    """

    load: Callable[[], Settings]
    open_job: Callable[[Settings], AbstractContextManager[Job]]
    say: Callable[[str], None]
    watched: Path | None = None
    now: Callable[[], datetime] = utc_now
    complain: Callable[[str], None] | None = None
    """Tells what went wrong; None: as `say`."""
    beat: Callable[[], None] | None = None
    """Called every BEAT seconds by the loop that finds what is due."""
    asked_to_stop: bool = False
    """Set by `stop`; a plain flag, because a signal's handler may take no lock."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _ingesting: threading.Lock = field(default_factory=threading.Lock)
    _due: SimpleQueue[str] = field(default_factory=SimpleQueue)
    _busy: set[str] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _plan: dict[str, Schedule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wrong = self.complain or self.say

    def stop(self) -> None:
        """Ask `run` to end; may be called from a signal's handler."""
        self.asked_to_stop = True

    def run(self) -> bool:
        """Work until asked to stop. Whether everything under way has ended; what has not is safe to be killed."""
        self._settings, self._seen = self.load(), self._signature()
        self._slots = threading.Semaphore(self._settings.concurrency)
        # In the timer's own thread: all that a due job does is to be put into the queue.
        self._timer = BackgroundScheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._timer.start()
        try:
            self._replan()
            if not self._plan:
                self.say("nothing is scheduled: no enabled connection has a schedule; waiting for the configuration")
            heard = -BEAT
            while not self.asked_to_stop:
                time.sleep(TICK)
                if self.beat is not None and time.monotonic() - heard >= BEAT:
                    self.beat()
                    heard = time.monotonic()
                # A clock that was set, or a machine that slept, is noticed at once.
                self._timer.wakeup()
                self._reread()
                self._start(self._take_due())
        finally:
            self._stop.set()
            self._timer.shutdown(wait=False)
        return self._end()

    def once(self) -> RunReport | None:
        """Run what is due now, and return; None where nothing is."""
        settings = self.load()
        with self.open_job(settings) as job:
            names = overdue(job, scheduled(settings), self.now())
            if not names:
                self.say("nothing is due")
                return None
            self.say(f"due: {', '.join(names)}")
            report = run(replace(job, stop=self._stop), names)
        self._tell(report)
        return report

    def _replan(self) -> None:
        """Follow the settings; what is new, or has another schedule, may be overdue."""
        wanted = scheduled(self._settings)
        for name in self._plan.keys() - wanted.keys():
            self._timer.remove_job(name)
            self.say(f"{name}: no longer scheduled")
        changed = {name: schedule for name, schedule in wanted.items() if self._plan.get(name) != schedule}
        for name, schedule in changed.items():
            self._timer.add_job(self._due.put, DueTrigger(schedule), [name], id=name, replace_existing=True)
            following = schedule.next_after(self.now())
            self.say(f"{name}: {schedule.text} ({schedule.timezone}), next {following:%Y-%m-%d %H:%MZ}")
        self._plan = wanted
        if changed:
            self._spawn(self._catch_up, changed)

    def _catch_up(self, schedules: Mapping[str, Schedule]) -> None:
        """Find what is overdue, as soon as the store answers."""
        while not self._stop.is_set():
            try:
                with self.open_job(self._settings) as job:
                    names = overdue(job, schedules, self.now())
            except BarographError as error:
                self._wrong(f"what is overdue is not known yet: {error}")
                self._stop.wait(RETRY)
                continue
            self.say(f"overdue: {', '.join(names) or 'nothing'}")
            for name in names:
                self._due.put(name)
            return

    def _signature(self) -> tuple[int, int, int] | None:
        if self.watched is None:
            return None
        try:
            found = self.watched.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _reread(self) -> None:
        """Read the configuration again, if its file has changed."""
        if (seen := self._signature()) == self._seen:
            return
        self._seen = seen
        try:
            settings = self.load()
        except BarographError as error:
            self._wrong(f"the configuration cannot be used, the former one stands: {error}")
            return
        self.say("the configuration was read again")
        if settings.concurrency != self._settings.concurrency:
            self._slots = threading.Semaphore(settings.concurrency)
        self._settings = settings
        self._replan()

    def _take_due(self) -> list[str]:
        """What came into the queue, each once, and is still scheduled."""
        found: dict[str, None] = {}
        try:
            while True:
                found[self._due.get_nowait()] = None
        except Empty:
            return [name for name in found if name in self._plan]

    def _start(self, names: Sequence[str]) -> None:
        """One run for all that are due in the same moment."""
        for name in names:
            if name in self._busy:
                self.say(f"{name}: due, but still under way; this time is left out")
        free = [name for name in names if name not in self._busy]
        if free:
            self._busy |= set(free)
            self.say(f"due: {', '.join(free)}")
            self._spawn(self._work, free, self._settings)

    def _work(self, names: Sequence[str], settings: Settings) -> None:
        """A run; whatever becomes of it, the scheduler goes on."""
        report: RunReport | None = None
        failure = ""
        try:
            with self.open_job(settings) as job:
                shared = replace(job, stop=self._stop, slots=self._slots, ingesting=self._ingesting)
                report = run(shared, names)
        except BarographError as error:
            failure = str(error)
        except Exception as error:  # noqa: BLE001 - a fault of one run must not end the others
            failure = f"internal error: {type(error).__name__}: {error}"
        finally:
            self._busy -= set(names)
        # Told when it is over: who hears of it may rely on the next time being taken.
        if report is not None:
            self._tell(report)
        if failure:
            self._wrong(f"the run of {', '.join(names)} failed: {failure}")

    def _tell(self, report: RunReport) -> None:
        for sync in report.connections:
            self.say(told_sync(sync))
        self.say(told_run(report))

    def _spawn(self, work: Callable[..., None], *arguments: Any) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _end(self) -> bool:
        deadline = time.monotonic() + GRACE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
