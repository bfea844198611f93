"""The version of the stored schema, the same number for both engines, and what is said when a database has another.

    1   stations, reports, objects, logs, runs
    2   the version stands in the database (MongoDB: `meta`; SQLite had user_version before), a restore leaves a mark
        there, and MongoDB's index of station-days carries their revision

A new database is made at the newest version. An older one can be read; nothing is written to it before `barograph
migrate` has brought it forward, step by step, each of which is idempotent and is marked when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from barograph.errors import SchemaError

VERSION: Final = 2

TITLES: Final[dict[int, str]] = {
    2: "the schema's version and unfinished restores stand in the database; the revision stands in the index of days"
}
"""Version -> what the step to it does."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database says of its schema.

    `version` is None for an empty database. `pending` are the steps that `migrate` would take; a database of the newest
    version may have some as well, where an index or a validator was removed by hand. `restoring` names the backup whose
    restore has not finished.
    """

    version: int | None
    pending: tuple[str, ...] = ()
    restoring: str | None = None


def refusal(version: int | None, restoring: str | None, *, where: str, writing: bool) -> SchemaError | None:
    """Why a database of this version may not be read, or written; None where it may."""
    if restoring is not None:
        return SchemaError(
            f"the restore of backup {restoring} into this database has not finished",
            where=where,
            hint=f"wait for it, or `barograph backup restore {restoring}` starts it anew",
        )
    if version is not None and version > VERSION:
        return SchemaError(
            f"its schema has version {version}, this barograph knows {VERSION}",
            where=where,
            hint="upgrade barograph, or use another store",
        )
    if writing and version is not None and version < VERSION:
        return SchemaError(
            f"its schema has version {version}, this barograph writes {VERSION}",
            where=where,
            hint="`barograph backup create`, then `barograph migrate` brings it forward; until then it can be read",
        )
    return None


def titles(version: int | None) -> tuple[str, ...]:
    """The steps from a version to the newest, as `2: what it does`."""
    if version is None:
        return ()
    return tuple(f"version {step}: {title}" for step, title in TITLES.items() if step > version)
