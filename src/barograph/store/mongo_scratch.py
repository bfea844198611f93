"""Scratch databases beside the one of the store, for restore drills: made, used, removed, swept when left behind."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pymongo.errors import OperationFailure

if TYPE_CHECKING:
    from barograph.store.mongo_client import MongoLink

UNAUTHORIZED: Final = 13
ABANDONED: Final = timedelta(days=1)
"""A scratch database older than this was left by a drill that died."""
_STAMP: Final = "%Y%m%dT%H%M%SZ"


def new_name(link: MongoLink) -> str:
    """A name for a scratch database, `<database>_drill_<instant>_…`."""
    return f"{_begin(link)}{datetime.now(UTC):{_STAMP}}_{secrets.token_hex(2)}"


def sweep(link: MongoLink) -> None:
    """Remove what drills left behind that died more than a day ago, where this user may list the databases."""
    try:
        names = link.client.list_database_names()
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return
    begin = _begin(link)
    for name in names:
        if name.startswith(begin) and _made_at(name[len(begin) :]) < datetime.now(UTC) - ABANDONED:
            drop(link, name)


def drop(link: MongoLink, name: str) -> None:
    """Remove a database (the driver's own method sends a field that DocumentDB does not know)."""
    link.client[name].command("dropDatabase")


def with_database(url: str, name: str) -> str:
    """The URI with another database; a user is still looked for where it was (authSource)."""
    rest = url.partition("://")[2]
    hosts = rest.partition("?")[0].partition("/")[0]
    former, options = urlsplit(url).path.strip("/"), url.partition("?")[2]
    if "@" in hosts and not any(word in options.lower() for word in ("authsource=", "authmechanism=")):
        options = "&".join(filter(None, (options, f"authSource={former or 'admin'}")))
    return f"{url.partition('://')[0]}://{hosts}/{name}" + (f"?{options}" if options else "")


def _begin(link: MongoLink) -> str:
    return f"{link.database.name}_drill_"


def _made_at(stamp: str) -> datetime:
    """When a scratch database was made, by its name; now where the name does not say so."""
    try:
        return datetime.strptime(stamp.partition("_")[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)
