"""compose.yaml as Docker Compose would read it, as far as it is used there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

VARIABLE: Final = re.compile(r"\$(?:\$|\{(\w+)(?::-([^}]*))?\})")
SECONDS: Final = re.compile(r"(\d+)s")


@dataclass(frozen=True, slots=True)
class Health:
    """A service's health check, in seconds."""

    test: tuple[str, ...]
    timeout: float
    start_period: float


@dataclass(frozen=True, slots=True)
class Service:
    """A service. `mounts` are (source on the host, target, read only); a volume's source is its name."""

    name: str
    image: str
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    user: str | None
    environment: Mapping[str, str]
    mounts: tuple[tuple[str, str, bool], ...]
    tmpfs: tuple[str, ...]
    working_dir: str | None
    health: Health | None
    network_of: str | None
    depends_on: Mapping[str, str]
    stop_seconds: float
    read_only: bool
    raw: Mapping[str, Any] = field(repr=False)


def read(path: Path, environ: Mapping[str, str] | None = None) -> dict[str, Service]:
    """The services, each with the variables put in. Paths are resolved against the file's folder."""
    document = load(path, environ)
    return {name: _service(name, raw, document, path.parent) for name, raw in document["services"].items()}


def load(path: Path, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The document with its merges done and its variables put in."""

    def put(value: Any) -> Any:
        if isinstance(value, str):
            return VARIABLE.sub(lambda m: "$" if m[1] is None else (environ or {}).get(m[1]) or m[2] or "", value)
        if isinstance(value, dict):
            return {key: put(one) for key, one in value.items()}
        return [put(one) for one in value] if isinstance(value, list) else value

    found: dict[str, Any] = put(yaml.safe_load(path.read_text(encoding="utf-8")))
    return found


def _service(name: str, raw: Mapping[str, Any], document: Mapping[str, Any], folder: Path) -> Service:
    mounts = []
    for volume in raw.get("volumes", ()):
        bind = volume["type"] == "bind"
        source = str((folder / volume["source"]).resolve()) if bind else volume["source"]
        mounts.append((source, volume["target"], volume.get("read_only", False)))
    files = [("secrets", name, f"/run/secrets/{name}") for name in raw.get("secrets", ())]
    files += [("configs", config["source"], config["target"]) for config in raw.get("configs", ())]
    mounts += [(str(folder / document[kind][name]["file"]), target, True) for kind, name, target in files]
    network = raw.get("network_mode", "")
    return Service(
        name=name,
        image=raw["image"],
        entrypoint=_words(raw.get("entrypoint")),
        command=_words(raw.get("command")),
        user=raw.get("user"),
        environment=raw.get("environment", {}),
        mounts=tuple(mounts),
        tmpfs=tuple(raw.get("tmpfs", ())),
        working_dir=raw.get("working_dir"),
        health=_health(raw.get("healthcheck")),
        network_of=network.removeprefix("service:") if network else None,
        depends_on={other: how["condition"] for other, how in raw.get("depends_on", {}).items()},
        stop_seconds=_seconds(raw.get("stop_grace_period", "10s")),
        read_only=raw.get("read_only", False),
        raw=raw,
    )


def _words(value: Sequence[str] | None) -> tuple[str, ...] | None:
    assert not isinstance(value, str), "a command is written as a list, so that no shell takes it apart"
    return None if value is None else tuple(map(str, value))


def _health(raw: Mapping[str, Any] | None) -> Health | None:
    if raw is None or raw.get("disable"):
        return None
    assert raw["test"][0] == "CMD"
    return Health(tuple(raw["test"][1:]), _seconds(raw["timeout"]), _seconds(raw["start_period"]))


def _seconds(text: str) -> float:
    match = SECONDS.fullmatch(text)
    assert match is not None, text
    return float(match[1])
