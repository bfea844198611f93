"""Bytes -> report frames and rejections. Pure: no network, no store, replayable; local time lives here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from barograph.decode import feeds, infoclimat, mapped, wunderground
from barograph.decode.base import DecodeContext, Decoded, Decoder, Opener
from barograph.decode.plugged import plugged
from barograph.model import LandedObject

DECODERS: Final[dict[str, Decoder]] = {
    "wunderground-table": wunderground.decode,
    "infoclimat": infoclimat.decode,
    "table": mapped.decode,
    **{kind: feeds.decoder_of(feed) for kind, feed in feeds.FEEDS.items()},
}


def decode_object(item: LandedObject, opener: Opener, context: DecodeContext) -> Iterator[Decoded]:
    """Decode one landed object piece by piece, in bounded memory.

    Raises FormatError where the object as a whole cannot be read; pieces that were given before are good. A kind of
    source that is not built in decodes by its plugin; raises ConfigError where that is not installed.
    """
    decoder = DECODERS.get(context.decoder)
    return plugged(context.decoder, item, opener, context) if decoder is None else decoder(item, opener, context)


__all__ = ["DECODERS", "DecodeContext", "Decoded", "Decoder", "Opener", "decode_object"]
