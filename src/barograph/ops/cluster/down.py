"""Taking the set down, and removing it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from barograph.errors import ClusterError
from barograph.ops.cluster import talk
from barograph.ops.cluster.folder import ClusterFolder, Member, Plan, Tell
from barograph.ops.cluster.processes import running, stop


@dataclass(frozen=True, slots=True)
class Down:
    """A set that is down; its data are kept."""

    stopped: tuple[str, ...]
    """Names of the members that ran, in the order in which they ended."""
    killed: tuple[str, ...]
    """Those of them that did not end when they were told to."""


def take_down(path: Path, *, tell: Tell) -> Down:
    """Shut the members down, the primary last, so that no election is held on the way.

    Raises ClusterError where there is no set.
    """
    folder = ClusterFolder(path)
    require(folder)
    with folder.locked(tell):
        return _take_down(folder, _plan(folder), tell)


def destroy(path: Path, *, tell: Tell) -> Down:
    """Take the set down and remove its folder with all data. Raises ClusterError where there is no set."""
    folder = ClusterFolder(path)
    require(folder)
    with folder.locked(tell):
        plan = _plan(folder)
        done = _take_down(folder, plan, tell)
        tell(f"removing {folder.path}")
        for member in folder.members(plan):
            shutil.rmtree(member.folder, ignore_errors=not member.folder.exists())
        folder.remove()
    return done


def require(folder: ClusterFolder) -> None:
    """Raises ClusterError where there is no set."""
    if not folder.exists:
        raise ClusterError(
            "there is no local replica set", where=str(folder.path), hint="`barograph cluster up` makes one"
        )


def _plan(folder: ClusterFolder) -> Plan:
    plan = folder.plan()
    if plan is None:
        # Removed by the command that we waited for.
        require(folder)
        raise AssertionError
    return plan


def _take_down(folder: ClusterFolder, plan: Plan, tell: Tell) -> Down:
    members = folder.members(plan)
    pids = running(members)
    there = [member for member in members if member.number in pids]
    primary = talk.primary_of(there)
    others = [member for member in there if member != primary]
    order: list[list[Member]] = [group for group in (others, [primary] if primary is not None else []) if group]
    killed: list[Member] = []
    for group in order:
        tell(f"stopping {', '.join(member.name for member in group)}")
        killed += stop(group, pids)
    return Down(tuple(member.name for group in order for member in group), tuple(member.name for member in killed))
