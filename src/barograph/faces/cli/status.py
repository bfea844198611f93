"""One screen about the whole: the last run, the connections, the stations, what is wrong and what mends it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from barograph.faces.cli.command import App, command, json_option, pass_app
from barograph.model import iso, utc_now

if TYPE_CHECKING:
    from barograph.faces.cli.overview import ConnectionRow
    from barograph.query.history import History
    from barograph.store.base import StoredStation

SHOWN_FAILED: Final = 10
EXIT_CODES: Final = {"ok": 0, "failed": 1, "attention": 3}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, and the command that mends it or tells more."""

    what: str
    command: str


@dataclass(slots=True)
class Status:
    """What was found. result: ok, attention (something is wrong), failed (the last run did nothing)."""

    now: datetime
    store: str
    landing: str
    last_run: dict[str, Any] | None = None
    connections: list[ConnectionRow] = field(default_factory=list)
    stations: list[StoredStation] = field(default_factory=list)
    failed_objects: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def result(self) -> str:
        """The verdict in a word."""
        if self.last_run is not None and self.last_run["status"] == "failed":
            return "failed"
        return "attention" if self.problems else "ok"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "result": self.result,
            "store": self.store,
            "landing": self.landing,
            "last_run": self.last_run,
            "connections": [row.as_dict() for row in self.connections],
            "stations": [
                {
                    "station_id": item.station.station_id,
                    "reports": item.summary.count,
                    "last": None if item.summary.last is None else iso(item.summary.last),
                    "age_hours": None
                    if item.summary.last is None
                    else round((self.now - item.summary.last) / timedelta(hours=1), 1),
                }
                for item in self.stations
            ],
            "failed_objects": self.failed_objects,
            "problems": [asdict(problem) for problem in self.problems],
        }


@command(
    "status",
    examples=[
        ("barograph status", "one screen"),
        ("barograph status --max-age 36", "and every station must have reported within 36 hours"),
        ("barograph status --json | jq -r '.problems[].command'", "what mends it, for a script"),
    ],
)
@click.option("--max-age", metavar="HOURS", type=click.FloatRange(min=0), help="A station's last report may be so old.")
@json_option
@pass_app
def status(app: App, *, max_age: float | None, as_json: bool) -> None:
    """Tell what is wrong, if anything, and what mends it.

    The last run and its result, the state of each connection, how fresh each station's record is, and the objects that
    could not be read. A connection with a schedule is late when its last sync is older than that allows: `daily`, 26
    hours; a cron expression, when a due time has passed by one interval (10 minutes at least, two hours at most).

    Exits with 0 when all is well, 3 when something needs attention, 1 when the last run failed altogether.
    """
    from barograph.faces.cli import render

    found = collect(app, max_age)
    if as_json:
        render.json(found.as_dict())
    else:
        show(found)
    if code := EXIT_CODES[found.result]:
        raise click.exceptions.Exit(code)


def collect(app: App, max_age: float | None = None) -> Status:
    """Look at the configuration and the store."""
    from barograph.faces.cli.overview import rows_of
    from barograph.query import Query
    from barograph.query.history import histories
    from barograph.store import redact

    settings = app.settings
    found = Status(utc_now(), redact(settings.store_url), settings.landing_url)
    syncs: dict[str, History] = {}
    if app.has_store():
        with app.store() as store:
            found.store = store.url
            found.last_run = next(iter(store.runs(1)), None)
            found.stations = Query(store).stations()
            found.failed_objects = {
                key: entry.error or "" for key, entry in store.objects().items() if entry.status == "failed"
            }
            syncs = histories(store, settings.connections, found.now)
    found.connections = rows_of(settings, syncs, found.now)
    found.problems = [*_run_problems(found, app.prefix), *_connection_problems(found, app.prefix)]
    found.problems += _record_problems(found, app.prefix, None if max_age is None else timedelta(hours=max_age))
    return found


def _run_problems(found: Status, prefix: str) -> list[Problem]:
    run = found.last_run
    if run is None:
        return [Problem("no run yet", f"{prefix} run")]
    if not run["rejections_total"] or run["status"] == "done":
        return []
    rows, entries = run["reports"]["rejected"], run["rejections_total"]
    what = f"{rows:,} row{'s' * (rows != 1)}" if rows else "values"
    told = f"the last run rejected {what} ({entries:,} entr{'y' if entries == 1 else 'ies'} in the log)"
    # What an earlier run has logged of the same content stands under that run.
    only = "" if run["command"] == "rebuild" else " --run last"
    return [Problem(told, f"{prefix} logs --type error{only} --limit 0")]


def _connection_problems(found: Status, prefix: str) -> list[Problem]:
    problems = []
    for row in found.connections:
        again = f"{prefix} run {row.name}"
        if not row.enabled:
            continue
        if row.state == "failed":
            problems.append(Problem(f"connection {row.name} failed: {row.error}", again))
        elif row.last is None:
            if found.last_run is not None:
                problems.append(Problem(f"connection {row.name} was never synced", again))
        elif row.schedule is not None and found.now > row.schedule.late_after(row.last.started):
            problems.append(Problem(f"connection {row.name} is late: {_late(row, found.now)}", again))
    return problems


def _late(row: ConnectionRow, now: datetime) -> str:
    from barograph.faces.cli.render import age

    frequency = row.connection.schedule
    told = frequency if frequency == "daily" else f"scheduled as {frequency!r}"
    return f"it is {told}, and its last sync was {age(row.last_sync or now, now)}"


def _record_problems(found: Status, prefix: str, limit: timedelta | None) -> list[Problem]:
    problems = []
    if found.failed_objects:
        count = len(found.failed_objects)
        problems.append(Problem(f"{count} landed object{'s' * (count > 1)} cannot be read", f"{prefix} ingest"))
    for item in found.stations:
        station, last = item.station.station_id, item.summary.last
        if last is None:
            problems.append(Problem(f"station {station} has no reports", f"{prefix} connections"))
        elif limit is not None and found.now - last > limit:
            hours = (found.now - last) / timedelta(hours=1)
            problems.append(Problem(f"station {station}: the last report is {hours:,.0f} h old", f"{prefix} run"))
    return problems


def show(found: Status) -> None:
    """The screen."""
    from barograph.faces.cli import render
    from barograph.faces.cli.render import BAD, GOOD, ODD, QUIET, STRONG, Cell, Column
    from barograph.faces.cli.report import state

    word, colour = {"ok": ("all is well", GOOD), "attention": ("needs attention", ODD), "failed": ("failed", BAD)}[
        found.result
    ]
    render.say(Cell(word, f"bold {colour}"))
    render.say("store     ", found.store)
    render.say("landing   ", found.landing)
    if (run := found.last_run) is not None:
        began, ended = (datetime.fromisoformat(run[key]) for key in ("started", "finished"))
        told = ", ".join(f"{run['reports'][name]:,} {name}" for name in ("new", "changed", "unchanged", "rejected"))
        render.say("last run  ", f"{run['command']} ", state(run["status"]), f", {render.age(ended, found.now)}")
        render.say(Cell(f"          {told}, {render.duration(ended - began)} (run {run['run_id']})", QUIET))
    if found.connections:
        render.heading("Connections")
        render.table(
            ["name", "state", "last sync", "", "health", "enabled"],
            [
                (
                    row.name,
                    state(row.state),
                    render.instant(row.last_sync),
                    "" if row.last_sync is None else render.age(row.last_sync, found.now),
                    state(row.history.health),
                    "yes" if row.enabled else Cell("no", QUIET),
                )
                for row in found.connections
            ],
        )
    if found.stations:
        render.heading("Stations")
        render.table(
            ["id", "name", Column("reports", right=True), "last report", ""],
            [
                (
                    item.station.station_id,
                    item.station.name or "",
                    render.number(item.summary.count),
                    render.instant(item.summary.last),
                    "" if item.summary.last is None else render.age(item.summary.last, found.now),
                )
                for item in found.stations
            ],
        )
    if found.failed_objects:
        render.heading(f"Failed objects ({len(found.failed_objects)})")
        for key, error in list(found.failed_objects.items())[:SHOWN_FAILED]:
            render.say(Cell(key, BAD), f": {error.removeprefix(f'{key}: ')}")
    if found.problems:
        render.heading("What is wrong, and what to do")
        for problem in found.problems:
            render.say(Cell("- ", STRONG), problem.what)
            render.command_line(f"    {problem.command}")
