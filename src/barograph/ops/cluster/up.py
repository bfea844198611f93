"""Bringing the set up: from nothing, from what a killed `up` left, after a reboot, or only the member that is down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pymongo.errors import ConnectionFailure, PyMongoError

from barograph.errors import ClusterError, UsageError
from barograph.ops.cluster import talk
from barograph.ops.cluster.folder import JOB, ClusterFolder, Member, Plan, Tell
from barograph.ops.cluster.ports import LAST_PORT, free_ports, is_free, next_free
from barograph.ops.cluster.processes import Launched, launch, running, stop
from barograph.ops.cluster.users import make_users
from barograph.ops.mongod import Mongod, find_mongod
from barograph.ops.mongod_log import how_it_ended, tail
from barograph.store import redact

COUNTS: Final = (1, 3, 5, 7)
"""An even member adds a machine to lose and no majority to win; MongoDB lets seven vote."""

ANSWER_SECONDS: Final = 60.0
PRIMARY_SECONDS: Final = 120.0
"""6 s is usual: an election timeout of 5 s, and the vote."""
ROUNDS: Final = 5
"""How often members are started: again on another port, or when one has ended meanwhile."""
SECOND_TRY_SECONDS: Final = 1.0
"""Before a member is started again whose port or data another process held, which may have been ending."""
SETTLE_SECONDS: Final = 60.0
"""For a member that copies the data of another; after that, it goes on without our waiting."""


@dataclass(frozen=True, slots=True)
class Up:
    """A set that is up."""

    members: tuple[Member, ...]
    started: tuple[str, ...]
    """Names of the members that were started now."""
    primary: Member
    unsettled: tuple[str, ...]
    """Names of the members that still copy the data."""
    auth: bool
    uri: str
    """The job's, with *** for its password."""
    uri_file: Path


def bring_up(
    path: Path, *, members: int | None = None, port: int | None = None, auth: bool | None = None, tell: Tell
) -> Up:
    """Bring up the set in a folder; what is running stays as it is.

    Args:
        path: the set's folder; made where there is none.
        members: how many, where the set is made; 3 by default.
        port: of the first member, where the set is made; the first free one from 27117 on by default.
        auth: whether it asks for passwords, where the set is made; by default it does.
        tell: takes lines about what is being done.

    Raises ClusterError, and UsageError for a number of members or a port that cannot be.
    """
    _check_options(members, port)
    mongod = find_mongod()
    folder = ClusterFolder(path)
    with folder.locked(tell):
        folder.claim()
        plan = folder.plan()
        if plan is None:
            plan = Plan(free_ports(members or 3, port), auth=auth is not False)
            folder.save(plan)
        else:
            _check_same(folder, plan, members, port, auth=auth)
        _write_secrets(folder, plan)
        return _Ascent(folder, plan, mongod, tell, port_is_asked=port is not None).climb()


def _check_options(members: int | None, port: int | None) -> None:
    if members is not None and members not in COUNTS:
        raise UsageError(
            f"a set of {members} members is not supported",
            hint="1 for the tiny, else 3, 5 or 7: an even member adds nothing to the majority that writes need",
        )
    if port is not None and not 1 <= port <= LAST_PORT - (members or 3) + 1:
        raise UsageError(f"port {port} leaves no room for the members", hint=f"take one from 1024 to {LAST_PORT - 7}")


def _check_same(folder: ClusterFolder, plan: Plan, members: int | None, port: int | None, *, auth: bool | None) -> None:
    """Refuse options that the set was not made with: they are fixed when it is made."""
    asked = (("--members", members, len(plan.ports)), ("--port", port, plan.ports[0]))
    differing = [f"{name} {there}" for name, wanted, there in asked if wanted not in (None, there)]
    if auth is not None and auth != plan.auth:
        differing.append("passwords" if plan.auth else "--no-auth")
    if differing:
        raise ClusterError(
            f"this set was made with {' and '.join(differing)}",
            where=str(folder.path),
            hint="`barograph cluster up` without options brings it up; `cluster destroy` removes it and its data",
        )


def _write_secrets(folder: ClusterFolder, plan: Plan) -> None:
    """The key file, and the passwords before anybody is made who has them."""
    if not plan.auth:
        return
    if not folder.key_file.exists() and running(folder.members(plan)):
        raise ClusterError(
            "is missing while members run that know it",
            where=str(folder.key_file),
            hint="`barograph cluster down`, then `up` makes a new one",
        )
    folder.write_key()
    if not plan.initiated:
        folder.write_passwords()


class _Ascent:
    """One `up`, under the folder's lock."""

    def __init__(self, folder: ClusterFolder, plan: Plan, mongod: Mongod, tell: Tell, *, port_is_asked: bool) -> None:
        self.folder, self.plan, self.mongod, self.tell = folder, plan, mongod, tell
        self.port_is_asked = port_is_asked
        self.started: list[str] = []
        # Nothing to lose yet, and nobody who has been told a port.
        self.fresh = not plan.initiated and not any(member.has_data for member in self.members)

    @property
    def members(self) -> list[Member]:
        return self.folder.members(self.plan)

    def climb(self) -> Up:
        """From processes to a set with users. Raises ClusterError; of a fresh set nothing stays up then."""
        if self.plan.initiated and not any(member.has_data for member in self.members):
            raise ClusterError(
                "no member has its data any more",
                where=str(self.folder.path),
                hint="put the folders back, or `barograph cluster destroy` and begin anew",
            )
        try:
            self._start()
            self._make_set()
            primary = self._wait_for_primary()
        except ClusterError:
            if self.fresh:
                stop(self.members, running(self.members))
            raise
        if self.plan.auth:
            primary = self._make_users(primary)
        self.folder.write_uris(self.plan)
        return Up(
            tuple(self.members),
            tuple(self.started),
            primary,
            self._unsettled(),
            self.plan.auth,
            redact(self.folder.uri(self.plan, JOB, "***" if self.plan.auth else None)),
            self.folder.uri_file(JOB),
        )

    def _start(self) -> None:
        """Start who is down."""
        waited = False
        for _ in range(ROUNDS):
            missing = self._missing()
            if not missing:
                return
            self.tell(f"starting {', '.join(member.name for member in missing)} (MongoDB {self.mongod.release})")
            results = launch(self.mongod, missing, self.folder.key_file if self.plan.auth else None)
            self.started += [result.member.name for result in results if result.ending is None]
            # Another start, of a command that was killed, may have been quicker: then ours found port or data taken.
            there = running(self.members)
            failed = [result for result in results if result.ending is not None and result.member.number not in there]
            if not failed or self._take_other_ports(failed):
                continue
            if waited or not all(result.ending.passing for result in failed if result.ending is not None):
                raise self._not_started(failed)
            waited = True
            time.sleep(SECOND_TRY_SECONDS)
        missing = self._missing()
        if missing:
            ended = how_it_ended(tail(missing[0].log))
            raise ClusterError(
                f"{missing[0].name} starts, and ends again: {ended}",
                where=str(missing[0].log),
                hint="its log says more",
            )

    def _missing(self) -> list[Member]:
        there = running(self.members)
        return [member for member in self.members if member.number not in there]

    def _take_other_ports(self, failed: Sequence[Launched]) -> bool:
        """Of a fresh set, whose ports were free a moment ago, move members to other ones; whether that may help."""
        taken = [result.member for result in failed if not is_free(result.member.port)]
        if not self.fresh or self.port_is_asked or len(taken) < len(failed):
            return False
        ports = list(self.plan.ports)
        for member in taken:
            ports[member.number] = next_free(max(ports) + 1)
        self.plan = replace(self.plan, ports=tuple(ports))
        self.folder.save(self.plan)
        return True

    def _not_started(self, failed: Sequence[Launched]) -> ClusterError:
        first = failed[0]
        ending = first.ending
        assert ending is not None  # noqa: S101 - only those are in the list
        others = ", ".join(result.member.name for result in failed[1:])
        what = f"{first.member.name} does not start: {ending.what}" + (f" (nor do {others})" if others else "")
        return ClusterError(what, where=str(first.member.log), hint=ending.hint)

    def _make_set(self) -> None:
        """Make the members a set, unless they are one."""
        answers: dict[int, talk.Answer] = {}

        def all_answer() -> bool:
            answers.update({member.number: talk.ask(member) for member in self.members})
            return all(answer.state != talk.NO_ANSWER for answer in answers.values())

        if not talk.until(all_answer, ANSWER_SECONDS):
            silent = next(member for member in self.members if answers[member.number].state == talk.NO_ANSWER)
            pid = running(self.members).get(silent.number)
            raise ClusterError(
                f"{silent.name} does not answer on port {silent.port}, "
                + (f"though it runs (pid {pid})" if pid else "and has ended"),
                where=str(silent.log),
                hint="its log may say why; `barograph cluster down`, then `up`",
            )
        known = any(answer.set_name is not None for answer in answers.values())
        if not known and self.plan.initiated:
            raise ClusterError(
                "its members have lost their set: their data folders are not the ones that they had",
                where=str(self.folder.path),
                hint="put the folders back, or `barograph cluster destroy` and begin anew",
            )
        if not known:
            talk.initiate(self.members)
        if not self.plan.initiated:
            self.plan = self.folder.initiated(self.plan)

    def _wait_for_primary(self) -> Member:
        found: list[Member] = []

        def elected() -> bool:
            primary = talk.primary_of(self.members)
            found.extend([primary] if primary is not None else [])
            return bool(found)

        if not elected():
            self.tell("waiting for the members to elect a primary")
        if not talk.until(elected, PRIMARY_SECONDS):
            raise ClusterError(
                f"the members elected no primary within {PRIMARY_SECONDS:.0f} s",
                where=str(self.folder.path),
                hint="`barograph cluster status` shows them, their logs say more; `up` waits again",
            )
        return found[-1]

    def _make_users(self, primary: Member, tries: int = 3) -> Member:
        """Users and role, on the primary of the moment; which one that was."""
        try:
            make_users(primary, self.folder.passwords(), where=str(self.folder.path / "credentials"))
        except PyMongoError as error:
            if isinstance(error, ConnectionFailure) and tries > 1:
                # Busy, or no longer the primary: making users is idempotent.
                return self._make_users(self._wait_for_primary(), tries - 1)
            raise ClusterError(
                f"the users cannot be made: {str(error).partition(', full error')[0]}",
                where=primary.address,
                hint="`barograph cluster up` tries again",
            ) from error
        return primary

    def _unsettled(self) -> tuple[str, ...]:
        answers: dict[int, talk.Answer] = {}

        def settled() -> bool:
            answers.update({member.number: talk.ask(member) for member in self.members})
            return talk.is_settled(answers)

        if not settled():
            self.tell("waiting for members to catch up")
        if talk.until(settled, SETTLE_SECONDS):
            return ()
        return tuple(member.name for member in self.members if not talk.is_settled({0: answers[member.number]}))
