"""The state of each connection, for the commands that list them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barograph.faces.cli.command import App
    from barograph.query.history import History
    from barograph.query.overview import ConnectionRow


def connection_rows(app: App, now: datetime, tags: Collection[str] = ()) -> list[ConnectionRow]:
    """The configured connections that have all the tags, in the file's order."""
    from barograph.query.history import histories
    from barograph.query.overview import rows_of

    found: dict[str, History] = {}
    if app.has_store():
        with app.store() as store:
            found = histories(store, app.settings.connections, now)
    return [row for row in rows_of(app.settings, found, now) if set(tags) <= set(row.connection.tags)]
