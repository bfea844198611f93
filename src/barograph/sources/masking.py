"""Addresses fit for messages: a connection's url may carry a password or a token, and no message ever does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit, urlunsplit

from barograph.errors import BarographError

_SECRET: Final = re.compile(r"token|key|pass|pwd|secret|sig|auth|credential", re.IGNORECASE)
_SHORTEST: Final = 4
"""A shorter value would blot out ordinary words of a quoted text."""


def mask(url: str) -> str:
    """`url` with user, password and the values of token-like query parameters as ***; a path passes as it is."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://***"
    _, at, host = parts.netloc.rpartition("@")
    query = "&".join(map(_mask_pair, parts.query.split("&")))
    return urlunsplit(parts._replace(netloc=f"***@{host}" if at else host, query=query, fragment=""))


def _mask_pair(pair: str) -> str:
    key, equals, value = pair.partition("=")
    return f"{key}=***" if equals and value and _SECRET.search(unquote(key)) else pair


def is_secret_name(name: str) -> bool:
    """Whether a setting or parameter of that name is taken for a secret."""
    return _SECRET.search(name) is not None


def scrub(text: str, url: str) -> str:
    """`text` without the secrets of `url`, for a message that quotes what the server said."""
    for secret in _secrets(url):
        text = text.replace(secret, "***")
    return text


def _secrets(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    values = [text for key, _, value in pairs if _SECRET.search(unquote(key)) for text in (value, unquote_plus(value))]
    values += [unquote(part) for part in parts.netloc.rpartition("@")[0].split(":")]
    yield from (value for value in values if len(value) >= _SHORTEST)


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` without the values of a connection's variables."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


@contextmanager
def hidden(secrets: Iterable[str]) -> Iterator[None]:
    """Errors raised inside show none of the values."""
    try:
        yield
    except BarographError as error:
        error.what, error.where = hide(error.what, secrets), hide(error.where, secrets)
        error.hint, error.args = hide(error.hint, secrets), (error.what,)
        raise


def quote(data: bytes, url: str) -> str:
    """The first 200 characters that a server said in place of data, on one line, without the secrets of `url`."""
    text = " ".join(data[:4096].decode("utf-8", errors="replace").split())
    return repr(scrub(text, url)[:200])
