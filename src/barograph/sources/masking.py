"""Addresses fit for messages: a connection's url may carry a password or a token, and no message ever does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from barograph.errors import BarographError
from barograph.logs import SHORTEST, Known, is_secret_name, mask_pair, url_secrets

__all__ = ["hidden", "hide", "is_secret_name", "mask", "quote", "scrub"]


def mask(url: str) -> str:
    """`url` with user, password and the values of token-like query parameters as ***; a path passes as it is."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://***"
    _, at, host = parts.netloc.rpartition("@")
    query = "&".join(map(mask_pair, parts.query.split("&")))
    return urlunsplit(parts._replace(netloc=f"***@{host}" if at else host, query=query, fragment=""))


def scrub(text: str, url: str) -> str:
    """`text` without the secrets of `url`, for a message that quotes what the server said."""
    for secret in (found for found in url_secrets(url) if len(found) >= SHORTEST):
        text = text.replace(secret, "***")
    return text


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` without the values of a connection's variables, however short."""
    return Known(secrets, shortest=1).text(text)


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
