"""`backup`: take, list, verify, restore, drill and prune backups of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from barograph.faces.cli.command import App, group, json_option, pass_app
from barograph.faces.cli.complete import stations_option

if TYPE_CHECKING:
    from barograph.ops.backup import Backups
    from barograph.pipeline import Progress
    from barograph.store.base import Store

_AnyCallable = TypeVar("_AnyCallable", bound=Callable[..., Any])

DAY: Final = click.DateTime(["%Y-%m-%d"])


@group(
    "backup",
    examples=[
        ("barograph backup create", "after the nightly job"),
        ("barograph backup drill", "whether the newest one can be restored"),
        ("barograph backup restore", "the newest one, into an empty store"),
    ],
)
def backup() -> None:
    """Take backups, prove them, and bring them back.

    A backup holds every station, report, ledger entry, log entry and run of a store, whatever its engine, packed with
    zstd, with SHA-256 digests of each part, each collection and the logical content; one of SQLite can be restored into
    MongoDB and back. It lies in a folder or in S3: [backup] url, BAROGRAPH_BACKUPS or --backups, else the folder
    `backups` in the data folder. It is not encrypted: let the bucket do that. The landing zone is not part of it.
    """


def _place(function: _AnyCallable) -> _AnyCallable:
    """`--backups URL` as `place`."""
    option = click.option("--backups", "place", metavar="URL", help="Where backups are: a folder or s3://bucket/path.")
    return option(function)


def _which(function: _AnyCallable) -> _AnyCallable:
    """The id of a backup as `backup_id`; without one the newest."""
    return click.argument("backup_id", metavar="[BACKUP]", required=False)(function)


def _backups(app: App, place: str | None) -> Backups:
    from barograph.ops.backup import open_backups

    return open_backups(place or app.settings.backup_url)


@contextmanager
def _working(app: App) -> Iterator[tuple[Store, Progress]]:
    """The store, with the job's patience, and progress on stderr."""
    from barograph.faces.cli.progress import open_progress
    from barograph.wiring import opened_writer

    with open_progress(quiet=app.logs) as progress, opened_writer(app.settings) as store:
        yield store, progress


@backup.part(
    "create",
    examples=[
        ("barograph backup create", "where the configuration says"),
        ("barograph backup create --backups s3://meteo-backups/nightly", "in S3"),
    ],
)
@_place
@json_option
@pass_app
def create(app: App, *, place: str | None, as_json: bool) -> None:
    """Take a backup of the whole store.

    SQLite is read in one transaction. MongoDB is read from the primary while others may write: where a run did, the
    backup says so, and is a state that a killed run could have left, which the next run completes. Taken after the
    nightly job it is just what that run left, and names the run.
    """
    from barograph.faces.cli import render
    from barograph.faces.cli.backup_report import show_backup
    from barograph.ops import backup as ops

    with app.store(), _working(app) as (store, progress):
        made = ops.create(store, _backups(app, place), progress)
    if as_json:
        render.json(made.as_dict())
        return
    show_backup(made)


@backup.part("list", examples=[("barograph backup list", "newest first")])
@_place
@json_option
@pass_app
def list_backups(app: App, *, place: str | None, as_json: bool) -> None:
    """List the backups, newest first.

    Each with the run after which it was taken, what it holds, its size, and when it was last restored for a drill.
    One without a manifest is being made, or was broken off.
    """
    from barograph.faces.cli import render
    from barograph.faces.cli.backup_report import show_list

    backups = _backups(app, place)
    found = backups.listed()
    if as_json:
        render.json([item.as_dict() for item in found])
        return
    show_list(found)
    if not found:
        click.echo(f"no backups in {backups.url}: `barograph backup create` makes one", err=True)


@backup.part(
    "verify",
    examples=[
        ("barograph backup verify", "the newest"),
        ("barograph backup verify 20241008T000512345Z", "one"),
    ],
)
@_which
@_place
@json_option
@pass_app
def verify(app: App, *, backup_id: str | None, place: str | None, as_json: bool) -> None:
    """Read a whole backup and hold it against its manifest.

    Every part, every document and every digest: a flipped byte, a missing or a shortened part is found. Without an id
    the newest backup. Nothing is restored; `barograph backup drill` does that.
    """
    from barograph.faces.cli import render
    from barograph.faces.cli.backup_report import show_backup
    from barograph.faces.cli.progress import open_progress
    from barograph.ops import backup as ops

    backups = _backups(app, place)
    with open_progress(quiet=app.logs) as progress:
        made = ops.verify(backups, backups.choose(backup_id), progress)
    if as_json:
        render.json(made.as_dict())
        return
    show_backup(made)
    render.say(render.Cell("whole: every digest is that of the manifest", render.GOOD))


@backup.part(
    "restore",
    examples=[
        ("barograph backup restore", "the newest, into an empty store"),
        ("barograph backup restore 20241008T000512345Z --force", "one, in the place of what is there"),
        ("barograph backup restore --station IICHTE19 --from 2024-10-01 --to 2024-10-07", "a station's week"),
    ],
)
@_which
@stations_option
@click.option("--from", "first", metavar="DAY", type=DAY, help="Only station-days from this UTC day on.")
@click.option("--to", "last", metavar="DAY", type=DAY, help="Only station-days up to this UTC day, included.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@_place
@json_option
@pass_app
def restore(
    app: App,
    *,
    backup_id: str | None,
    stations: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    force: bool,
    place: str | None,
    as_json: bool,
) -> None:
    """Bring a backup back into the store, and prove it.

    The whole backup is verified before anything is touched. A store that holds something is refused without --force.
    Collections, validators and indexes come back as they were, then every document is read again and compared. Killed
    half-way, SQLite is as before; MongoDB is marked, no other command reads or writes it, and the next restore clears
    it and begins anew. With --station, --from or --to only those station-days come back, among the others; the ledger
    stays, so that `barograph verify` tells how they stand to the landing zone.
    """
    from barograph.faces.cli import render
    from barograph.ops import backup as ops

    backups = _backups(app, place)
    chosen = backups.choose(backup_id)
    with _working(app) as (store, progress):
        if stations or first or last:
            days = {"first": first and first.date(), "last": last and last.date()}
            done = ops.restore_part(store, backups, chosen, stations=stations, **days, force=force, progress=progress)
        else:
            done = ops.restore(store, backups, chosen, force=force, progress=progress)
        url = store.url
    if as_json:
        told = {"backup_id": chosen, "store": url, "written": done.written, "unchanged": done.unchanged}
        render.json({**told, "content": done.manifest.as_dict()["content"]})
        return
    render.say(render.Cell(f"backup {chosen}", render.STRONG), f" restored into {url}")
    same = f", {done.unchanged:,} were as in the backup" if done.unchanged else ""
    render.say(f"{render.count(done.written, 'station-day')} written{same}")
    if not (stations or first or last):
        render.say(render.Cell("every document, validator and index is that of the backup", render.GOOD))


@backup.part(
    "drill",
    examples=[
        ("barograph backup drill", "the newest, beside the live store"),
        ("barograph backup drill --scratch sqlite:////var/tmp/drill.db", "into an empty store of your choice"),
    ],
)
@_which
@click.option("--scratch", metavar="URL", help="An empty store to restore into; default one beside the live one.")
@_place
@json_option
@pass_app
def drill(app: App, *, backup_id: str | None, scratch: str | None, place: str | None, as_json: bool) -> None:
    """Restore the newest backup into a scratch database, compare the content, and remove it again.

    The only proof that a backup can be restored is to restore it. The outcome is kept beside the backup and shown by
    `barograph backup list`. The live store is only read: whether it still holds what was backed up is told, too. In
    MongoDB the scratch database is `<database>_drill_…`, which the user must be allowed to make; else name --scratch.
    """
    from barograph.faces.cli import render
    from barograph.ops import backup as ops

    backups = _backups(app, place)
    with app.store(), _working(app) as (store, progress):
        found = ops.drill(store, backups, backups.choose(backup_id), scratch=scratch, progress=progress)
    if as_json:
        told = {"backup_id": found.manifest.backup_id, "into": found.into, "seconds": found.seconds}
        render.json({**told, "content": found.manifest.as_dict()["content"], "current": found.current})
        return
    reports = render.count(found.restored.reports, "report")
    render.say(render.Cell(f"backup {found.manifest.backup_id} can be restored", render.GOOD))
    render.say(f"{reports} restored into {found.into} and compared in {found.seconds:.1f} s; the scratch is removed")
    if found.current:
        render.say("the live store holds the same content")
    else:
        render.say(f"the live store has gone on: {render.count(found.live.reports, 'report')} now")


@backup.part(
    "prune",
    examples=[
        ("barograph backup prune --dry-run", "which would go"),
        ("barograph backup prune --daily 14", "two weeks of days, and the weeks and months of the configuration"),
    ],
)
@click.option("--daily", metavar="N", type=click.IntRange(min=0), help="Over [backup] keep_daily.")
@click.option("--weekly", metavar="N", type=click.IntRange(min=0), help="Over [backup] keep_weekly.")
@click.option("--monthly", metavar="N", type=click.IntRange(min=0), help="Over [backup] keep_monthly.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@_place
@json_option
@pass_app
def prune(
    app: App,
    *,
    daily: int | None,
    weekly: int | None,
    monthly: int | None,
    dry_run: bool,
    place: str | None,
    as_json: bool,
) -> None:
    """Remove old backups.

    Kept is the newest backup of each of the last days, ISO weeks and months (UTC) that have one, and in any case the
    newest of all. A backup that was broken off more than a day ago goes, too.
    """
    from dataclasses import replace

    from barograph.faces.cli import render
    from barograph.ops import backup as ops

    given = {"daily": daily, "weekly": weekly, "monthly": monthly}
    retention = replace(app.settings.retention, **{name: n for name, n in given.items() if n is not None})
    removed, kept = ops.prune(_backups(app, place), retention, dry_run=dry_run)
    if as_json:
        render.json({"removed": removed, "kept": kept, "dry_run": dry_run})
        return
    for name in removed:
        render.say("to remove: " if dry_run else "removed: ", name)
    render.say(f"{render.count(len(kept), 'backup')} kept")
