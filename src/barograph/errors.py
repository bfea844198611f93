"""Every error barograph raises on purpose, as one tree.

    BarographError
    ├── UsageError              the command line or a function argument is wrong         (final, exit 2)
    ├── ConfigError             barograph.toml or the environment is wrong               (final, exit 2)
    ├── SourceError             a source cannot be read                                  (exit 1 or 3)
    │   ├── SourceUnavailable   it did not answer, or answered 5xx/429                   (retryable)
    │   ├── SyncStopped         the sync was asked to stop, or is under way elsewhere    (retryable)
    │   └── SourceRefused       it answered, but not with data (404, HTML, bad token)    (final)
    ├── FormatError             bytes are not what their name or their source promises   (final)
    │   └── LimitExceeded       an archive, workbook, object or line beyond its limit    (final)
    ├── LandingError            the landing zone cannot be listed, read or written
    │   └── LandingUnavailable  the object store did not answer                          (retryable)
    ├── StoreError              the database refuses or is inconsistent
    │   ├── StoreUnavailable    it did not answer in time, or no primary                 (retryable)
    │   ├── SchemaError         its schema is older or newer than this barograph's,
    │   │                       or a restore of it is unfinished                         (final)
    │   └── NotFound            the station, span or run asked for does not exist        (final)
    ├── BackupError             a backup is damaged, missing, or cannot be put there     (final)
    │   └── BackupUnavailable   the place where backups are kept did not answer          (retryable)
    └── ClusterError            the local replica set cannot be started or stopped       (final)

`retryable` says whether the same call may succeed later with nothing changed. Every message has three parts:
what happened, where (connection, object, sheet, row, column, value) and what to do next.
"""

from __future__ import annotations


class BarographError(Exception):
    """The root: `except BarographError` catches everything barograph raises on purpose."""

    retryable = False
    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} — {self.hint}" if self.hint else text


class UsageError(BarographError):
    """The command line, or an argument of a public function, is wrong."""

    exit_code = 2


class ConfigError(BarographError):
    """barograph.toml or a BAROGRAPH_* variable is wrong."""

    exit_code = 2


class SourceError(BarographError):
    """A source cannot be read."""


class SourceUnavailable(SourceError):
    """The source did not answer, or answered that it cannot serve now."""

    retryable = True


class SyncStopped(SourceError):
    """The sync was asked to stop before its end, or another process is at it."""

    retryable = True


class SourceRefused(SourceError):
    """The source answered with something that is not data."""


class FormatError(BarographError):
    """Bytes are not what their name or their source promises."""


class LimitExceeded(FormatError):
    """An archive, workbook, object or line is larger than its limit allows."""


class LandingError(BarographError):
    """The landing zone cannot be listed, read or written."""


class LandingUnavailable(LandingError):
    """The object store behind the landing zone did not answer."""

    retryable = True


class StoreError(BarographError):
    """The database refuses a request or holds something inconsistent."""


class StoreUnavailable(StoreError):
    """The database did not answer in time, or has no primary."""

    retryable = True


class SchemaError(StoreError):
    """The database's schema is not the one that this barograph writes, or a restore into it has not finished."""


class NotFound(StoreError):
    """The station, span or run that was asked for does not exist."""


class BackupError(BarographError):
    """A backup is damaged or missing, or may not be put where it was to go."""


class BackupUnavailable(BackupError):
    """The place where backups are kept did not answer."""

    retryable = True


class ClusterError(BarographError):
    """The local replica set cannot be started, stopped or removed."""
