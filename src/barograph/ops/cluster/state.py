"""How the set does: its processes, what they say, and what their folders hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from barograph.errors import ClusterError
from barograph.model import iso, utc_now
from barograph.ops.cluster import talk
from barograph.ops.cluster.folder import ADMIN, JOB, SET_NAME, ClusterFolder, Member, Plan
from barograph.ops.cluster.processes import running
from barograph.ops.mongod_log import how_it_ended, tail
from barograph.store import redact

DOWN: Final = "DOWN"


@dataclass(frozen=True, slots=True)
class MemberState:
    """A member as it is now.

    `state` is MongoDB's, or DOWN, NO ANSWER, NO SET; `note` says how one that is down ended.
    """

    name: str
    address: str
    state: str
    pid: int | None
    data_bytes: int
    started: datetime | None
    note: str = ""

    @property
    def well(self) -> bool:
        """Whether it does its part."""
        return self.state in (talk.PRIMARY, talk.SECONDARY)

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "address": self.address,
            "state": self.state,
            "pid": self.pid,
            "data_bytes": self.data_bytes,
            "started": None if self.started is None else iso(self.started),
            "uptime_seconds": None if self.started is None else round((now - self.started) / timedelta(seconds=1)),
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class State:
    """The set as it is now; no members where there is none."""

    folder: Path
    now: datetime
    members: tuple[MemberState, ...] = ()
    auth: bool = False
    uri: str = ""
    """The job's, with *** for its password."""
    uri_file: Path | None = None

    @property
    def primary(self) -> MemberState | None:
        """The member that takes writes."""
        return next((member for member in self.members if member.state == talk.PRIMARY), None)

    @property
    def result(self) -> str:
        """The verdict: healthy; degraded (it works, and a member does not); down (no primary); none (there is none)."""
        if not self.members:
            return "none"
        if self.primary is None:
            return "down"
        return "healthy" if all(member.well for member in self.members) else "degraded"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "result": self.result,
            "set": SET_NAME,
            "folder": str(self.folder),
            "auth": self.auth,
            "uri": self.uri,
            "uri_file": None if self.uri_file is None else str(self.uri_file),
            "members": [member.as_dict(self.now) for member in self.members],
        }


def look(path: Path) -> State:
    """Look at the set in a folder, and change nothing. Raises ClusterError where its files cannot be understood."""
    folder = ClusterFolder(path)
    plan = folder.plan()
    if plan is None:
        return State(folder.path, utc_now())
    members = folder.members(plan)
    pids = running(members)
    answers = {member.number: talk.ask(member) for member in members if member.number in pids}
    seen = _seen(folder, plan, members, answers)
    uri = redact(folder.uri(plan, JOB, "***" if plan.auth else None))
    found = tuple(_state_of(member, pids.get(member.number), answers, seen) for member in members)
    return State(folder.path, utc_now(), found, plan.auth, uri, folder.uri_file(JOB))


def _seen(
    folder: ClusterFolder, plan: Plan, members: list[Member], answers: Mapping[int, talk.Answer]
) -> dict[str, str]:
    """What a whole member says of those that are neither primary nor secondary."""
    if all(answer.state != talk.OTHER for answer in answers.values()):
        return {}
    password = None
    if plan.auth:
        with suppress(ClusterError):
            password = folder.passwords()[ADMIN]
    whole = (member for member in members if talk.is_settled({0: answers.get(member.number, talk.Answer(DOWN))}))
    return next((seen for member in whole if (seen := talk.states_seen(member, password))), {})


def _state_of(
    member: Member, pid: int | None, answers: Mapping[int, talk.Answer], seen: Mapping[str, str]
) -> MemberState:
    size = _size(member.data)
    if pid is None:
        note = how_it_ended(tail(member.log)) if member.has_data else "has no data"
        return MemberState(member.name, member.address, DOWN, None, size, None, note)
    state = answers[member.number].state
    if state == talk.OTHER:
        state = seen.get(member.address, state)
    return MemberState(member.name, member.address, state, pid, size, _started(member))


def _started(member: Member) -> datetime | None:
    """mongod writes its pid file when it starts."""
    try:
        return datetime.fromtimestamp(member.pid_file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _size(folder: Path) -> int:
    """Bytes that a folder takes on its disk; files may vanish meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_blocks * 512
    return total
