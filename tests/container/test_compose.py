"""compose.yaml as it stands: by the Compose specification's own schema, and what it promises of each service."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from barograph.config import load
from tests.container.compose_file import load as load_compose
from tests.container.compose_file import read
from tests.container.image import FOLDER

FILE: Final = FOLDER / "compose.yaml"
SERVICES: Final = read(FILE)


def test_the_specification_accepts_it() -> None:
    """By the schema of the Compose specification that check-jsonschema carries."""
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_confined(name: str) -> None:
    """Read-only root, no capability, nothing that gives rights, bounds for memory, processes and logs, no root."""
    raw = SERVICES[name].raw
    assert raw["read_only"] is True
    assert raw["cap_drop"] == ["ALL"]
    assert "cap_add" not in raw
    assert raw["security_opt"] == ["no-new-privileges:true"]
    assert raw["mem_limit"]
    assert raw["pids_limit"] <= 512
    assert raw["logging"]["options"]["max-size"]
    assert not raw.get("privileged")
    user = raw.get("user")
    # barograph's own image has a user; the others are told theirs.
    assert user in ({None} if raw["image"].startswith("barograph:") else {"999:999", "1000:1000"})


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_in_the_environment_or_the_command(name: str) -> None:
    """Every secret is a file: what `docker inspect` shows holds none."""
    service = SERVICES[name]
    told = json.dumps([service.environment, service.command, service.entrypoint]).upper()
    for word in ("PASSWORD", "SECRET_KEY", "ACCESS_KEY", "TOKEN", "MONGODB://"):
        assert word not in told


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_published_but_to_this_machine(name: str) -> None:
    """A port that is published is one of loopback, and no server of data has one."""
    raw = SERVICES[name].raw
    assert [port["host_ip"] for port in raw.get("ports", ())] in ([], ["127.0.0.1"])
    if not raw["image"].startswith("barograph:"):
        assert "ports" not in raw
        assert raw.get("networks") == ["inside"] or SERVICES[name].network_of == "s3"
    assert load_compose(FILE)["networks"]["inside"]["internal"] is True


def reached(name: str, seen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every service that must be ready before this one, with the condition."""
    found = dict(seen or {})
    for other, condition in SERVICES[name].depends_on.items():
        found |= {other: condition} | reached(other, found)
    return found


@pytest.mark.parametrize("name", ["scheduler", "job", "metrics"])
def test_the_start_is_gated_by_health(name: str) -> None:
    """barograph starts when the members and the S3 server are healthy, the set is whole, and the buckets are there."""
    assert reached(name) == {
        **dict.fromkeys(("mongo1", "mongo2", "mongo3", "s3"), "service_healthy"),
        **dict.fromkeys(("replica-set", "buckets"), "service_completed_successfully"),
    }
    for other, condition in reached(name).items():
        if condition == "service_healthy":
            assert SERVICES[other].health is not None
        else:
            assert SERVICES[other].raw["restart"].startswith("on-failure")


def test_what_is_kept_is_on_a_volume() -> None:
    """Each member, the S3 server and barograph's state have one of their own; the rest of what is written is memory."""
    volumes = load_compose(FILE)["volumes"]
    used = [source for service in SERVICES.values() for source, _, _ in service.mounts if source in volumes]
    assert sorted(set(used)) == sorted(volumes)
    assert {name: used.count(name) for name in ("mongo1", "mongo2", "mongo3", "s3")} == dict.fromkeys(
        ("mongo1", "mongo2", "mongo3", "s3"), 1
    )


def test_the_images_are_named_by_version() -> None:
    """None is `latest`, and each can be named by its digest instead."""
    for service in SERVICES.values():
        name, _, tag = service.image.rpartition(":")
        assert name
        assert tag not in ("", "latest")
    digest = "registry.example/mongo@sha256:" + "0" * 64
    named = read(FILE, {"MONGO_IMAGE": digest, "S3_IMAGE": digest})
    assert {named[name].image for name in ("mongo1", "mongo2", "mongo3", "s3", "buckets")} == {digest}


def test_its_configuration_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """etc/barograph.toml is read without a complaint, and each of its connections has a schedule."""
    for name in ("BAROGRAPH_STORE", "BAROGRAPH_LANDING", "BAROGRAPH_BACKUPS"):
        monkeypatch.delenv(name, raising=False)
    settings = load(FOLDER / "etc" / "barograph.toml")
    assert (settings.landing_url, settings.backup_url) == ("s3://landing", "s3://backup")
    assert all(settings.schedule(connection) for connection in settings.connections.values())


def made(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(folder / "make-secrets.sh")], capture_output=True, text=True, check=False)


def test_the_secrets_are_made_once(tmp_path: Path) -> None:
    """Each that compose.yaml names, readable in a folder that only its owner may enter; a second run changes none."""
    script = tmp_path / "make-secrets.sh"
    script.write_text((FOLDER / "make-secrets.sh").read_text(encoding="utf-8"), encoding="utf-8")
    told = made(tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    names = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert set(names) == set(load_compose(FILE)["secrets"])
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    before = {name: path.read_bytes() for name, path in names.items()}
    assert all(value not in told.stdout for value in (one.decode().strip() for one in before.values()))
    identities: dict[str, Any] = json.loads(before["s3-identities"])
    (one,) = identities["identities"]
    assert one["credentials"] == [
        {"accessKey": before["AWS_ACCESS_KEY_ID"].decode(), "secretKey": before["AWS_SECRET_ACCESS_KEY"].decode()}
    ]
    assert not [action for action in one["actions"] if ":" not in action or action.startswith("Admin")]
    assert made(tmp_path).returncode == 0
    assert {name: path.read_bytes() for name, path in names.items()} == before
    names["AWS_SECRET_ACCESS_KEY"].unlink()
    assert made(tmp_path).returncode == 0
    after = {name: path.read_bytes() for name, path in names.items()}
    assert {name for name, value in after.items() if value != before[name]} == {
        "AWS_SECRET_ACCESS_KEY",
        "s3-identities",
    }
