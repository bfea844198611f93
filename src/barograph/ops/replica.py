"""How a replica set is: its members' states, how far each is behind, and what that means for those who write.

Every server is asked by itself, so that a set without a primary, or with a single member left, still answers. What
`replSetGetStatus` tells is preferred; a server that refuses it (DocumentDB, a user without the right) is described by
what each member says of itself in `hello`, and what cannot be known that way is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from barograph.model import iso, utc_now
from barograph.ops.replica_ask import Answer, Seeds

Document = Mapping[str, Any]
Verdict = Literal["healthy", "degraded", "no primary", "unreachable"]
Kind = Literal["replica set", "standalone", "sharded cluster", "unknown"]

MAX_LAG: Final = 10.0
"""Seconds. A primary at rest adds to its oplog every 10 s (periodicNoopIntervalSecs): who follows is nearer."""
PATIENCE: Final = 3.0

PRIMARY, SECONDARY, ARBITER, UNKNOWN = "PRIMARY", "SECONDARY", "ARBITER", "UNKNOWN"
# https://www.mongodb.com/docs/manual/reference/replica-states/
STATES: Final = {
    0: "STARTUP", 1: PRIMARY, 2: SECONDARY, 3: "RECOVERING", 5: "STARTUP2", 6: UNKNOWN, 7: ARBITER, 8: "DOWN",
    9: "ROLLBACK", 10: "REMOVED",
}  # fmt: skip
SERVING: Final = frozenset({PRIMARY, SECONDARY, ARBITER})
REPLICATING: Final = frozenset({PRIMARY, SECONDARY, "RECOVERING", "STARTUP2", "ROLLBACK"})


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the set, as the member that was asked sees it. None: not known.

    `lag_s` is how far its last operation is behind the primary's (without a primary: behind the freshest member's), in
    seconds, to the second; `delay_s` is how far it is configured to be. `note` is what the set says is wrong with it.
    """

    name: str
    state: str
    healthy: bool | None = None
    uptime_s: int | None = None
    lag_s: float | None = None
    sync_source: str | None = None
    priority: float | None = None
    delay_s: float = 0.0
    note: str = ""

    def fault(self, max_lag: float) -> str:
        """What is wrong with it, in words; nothing where all is well."""
        said = f" ({self.note})" if self.note else ""
        if self.healthy is False:
            return f"{self.name} does not answer{said}"
        if self.state not in SERVING and self.state != UNKNOWN:
            return f"{self.name} is {self.state}, neither primary nor secondary{said}"
        if self.lag_s is not None and self.lag_s > max_lag + self.delay_s:
            return f"{self.name} is {self.lag_s:.0f} s behind, more than {max_lag + self.delay_s:g} s"
        return ""


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """A replica set at an instant. `reasons` explain the verdict; `unseen` says what could not be asked, and why.

    `asked` is the member whose view it is; None where each was asked for itself.
    """

    url: str
    verdict: Verdict
    reasons: tuple[str, ...]
    kind: Kind
    date: datetime
    set_name: str | None = None
    asked: str | None = None
    members: tuple[Member, ...] = ()
    unseen: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"date": iso(self.date)}


def replica_status(url: str, *, max_lag: float = MAX_LAG, patience: float = PATIENCE) -> ReplicaStatus:
    """Look at the replica set that a MongoDB URI leads to.

    Args:
        url: any MongoDB URI; a standalone server and a router are said to be one.
        max_lag: seconds that a secondary may be behind before the set is called degraded.
        patience: seconds for which a server may leave a question unanswered; all servers are asked at once, up to
            four questions one after the other, and where nobody answers, one.

    Returns:
        The status. That nobody answers is one, too.

    Raises:
        StoreError: the URI cannot be used, or the server refuses the credentials in it.
    """
    seeds = Seeds.of(url, patience)
    answers = seeds.ask(seeds.hosts)
    heard = _heard(answers)
    if not heard:
        return _unreachable(seeds, answers)
    if not any("setName" in hello for hello in heard.values()):
        return _no_set(seeds, heard)
    if not any(map(_is_primary, heard.values())):
        answers |= _ask_others(seeds, answers)
    speaker = max(heard := _heard(answers), key=lambda name: _rank(heard[name]))
    status, refused = seeds.command(speaker, "replSetGetStatus")
    if status.get("members"):
        config, why = seeds.command(speaker, "replSetGetConfig")
        return _from_status(seeds, speaker, status, config.get("config", {}), why, max_lag)
    answers |= _ask_others(seeds, answers)
    return _from_hellos(seeds, answers, refused or "it tells no members", max_lag)


def _heard(answers: Mapping[str, Answer]) -> dict[str, Document]:
    return {name: answer.hello for name, answer in answers.items() if answer.hello is not None}


def _ask_others(seeds: Seeds, answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Ask the members that the URI does not name, unless it forbids that."""
    named = {host for hello in _heard(answers).values() for host in _hosts(hello)}
    return {} if seeds.alone else seeds.ask(sorted(named - set(answers)))


def _hosts(hello: Document) -> list[str]:
    return [host for kind in ("hosts", "passives", "arbiters") for host in hello.get(kind, ())]


def _is_primary(hello: Document) -> bool:
    return bool(hello.get("isWritablePrimary", hello.get("ismaster")))


def _written(hello: Document) -> datetime | None:
    written: datetime | None = hello.get("lastWrite", {}).get("lastWriteDate")
    return written


def _rank(hello: Document) -> tuple[bool, bool, datetime]:
    """Whose view counts: the primary's, then that of the member that has heard most."""
    return _is_primary(hello), bool(hello.get("secondary")), _written(hello) or datetime.min.replace(tzinfo=UTC)


def _unreachable(seeds: Seeds, answers: Mapping[str, Answer]) -> ReplicaStatus:
    members = tuple(Member(name, UNKNOWN, healthy=False, note=answer.error) for name, answer in answers.items())
    reasons = tuple(member.fault(0) for member in members)
    return ReplicaStatus(seeds.address.where, "unreachable", reasons, "unknown", utc_now(), members=members)


def _no_set(seeds: Seeds, heard: Mapping[str, Document]) -> ReplicaStatus:
    """What answers is not (yet) a member of a replica set."""
    (name, hello), *_ = heard.items()
    kind: Kind = "standalone"
    verdict: Verdict = "degraded"
    if hello.get("msg") == "isdbgrid":
        kind = "sharded cluster"
        reason = f"{name} is a router (mongos) of a sharded cluster: ask its shards, each is a replica set"
    elif hello.get("isreplicaset"):
        kind, verdict = "replica set", "no primary"
        reason = f"{name} waits for its replica set to be initiated: rs.initiate(…) in mongosh"
    else:
        reason = f"{name} is a standalone server, no member of a replica set: nothing takes over when it stops"
    return ReplicaStatus(seeds.address.where, verdict, (reason,), kind, utc_now(), asked=name)


def _from_status(
    seeds: Seeds, speaker: str, status: Document, config: Document, refused: str, max_lag: float
) -> ReplicaStatus:
    """From the replies to replSetGetStatus and replSetGetConfig ({} where `refused`)."""
    configured = {member["host"]: member for member in config.get("members", ())}
    reference = _reference(
        [(_state(member), _when(member)) for member in status["members"] if member.get("health", 1) == 1]
    )
    members = tuple(_member(told, configured.get(told["name"], {}), reference) for told in status["members"])
    unseen = [f"priorities, votes, delays: replSetGetConfig gave no answer ({refused})"] if refused else []
    unseen += _gaps(members)
    voters = [host for host, member in configured.items() if member.get("votes", 1)]
    name = status.get("set")
    verdict, reasons = _judge(members, voters, max_lag, _name_in_uri(seeds, name))
    return ReplicaStatus(
        url=seeds.address.where,
        verdict=verdict,
        reasons=reasons,
        kind="replica set",
        date=status.get("date") or utc_now(),
        set_name=name,
        asked=speaker,
        members=members,
        unseen=tuple(unseen),
    )


def _state(told: Document) -> str:
    return STATES.get(told.get("state", 6), str(told.get("stateStr", UNKNOWN)))


def _when(told: Document) -> datetime | None:
    """A member's last operation; a member that does not answer is told with 1970."""
    instant: datetime | None = told.get("optimeDate")
    return instant if instant is not None and instant.year > 1970 else None


def _member(told: Document, configured: Document, reference: datetime | None) -> Member:
    state, healthy = _state(told), told.get("health", 1) == 1
    when = _when(told) if healthy and state in REPLICATING else None
    return Member(
        name=told["name"],
        state=state,
        healthy=healthy,
        uptime_s=told.get("uptime") if healthy else None,
        lag_s=_lag(when, reference),
        sync_source=told.get("syncSourceHost") or None,
        priority=configured.get("priority"),
        delay_s=float(configured.get("secondaryDelaySecs", configured.get("slaveDelay", 0))),
        note=told.get("lastHeartbeatMessage") or told.get("infoMessage") or "",
    )


def _reference(told: Sequence[tuple[str, datetime | None]]) -> datetime | None:
    """The instant that lag is measured from: the primary's last operation, without a primary the newest of all."""
    primaries = [when for state, when in told if state == PRIMARY and when is not None]
    return max(primaries or [when for _, when in told if when is not None], default=None)


def _lag(when: datetime | None, reference: datetime | None) -> float | None:
    # A secondary that was asked a moment after the primary may even be ahead.
    return None if when is None or reference is None else max(0.0, (reference - when).total_seconds())


def _gaps(members: Sequence[Member]) -> list[str]:
    """What a partial answer leaves open."""
    following = [member for member in members if member.state in (PRIMARY, SECONDARY)]
    lagging = [member.name for member in following if member.lag_s is None]
    return [f"the lag of {', '.join(lagging)}: the server tells no optimeDate"] if lagging else []


def _from_hellos(seeds: Seeds, answers: Mapping[str, Answer], refused: str, max_lag: float) -> ReplicaStatus:
    """From what each member says of itself."""
    heard = _heard(answers)
    best = max(heard.values(), key=_rank)
    # A member may be known under another name than the one in the URI: its own `me` counts.
    by_name = {hello.get("me", name): hello for name, hello in heard.items() if "setName" in hello}
    reference = _reference([(_role(hello), _written(hello)) for hello in by_name.values()])
    members = tuple(
        Member(
            name=name,
            state=_role(by_name[name]),
            healthy=True,
            lag_s=_lag(_written(by_name[name]), reference),
        )
        if name in by_name
        else _unheard(name, best, answers)
        for name in dict.fromkeys([*_hosts(best), *by_name])
    )
    unseen = [f"uptime, sync source, priorities, hidden members: replSetGetStatus gave no answer ({refused})"]
    unseen += _gaps([member for member in members if member.name in by_name])
    if left := [member.name for member in members if member.healthy is None]:
        unseen.append(f"{', '.join(left)}: the URI asks for one server only")
    name = best.get("setName")
    verdict, reasons = _judge(members, [], max_lag, _name_in_uri(seeds, name))
    return ReplicaStatus(
        url=seeds.address.where,
        verdict=verdict,
        reasons=reasons,
        kind="replica set",
        date=best.get("localTime") or utc_now(),
        set_name=name,
        members=members,
        unseen=tuple(unseen),
    )


def _role(hello: Document) -> str:
    if _is_primary(hello):
        return PRIMARY
    return SECONDARY if hello.get("secondary") else ARBITER if hello.get("arbiterOnly") else "OTHER"


def _unheard(name: str, best: Document, answers: Mapping[str, Answer]) -> Member:
    """A member that did not answer, or was not asked; the others may know that it is primary."""
    if name in answers:
        return Member(name, UNKNOWN, healthy=False, note=answers[name].error)
    return Member(name, PRIMARY if best.get("primary") == name else UNKNOWN)


def _judge(
    members: Sequence[Member], voters: Sequence[str], max_lag: float, more: Sequence[str]
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and the reasons for it; `voters` are the members that elect (none: all), `more` other faults."""
    faults = [fault for member in members if (fault := member.fault(max_lag))] + [*more]
    if not any(member.state == PRIMARY and member.healthy is not False for member in members):
        voting = [member for member in members if not voters or member.name in voters]
        alive = sum(member.healthy is True for member in voting)
        needed = len(voting) // 2 + 1
        why = "an election may be under way" if alive >= needed else f"an election needs {needed}"
        return "no primary", (f"no member is primary; {alive} of {len(voting)} answer, {why}", *faults)
    if faults:
        return "degraded", tuple(faults)
    if len(members) == 1:
        return "healthy", ("the only member is primary; nothing takes over when it stops",)
    lags = [member.lag_s - member.delay_s for member in members if member.lag_s is not None]
    behind = f", none more than {max(0.0, *lags):.0f} s behind" if lags else ""
    return "healthy", (f"all {len(members)} members answer{behind}",)


def _name_in_uri(seeds: Seeds, name: str | None) -> tuple[str, ...]:
    """A wrong replicaSet in the URI: nothing else of barograph can connect with it."""
    wanted = seeds.address.set_name
    return () if wanted in (None, name) else (f"the URI asks for replicaSet={wanted}, but the set is named {name}",)
