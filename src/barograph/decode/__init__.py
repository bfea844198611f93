"""Bytes -> report frames and rejections. Pure: no network, no store, replayable; local time lives here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib import import_module
from typing import Final

from barograph.decode.base import DecodeContext, Decoded, Decoder, Opener
from barograph.model import LandedObject

_MODULES: Final = {"wunderground-table": "wunderground", "infoclimat": "infoclimat", "table": "mapped"}
"""Kind -> its module here; imported when an object of the kind is decoded. The others stand in `feeds`."""


def decode_object(item: LandedObject, opener: Opener, context: DecodeContext) -> Iterator[Decoded]:
    """Decode one landed object piece by piece, in bounded memory.

    Raises FormatError where the object as a whole cannot be read; pieces that were given before are good. A kind of
    source that is not built in decodes by its plugin; raises ConfigError where that is not installed.
    """
    return _decoder(context.decoder)(item, opener, context)


def _decoder(kind: str) -> Decoder:
    if kind in _MODULES:
        decoder: Decoder = import_module(f"barograph.decode.{_MODULES[kind]}").decode
        return decoder
    from barograph.decode.feeds import FEEDS, decoder_of

    if kind in FEEDS:
        return decoder_of(FEEDS[kind])
    from barograph.decode.plugged import plugged

    return partial(plugged, kind)


__all__ = ["DecodeContext", "Decoded", "Decoder", "Opener", "decode_object"]
