"""Kinds of sources that other packages bring, found by the entry points of the group `barograph.sources`.

What a plugin is stands in `barograph.plugin`. It is looked for only when a connection names a kind that is not built
in, and taken for what it is: code of others, whose every failure becomes an error that names its package.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from barograph.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "barograph.sources"


def installed() -> list[str]:
    """The names of the kinds that packages bring, sorted."""
    return sorted({point.name for point in _points()})


@cache
def load_plugin(name: str) -> Any | None:
    """The plugin of that name, None where no package brings it. Raises ConfigError for one that cannot be loaded."""
    points = [point for point in _points() if point.name == name]
    if not points:
        return None
    if len({point.value for point in points}) > 1:
        packages = " and ".join(sorted(map(_package, points)))
        raise ConfigError(f"source = {name!r} is brought by {packages}", hint="uninstall one of them")
    try:
        return points[0].load()
    except Exception as error:
        raise broken(name, f"{type(error).__name__}: {error}") from error


def broken(name: str, reason: str) -> ConfigError:
    """The error for a plugin that is none, or fails; `reason` says why."""
    package = next((_package(point) for point in _points() if point.name == name), "an unknown package")
    hint = f"install a version of {package.partition(' ')[0]} that works with this barograph, or tell its author"
    return ConfigError(f"source = {name!r} of {package} is broken: {reason}", hint=hint)


def _points() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))


def _package(point: EntryPoint) -> str:
    return point.value if point.dist is None else f"{point.dist.name} {point.dist.version}"
