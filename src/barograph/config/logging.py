"""The process log's settings, and what no log may show: both before the rest of the configuration is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from barograph.config.settings import Connection
from barograph.errors import ConfigError
from barograph.logs import FORMATS, LEVELS, is_journal, url_secrets

_SECRETS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "BAROGRAPH_ALERT_URL")
_URLS: Final = ("BAROGRAPH_STORE", "BAROGRAPH_LANDING", "BAROGRAPH_BACKUPS")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The process log's form (human, json, none), its least level, and whether stderr is systemd's journal."""

    format: str
    level: str
    journal: bool


def log_settings(
    format: str | None = None,  # noqa: A002 - the option's name
    level: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> LogSettings:
    """From the arguments, the environment, and what stderr is. Raises ConfigError for a word that is none of them."""
    env = os.environ if environ is None else environ
    journal = is_journal(env.get("JOURNAL_STREAM"))
    chosen = format or env.get("BAROGRAPH_LOG_FORMAT") or ("human" if journal else "none")
    least = level or env.get("BAROGRAPH_LOG_LEVEL") or "info"
    for name, word, known in (("--log-format", chosen, FORMATS), ("--log-level", least, LEVELS)):
        if word not in known:
            variable = f"BAROGRAPH_{name.removeprefix('--').replace('-', '_').upper()}"
            raise ConfigError(f"{name} or {variable} = {word!r} is not known", hint=f"write one of {', '.join(known)}")
    return LogSettings(chosen, least, journal)


def environment_secrets(*urls: str | None, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """AWS keys, the alert's web hook, and what the addresses in `urls` and the environment carry."""
    env = os.environ if environ is None else environ
    found = [env[name] for name in _SECRETS if env.get(name)]
    for url in (*urls, *(env.get(name) for name in _URLS)):
        found += url_secrets(url, users=False) if url else ()
    return tuple(dict.fromkeys(found))


def connection_secrets(connections: Iterable[Connection]) -> Iterator[str]:
    """The values of their `${VARIABLE}`s, and what stands in their addresses."""
    for connection in connections:
        yield from connection.secrets
        yield from (text for text in url_secrets(connection.url, users=False) if "${" not in text)
