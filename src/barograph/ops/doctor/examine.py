"""All checks: those of this machine one after the other, those that ask others all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from barograph.config import Settings
from barograph.config.secret_files import secret_files
from barograph.errors import BarographError, ConfigError
from barograph.logs import Known
from barograph.ops.bounded import at_once
from barograph.ops.doctor import configuration, machine, places, software, sources
from barograph.ops.doctor.finding import Finding, Looked, of_error
from barograph.ops.doctor.store import store

LONGEST: Final = 30.0
"""Seconds for everything that asks others."""


def examine(load: Callable[[], Settings], config_file: Path | None = None, *, offline: bool = False) -> list[Finding]:
    """Every check. `load` reads the settings; where it cannot, that is a finding, and this machine's are the others.

    `config_file`: the one that was named. `offline`: nothing that needs a server is asked.
    """
    findings = [software.python(), *software.libraries(), software.timezones()]
    try:
        settings = load()
    except ConfigError as error:
        findings.insert(0, of_error("configuration", error))
        return [*findings, *configuration.readers(secret_files(config_file)), *machine.ntp(), *machine.timers()]
    findings.insert(0, configuration.configuration_file(settings))
    findings += configuration.variables(settings)
    findings += configuration.readers(secret_files(settings.config_file))
    findings += machine.space(settings)
    asked = at_once(_questions(settings, offline=offline), LONGEST)
    ahead: dict[str, float] = {}
    for name, answer in asked.items():
        if isinstance(answer, BarographError):
            findings.append(of_error(name, answer))
            continue
        findings += answer.findings
        if answer.ahead is not None:
            ahead[name] = answer.ahead
    findings += [*machine.clock(ahead), *machine.ntp(), *machine.timers()]
    return _clean(findings, settings)


def _questions(settings: Settings, *, offline: bool) -> dict[str, Callable[[], Looked]]:
    asked: dict[str, Callable[[], Looked]] = {}
    if not (offline and _is_away(settings.landing_url)):
        asked["landing zone"] = partial(places.landing, settings)
    if not (offline and settings.store_url.startswith("mongodb")):
        asked["store"] = lambda: Looked(tuple(store(settings)))
    if not (offline and _is_away(settings.backup_url)):
        asked["backups"] = partial(places.backups, settings)
    for connection in settings.connections.values():
        away = connection.source != "airbyte" and _is_away(connection.url)
        if connection.enabled and not (offline and away):
            asked[f"source of {connection.name}"] = partial(sources.source, connection, settings)
    return asked


def _is_away(url: str) -> bool:
    return "://" in url and urlsplit(url).scheme not in ("file", "memory")


def _clean(findings: Iterable[Finding], settings: Settings) -> list[Finding]:
    """Without a secret, whoever may have repeated one."""
    known = Known(settings.secrets)
    return [replace(finding, what=known.text(finding.what), cure=known.text(finding.cure)) for finding in findings]
