"""Secrets out of everything that is logged: the values that are known, and what an address carries in any case."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

MASK: Final = "***"
SHORTEST: Final = 4
"""A shorter value would blot out ordinary words."""

_NAME: Final = re.compile(r"token|key|pass|pwd|secret|sig|auth|credential", re.IGNORECASE)
_USER: Final = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#\"'<>]*@")
_PAIR: Final = re.compile(r"(?<=[?&;])([^\s?&;=#\"'<>]{1,100})=(?!\*\*\*)([^\s&;#\"'<>]+)")
_PERCENT: Final = re.compile(r"%[0-9A-F]{2}")


class Known:
    """Replaces secrets by ***, in the forms in which an address, JSON or Python's repr writes their values.

    A value shorter than `shortest` characters is none. More may be added while threads log.
    """

    def __init__(self, secrets: Iterable[str] = (), *, shortest: int = SHORTEST) -> None:
        self._forms: tuple[str, ...] = ()
        self._shortest = shortest
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these as well."""
        found = {form for secret in secrets for form in _forms(secret) if len(form) >= self._shortest}
        self._forms = tuple(sorted(found.union(self._forms)))

    @property
    def is_empty(self) -> bool:
        """Whether no value is known."""
        return not self._forms

    def stand_in(self, text: str) -> bool:
        """Whether a text holds any of them."""
        return any(form in text for form in self._forms)

    def text(self, text: str) -> str:
        """`text` without secrets. Where two overlap both go, whole."""
        spans = sorted(span for form in self._forms if form in text for span in _places(form, text))
        if not spans:
            return text
        parts, end = [], 0
        for first, last in spans:
            if first >= end:
                parts += [text[end:first], MASK]
            end = max(end, last)
        return "".join((*parts, text[end:]))

    def value(self, value: Any) -> Any:
        """The same for the texts of a value, at any depth."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


class Masks(Known):
    """The same, and what an address carries in any case.

    User and password, and the values of parameters that are named like secrets, go whoever's they are. Known values
    come from the configuration and the environment.
    """

    def text(self, text: str) -> str:
        """`text` without secrets."""
        text = super().text(text)
        if "://" in text:
            text = _USER.sub(rf"\1{MASK}@", text)
        return _PAIR.sub(lambda match: mask_pair(match[0]), text) if "=" in text else text


def mask_pair(pair: str) -> str:
    """`name=value` of an address, with the value hidden where the name tells a secret."""
    key, equals, value = pair.partition("=")
    return f"{key}={MASK}" if equals and value and is_secret_name(unquote(key)) else pair


def is_secret_name(name: str) -> bool:
    """Whether a setting or parameter of that name is taken for a secret."""
    return _NAME.search(name) is not None


def url_secrets(url: str, *, users: bool = True) -> Iterator[str]:
    """What of an address is secret: passwords, users (unless a password says who is who), token-like parameters.

    Without `users` a user with a password is none: it may be an ordinary word, as `barograph`.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    for key, _, value in pairs:
        if is_secret_name(unquote(key)):
            yield from (value, unquote_plus(value))
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    shown = (password,) if colon and not users else (user, password)
    yield from (form for part in shown if part for form in (part, unquote(part)))


def _places(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Every place, also those that overlap."""
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + 1)


def _forms(secret: str) -> Iterator[str]:
    lines = [line for line in secret.splitlines() if len(line.strip()) >= SHORTEST]
    for text in dict.fromkeys((secret, " ".join(secret.split()), *lines)):
        yield from _written(text)


def _written(text: str) -> Iterator[str]:
    """As it is, in an address, in JSON (and that in JSON once more), as Python shows it."""
    yield text
    whole = text.encode("utf-8", "surrogatepass")
    for address in (quote(whole), quote(whole, safe=""), quote_plus(whole)):
        yield address
        yield _PERCENT.sub(lambda match: match[0].lower(), address)
    for ascii_only in (True, False):
        inner = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield inner
        yield inner.replace("/", "\\/")
        yield json.dumps(inner, ensure_ascii=ascii_only)[1:-1]
    shown = repr(text)[1:-1]
    yield shown
    yield repr(shown)[1:-1]
    # Inside of a longer text the quotes may be escaped the other way round.
    yield repr(f"{text}'\"")[1:-1].removesuffix("\\'\"")
    yield repr(f"{text}'")[1:-2]
    yield repr(f'{text}"')[1:-2]
    yield repr(whole)[2:-1]
    yield ascii(text)[1:-1]
