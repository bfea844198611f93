"""S3 that fails in mid-sync: nothing is lost or doubled, what stood stays usable, the error says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from barograph import bucket as bucket_module
from tests.e2e.scenario import Place, assert_settled
from tests.e2e.syncs import (
    AFTER,
    BEFORE,
    EVERY,
    assert_a_run_completes,
    assert_landed_once,
    manifests,
    place_in,
    speak,
    undisturbed_export,
    zone_of,
)
from tests.support.s3_proxy import (
    CUT,
    EXPIRED,
    FORBIDDEN,
    INTERNAL,
    LOST_ANSWER,
    SKEWED,
    SLOW_DOWN,
    Misbehaviour,
    S3Proxy,
)
from tests.support.s3_server import S3Server
from tests.support.scripted import Script

pytestmark = pytest.mark.usefixtures("scripted")

PHASES: Final = {
    "list manifests": ("GET", "_barograph%2Fgarden", 0),
    "get manifest": ("GET", "/_barograph/garden/", 0),
    "list objects": ("GET", "prefix=meteo_sync%2Fgarden", 0),
    "put first part": ("PUT", ".jsonl", 0),
    "put a later part": ("PUT", ".jsonl", 2),
    "put manifest": ("PUT", "/_barograph/", 0),
}
FAULTS: Final = {"503": SLOW_DOWN, "cut": CUT, "lost": LOST_ANSWER}
TOLD: Final = {
    "503": "answered 503 Service Unavailable (SlowDown), ",
    "cut": "the connection broke off",
    "lost": "the connection broke off",
}
CASES: Final = [
    (phase, mode)
    for phase in PHASES
    for mode in ("full refresh", "incremental")
    if mode == "incremental" or phase.startswith("put")
]
"""What is asked before the source speaks is the same in both modes."""
EVERY_CASE: Final = pytest.mark.parametrize(("phase", "mode"), CASES, ids=[f"{phase}, {mode}" for phase, mode in CASES])
REFUSALS: Final = {
    "expired": (EXPIRED, "the AWS credentials have expired (ExpiredToken)", "get new ones into the environment"),
    "unknown key": (FORBIDDEN, "the AWS credentials are not accepted (InvalidAccessKeyId)", "check AWS_ACCESS_KEY_ID"),
    "clock": (SKEWED, "the clocks of this machine and of S3 differ too much", "set this machine's clock"),
    "denied": (Misbehaviour(403, "AccessDenied"), "access denied", "check the AWS credentials"),
    "no bucket": (Misbehaviour(404, "NoSuchBucket"), "the bucket does not exist", "check the landing URL"),
}
MODES: Final = {"full refresh": 0, "incremental": EVERY}


@pytest.fixture
def proxy(s3_server: S3Server, s3_bucket: str, scripted: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    """A proxy before the S3 server, and a client that repeats what failed without waiting long."""
    assert s3_bucket
    assert scripted is None
    monkeypatch.setattr(bucket_module, "FIRST_WAIT", timedelta(milliseconds=2))
    with S3Proxy(s3_server.port) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
        yield made


@pytest.fixture
def place(proxy: S3Proxy, s3_bucket: str, tmp_path: Path, mode: str) -> Place:
    """A place on S3 whose first rows are landed and ingested; its source has changed since."""
    assert proxy.endpoint
    made = place_in(tmp_path / "place", Script(BEFORE, MODES[mode]), f"s3://{s3_bucket}")
    assert made.run().status == "done"
    speak(made, Script(AFTER, MODES[mode]))
    return made


@pytest.fixture
def expected(scripted: None, tmp_path: Path) -> bytes:
    """What undisturbed runs leave; the same in both modes."""
    assert scripted is None
    if not _EXPECTED:
        _EXPECTED.append(undisturbed_export(tmp_path / "undisturbed", Script(BEFORE), Script(AFTER)))
    return _EXPECTED[0]


_EXPECTED: Final[list[bytes]] = []


def assert_recovers(place: Place, before: bytes, expected: bytes) -> None:
    """What stood stays readable; another run leaves what undisturbed runs leave."""
    assert place.export() == before
    assert place.ingest().status == "done"
    # Parts that were landed without their manifest hold true rows, which may be ingested before the next sync.
    between = place.export().splitlines()
    assert set(between) <= {*before.splitlines(), *expected.splitlines()}
    assert len(between) >= len(before.splitlines())
    assert_a_run_completes(place, AFTER, expected)
    assert place.sync().connections[0].status == "unchanged"


@EVERY_CASE
@pytest.mark.parametrize("fault", FAULTS)
def test_s3_that_fails_until_it_is_mended(
    place: Place, proxy: S3Proxy, expected: bytes, mode: str, phase: str, fault: str
) -> None:
    """The sync of that connection fails, by name and with what to do, whatever the request was."""
    before, old = place.export(), zone_of(place).objects()
    method, part, skip = PHASES[phase]
    proxy.fault(FAULTS[fault], method, part, skip=skip)
    report = place.sync()
    assert proxy.struck
    (error,) = report.errors
    assert error.startswith("garden: s3://")
    assert TOLD[fault] in error
    assert "run again when the object store answers" in error
    assert report.connections[0].status == "failed"
    assert [entry for entry in place.logs("error") if entry.msg.startswith("sync of garden failed: s3://")]
    proxy.heal()
    assert zone_of(place).objects()[: len(old)] == old, "what stood stands"
    assert_recovers(place, before, expected)


@EVERY_CASE
@pytest.mark.parametrize("fault", FAULTS)
def test_s3_that_fails_once(place: Place, proxy: S3Proxy, expected: bytes, mode: str, phase: str, fault: str) -> None:
    """The request is repeated and nobody hears of it; nothing is landed twice, not even where the answer was lost."""
    method, part, skip = PHASES[phase]
    proxy.fault(FAULTS[fault], method, part, skip=skip, times=1)
    report = place.run()
    assert len(proxy.struck) == 1
    assert (report.status, report.errors) == ("done", ())
    proxy.heal()
    named = [key for manifest in manifests(zone_of(place)) for key in manifest["objects"]]
    assert sorted(named) == sorted(item.key for item in zone_of(place).objects())
    if mode == "incremental":
        assert_landed_once(place, AFTER)
    assert place.export() == expected
    assert_settled(place)


@pytest.mark.parametrize(("phase", "mode"), [("list manifests", "incremental"), ("put manifest", "full refresh")])
def test_s3_that_falls_silent(
    place: Place, proxy: S3Proxy, expected: bytes, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """No answer at all: given up after a bounded time."""
    before = place.export()
    method, part, skip = PHASES[phase]
    proxy.fault(Misbehaviour(delay=300), method, part, skip=skip)
    with monkeypatch.context() as patch:
        patch.setattr(bucket_module, "TIMEOUT", timedelta(seconds=2))
        patch.setattr(bucket_module, "RETRY_WINDOW", timedelta(seconds=3))
        report = place.sync()
    (error,) = report.errors
    assert error.startswith("garden: s3://")
    assert "did not answer" in error
    assert len(proxy.struck) > 1, "it is asked again"
    proxy.heal()
    assert_recovers(place, before, expected)


@pytest.mark.parametrize(("phase", "mode"), [("list manifests", "full refresh"), ("put manifest", "incremental")])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_s3_that_refuses(
    place: Place, proxy: S3Proxy, expected: bytes, monkeypatch: pytest.MonkeyPatch, phase: str, refusal: str
) -> None:
    """Refusals are not repeated; each is told in words with its own advice, and no secret stands in it."""
    before = place.export()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3tAccessKey")
    method, part, skip = PHASES[phase]
    fault, told, hint = REFUSALS[refusal]
    proxy.fault(fault, method, part, skip=skip)
    report = place.sync()
    (error,) = report.errors
    assert error.startswith("garden: s3://")
    assert told in error
    assert hint in error
    assert "s3cr3tAccessKey" not in error
    assert len(proxy.struck) <= 2, "once by the batch, once when what came before it is landed"
    proxy.heal()
    assert_recovers(place, before, expected)


def test_an_internal_error(s3_bucket: str, proxy: S3Proxy, tmp_path: Path) -> None:
    """500 is told as what it is."""
    place = place_in(tmp_path, Script(BEFORE), f"s3://{s3_bucket}")
    proxy.fault(INTERNAL, "PUT", "")
    (error,) = place.sync().errors
    assert f"answered 500 Internal Server Error (InternalError), {bucket_module.RETRIES + 1} times in " in error


def test_a_bucket_that_is_gone(place_anywhere: Place, s3_bucket: str) -> None:
    """A bucket that was deleted is named; nothing is made in its place."""
    gone = Place(place_anywhere.config, place_anywhere.data_dir, landing=f"s3://{s3_bucket}-gone")
    report = gone.sync()
    (error,) = report.errors
    assert error.startswith(f"garden: s3://{s3_bucket}-gone")
    assert "the bucket does not exist" in error
    assert place_anywhere.run().status == "done"


@pytest.fixture
def place_anywhere(s3_bucket: str, tmp_path: Path) -> Place:
    """A place on S3, untouched."""
    return place_in(tmp_path, Script(BEFORE), f"s3://{s3_bucket}")


def test_many_connections_do_not_wait_one_by_one(proxy: S3Proxy, s3_bucket: str, tmp_path: Path) -> None:
    """A server that was given up is asked once by each further connection, and as usual when it answers again.

    Those that ask at the same time find out for themselves.
    """
    place = place_in(tmp_path, Script(BEFORE), f"s3://{s3_bucket}")
    more = "".join(
        f'[connections.garden{number}]\nsource = "scripted"\nurl = "script.json"\nstation = "S"\n'
        for number in range(20)
    )
    with place.config.open("a", encoding="utf-8") as file:
        file.write(more)
    proxy.fault(SLOW_DOWN, "GET", "")
    report = place.sync()
    assert len(report.errors) == 21
    assert len(proxy.struck) <= place.settings.concurrency * (bucket_module.RETRIES + 2) + 20 + 1
    proxy.heal()
    proxy.fault(SLOW_DOWN, "GET", "", times=3)
    again = place.run()
    assert (again.status, again.errors) == ("done", ())
