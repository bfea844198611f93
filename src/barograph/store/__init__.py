"""The store: station-days in SQLite or MongoDB behind one protocol.

`open_store` picks the engine by the URL's scheme and imports only that one; `open_reader` opens it for reading only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from barograph.errors import ConfigError

if TYPE_CHECKING:
    from barograph.store.base import Store, StoreReader
    from barograph.store.mongo import MongoStore
    from barograph.store.sqlite import SqliteStore

__all__ = ["DEFAULT_DATABASE", "open_reader", "open_store", "redact"]

DEFAULT_DATABASE: Final = "meteo"
"""The MongoDB database when the URI's path names none."""

HINT: Final = "use sqlite:///file.db, sqlite:////absolute/file.db, mongodb://host,…/name or mongodb+srv://host/name"

_SECRET_OPTIONS: Final = re.compile(r"(?i)([?&;](?:authMechanismProperties|[^=&;]*password[^=&;]*)=)[^&;]*")


def open_store(url: str, *, patience: float | None = None) -> Store:
    """The store at `url`. SQLite opens (and creates) its file; MongoDB connects at the first call.

    `patience` (seconds; None: the engine's own) is how long a call may wait for a server or a lock.

    Raises ConfigError for a URL of another kind, StoreError when the engine refuses it.
    """
    return _open(url, patience, reading=False)


def open_reader(url: str, *, patience: float | None = None) -> StoreReader:
    """As `open_store`, for reading only: MongoDB is asked where the URI's readPreference says, and need not be whole.

    With `readPreference=secondaryPreferred` in the URI a set without a primary still answers.
    """
    return _open(url, patience, reading=True)


def _open(url: str, patience: float | None, *, reading: bool) -> SqliteStore | MongoStore:
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        if not rest.startswith("/") or rest == "/" or rest.endswith("/") or rest == "/:memory:":
            raise ConfigError("a sqlite URL needs the path of a file", where=f"store {redact(url)}", hint=HINT)
        from barograph.store.sqlite import SqliteStore

        return SqliteStore(Path(rest[1:])) if patience is None else SqliteStore(Path(rest[1:]), patience=patience)
    if separator and scheme in ("mongodb", "mongodb+srv"):
        from barograph.store.mongo import MongoStore

        if patience is None:
            return MongoStore(url, reading=reading)
        return MongoStore(url, patience=patience, reading=reading)
    raise ConfigError("not a store's URL", where=f"store {redact(url)}", hint=HINT)


def redact(url: str) -> str:
    """`url` without secrets: the password and any option that may carry a password or a token become `***`.

    An unescaped `@`, `/` or `?` inside a password is the commonest mistake in a URI, so everything from the first
    colon after the scheme to the last `@` counts as password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    user_info, at, hosts = rest.rpartition("@")
    user, colon, _ = user_info.partition(":")
    shown = f"{user}{':***' if colon else ''}@{hosts}" if at else rest
    return f"{scheme}://" + _SECRET_OPTIONS.sub(r"\1***", shown)
