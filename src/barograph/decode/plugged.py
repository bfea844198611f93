"""The decoder that another package brings for its kind of source."""

from __future__ import annotations

from collections.abc import Iterator

from barograph.config import broken, load_plugin
from barograph.decode.base import DecodeContext, Decoded, Opener
from barograph.errors import BarographError, ConfigError, FormatError
from barograph.model import LandedObject


def plugged(name: str, item: LandedObject, opener: Opener, context: DecodeContext) -> Iterator[Decoded]:
    """What the plugin's decoder gives. Raises ConfigError where there is none, FormatError where it fails."""
    plugin = load_plugin(name)
    decode = getattr(plugin, "decode", None)
    if decode is None:
        hint = "install the package that brings it"
        raise ConfigError(f"no decoder is called {name!r}", where=item.key, hint=hint)
    try:
        for piece in decode(item, opener, context):
            yield _held(piece)
    except BarographError:
        raise
    except Exception as error:
        failure = broken(name, f"{type(error).__name__}: {error}")
        raise FormatError(failure.what, where=item.key, hint=failure.hint) from error


def _held(piece: object) -> Decoded:
    if not isinstance(piece, Decoded):
        raise TypeError(f"it gave {type(piece).__name__}, where a Decoded is due")
    return piece
