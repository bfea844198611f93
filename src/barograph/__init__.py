"""barograph: a continuous, provable record of weather stations.

    import barograph

    with barograph.open("sqlite:///meteo.db") as record:
        frame = record.reports("IICHTE19", "2024-10-01")

Importing the package costs nothing: what a name needs is loaded when the name is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from barograph.errors import (
    BackupError,
    BackupUnavailable,
    BarographError,
    ClusterError,
    ConfigError,
    FormatError,
    LandingError,
    LandingUnavailable,
    LimitExceeded,
    NotFound,
    SchemaError,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    StoreError,
    StoreUnavailable,
    SyncStopped,
    UsageError,
)

if TYPE_CHECKING:
    from barograph.record import Record, open  # noqa: A004

    __version__: str
else:

    def __getattr__(name: str) -> object:
        if name in ("Record", "open"):
            return getattr(import_module("barograph.record"), name)
        if name == "__version__":
            return import_module("importlib.metadata").version("barograph")
        raise AttributeError(f"module 'barograph' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "BackupError",
    "BackupUnavailable",
    "BarographError",
    "ClusterError",
    "ConfigError",
    "FormatError",
    "LandingError",
    "LandingUnavailable",
    "LimitExceeded",
    "NotFound",
    "Record",
    "SchemaError",
    "SourceError",
    "SourceRefused",
    "SourceUnavailable",
    "StoreError",
    "StoreUnavailable",
    "SyncStopped",
    "UsageError",
    "__version__",
    "open",
]
