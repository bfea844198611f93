"""Backups of a store: taken, listed, verified, restored, drilled, pruned; in a folder or in S3.

<place>/<backup id>/manifest.json               written last: a backup without it is not whole
<place>/<backup id>/<collection>-00000.bson.zst BSON documents, one after the other, as mongorestore reads them
<place>/<backup id>/drill.json                  what the last drill found
"""

from barograph.ops.backup.catalogue import Backups, Listed, open_backups
from barograph.ops.backup.create import create
from barograph.ops.backup.drill import Drill, drill
from barograph.ops.backup.manifest import Manifest
from barograph.ops.backup.prune import prune
from barograph.ops.backup.restore import Restored, restore, restore_part
from barograph.ops.backup.verify import verify

__all__ = [
    "Backups",
    "Drill",
    "Listed",
    "Manifest",
    "Restored",
    "create",
    "drill",
    "open_backups",
    "prune",
    "restore",
    "restore_part",
    "verify",
]
