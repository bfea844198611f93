"""barograph.toml and the environment -> Settings. The only reader of the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from barograph.config.checker import Checker, local_path
from barograph.config.connections import make_connections
from barograph.config.logging import connection_secrets, environment_secrets
from barograph.config.settings import Limits, Retention, Settings
from barograph.config.tables import TABLES
from barograph.config.timezones import is_timezone
from barograph.errors import ConfigError
from barograph.model import Station

FIRST_CLUSTER_PORT: Final = 27_117
"""Beside MongoDB's own 27017 to 27019, and below the ports that Linux gives to clients (32768 and up)."""
LAST_CLUSTER_PORT: Final = 65_528
"""Room for seven members after it."""
_SHOWN: Final = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
})  # fmt: skip


def load(
    config: str | os.PathLike[str] | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    landing: str | None = None,
    store: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from (strongest first) the arguments, the environment, the file, the defaults.

    Without a file the embedded defaults serve, with no stations and no connections. Raises ConfigError.
    """
    env = os.environ if environ is None else environ
    path = _config_path(config, env)
    tables, base = ({}, Path.cwd()) if path is None else (_read_toml(path), path.resolve().parent)
    checker = Checker(path, base)
    checked = checker.tables(tables)
    folder = data_folder(data_dir, environ=env)
    landing_table, store_table = checked.get("landing", {}), checked.get("store", {})
    landing_url = landing or env.get("BAROGRAPH_LANDING") or local_path(landing_table.get("url"), base)
    store_url = store or env.get("BAROGRAPH_STORE") or _store_from_environment(env)
    store_url = store_url or _store_from_file(store_table, base)
    backup_table = checked.get("backup", {})
    backup_url = env.get("BAROGRAPH_BACKUPS") or local_path(backup_table.get("url"), base)
    described = checked.get("stations", {})
    intervals = {key: table.pop("interval") for key, table in described.items() if "interval" in table}
    stations = {key: Station(key, **table) for key, table in described.items()}
    connections = make_connections(checked.get("connections", {}), stations, checker, env)
    ingest, metrics = checked.get("ingest", {}), checked.get("metrics", {})
    textfile = local_path(metrics.get("textfile"), base)
    return Settings(
        data_dir=folder,
        landing_url=landing_url or str(folder / "landing"),
        landing_prefix=landing_table.get("prefix", TABLES["landing"]["prefix"].default).strip("/"),
        store_url=store_url or f"sqlite:///{folder / 'meteo.db'}",
        backup_url=backup_url or str(folder / "backups"),
        store_patience=store_table.get("patience", TABLES["store"]["patience"].default),
        log_days=store_table.get("log_days", TABLES["store"]["log_days"].default),
        retention=Retention(
            **{key.removeprefix("keep_"): value for key, value in backup_table.items() if key.startswith("keep_")}
        ),
        metrics_textfile=None if textfile is None else Path(textfile),
        metrics_emf=metrics.get("emf", False),
        metrics_series=_at_least(0, "metrics", "emf_series", metrics, checker),
        stations=stations,
        intervals=intervals,
        connections=connections,
        limits=Limits(**checked.get("limits", {})),
        concurrency=_at_least(1, "sync", "concurrency", checked.get("sync", {}), checker),
        timezone=_timezone(checked.get("scheduler", {}), checker),
        config_file=path,
        secrets=(
            *environment_secrets(store_url, landing_url, backup_url, environ=env),
            *connection_secrets(connections.values()),
        ),
        **{key: ingest.get(key, option.default) for key, option in TABLES["ingest"].items()},
    )


def _at_least(least: int, name: str, key: str, table: Mapping[str, Any], checker: Checker) -> int:
    """A number of the table `name`, or its default; refused below the least."""
    value: int = table.get(key, TABLES[name][key].default)
    if value < least:
        checker.fail(f"[{name}] {key} = {value} is less than {least}", key, table=name)
    return value


def _timezone(table: Mapping[str, Any], checker: Checker) -> str:
    value: str = table.get("timezone", TABLES["scheduler"]["timezone"].default)
    if not is_timezone(value):
        what = f"[scheduler] timezone {value!r} is not an IANA timezone"
        checker.fail(what, "timezone", hint='for example "Europe/Paris"', table="scheduler")
    return value


def data_folder(data_dir: str | os.PathLike[str] | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """The data folder alone; it is known also where the rest of the settings cannot be read yet."""
    env = os.environ if environ is None else environ
    return Path(data_dir or env.get("BAROGRAPH_DATA_DIR") or "barograph-data").expanduser().absolute()


def mongod(environ: Mapping[str, str] | None = None) -> str | None:
    """The mongod that BAROGRAPH_MONGOD names, if it does."""
    env = os.environ if environ is None else environ
    return env.get("BAROGRAPH_MONGOD") or None


def cluster_port(environ: Mapping[str, str] | None = None) -> int:
    """The port from which on free ones are looked for, for a new local replica set. Raises ConfigError."""
    env = os.environ if environ is None else environ
    text = env.get("BAROGRAPH_CLUSTER_PORT") or str(FIRST_CLUSTER_PORT)
    if not text.isdecimal() or not 1024 <= int(text) <= LAST_CLUSTER_PORT:
        raise ConfigError(
            f"BAROGRAPH_CLUSTER_PORT = {text!r} is not a port",
            hint=f"write a number from 1024 to {LAST_CLUSTER_PORT}",
        )
    return int(text)


def alert_url(environ: Mapping[str, str] | None = None) -> str | None:
    """The web hook that BAROGRAPH_ALERT_URL names, if it does."""
    env = os.environ if environ is None else environ
    return env.get("BAROGRAPH_ALERT_URL") or None


def child_environment(*, installing: bool = False, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a foreign program may see of the environment: the machine, the language, proxies, certificates, no secret.

    `installing`: what pip listens to as well.
    """
    env = os.environ if environ is None else environ
    prefixes = ("LC_", "PIP_", "UV_") if installing else ("LC_",)
    return {name: value for name, value in env.items() if name.upper() in _SHOWN or name.startswith(prefixes)}


def debug(environ: Mapping[str, str] | None = None) -> bool:
    """Whether BAROGRAPH_DEBUG asks for tracebacks."""
    env = os.environ if environ is None else environ
    return env.get("BAROGRAPH_DEBUG", "") not in ("", "0")


def _config_path(config: str | os.PathLike[str] | None, env: Mapping[str, str]) -> Path | None:
    named = config or env.get("BAROGRAPH_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError("no such configuration file", where=str(path), hint="`barograph init` writes one")
        return path
    path = Path("barograph.toml")
    return path if path.is_file() else None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error


def _store_from_environment(env: Mapping[str, str]) -> str | None:
    name = env.get("BAROGRAPH_STORE_FILE")
    return _first_line(Path(name).expanduser(), "BAROGRAPH_STORE_FILE") if name else None


def _first_line(path: Path, setting: str) -> str:
    """The URL that a file holds; ConfigError naming the setting that named the file."""
    try:
        line = path.read_text(encoding="utf-8").split("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(
            f"cannot be read: {reason}",
            where=f"{setting} {path}",
            hint="write the URL there; that of a local replica set is written by `barograph cluster up`",
        ) from error
    if not line:
        raise ConfigError("its first line is empty", where=f"{setting} {path}", hint="write the URL there")
    return line


def _store_from_file(table: Mapping[str, Any], base: Path) -> str | None:
    if (name := table.get("url_file")) is not None:
        return _first_line(base / Path(name).expanduser(), "[store] url_file")
    url = table.get("url")
    if url is not None and url.startswith("mongodb") and urlsplit(url.split(",")[0]).password is not None:
        raise ConfigError(
            "the URL carries a password",
            where="[store] url",
            hint="put the URL into BAROGRAPH_STORE or a file named by url_file",
        )
    if url is not None and url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        return f"sqlite:///{(base / url.removeprefix('sqlite:///')).absolute()}"
    return None if url is None else str(url)
