"""The sandbox of every unit: what a weather job never needs, taken away (systemd.exec(5)).

`systemd-analyze security --offline=yes` rates a unit without any of it 9.6 of 10 and one with it below 2; the test
holds the threshold. What remains is the network, which the job is for, and its own folder.
"""

from __future__ import annotations

from typing import Final

from barograph.ops.systemd.machine import STATE, Machine
from barograph.ops.systemd.unit import Setting

_FIXED: Final = (
    Setting("NoNewPrivileges", "yes", "No set-user-ID program can give rights back."),
    Setting("CapabilityBoundingSet", "", "It binds no low port and changes no owner: no capability at all."),
    Setting("AmbientCapabilities", ""),
    Setting("ProtectSystem", "strict", "The whole file system is read-only, but for the state folder."),
    Setting("ProtectHome", "yes", "No home is seen; configuration and data lie in /etc and /var."),
    Setting("PrivateTmp", "yes", "A /tmp of its own, where long downloads are spooled; emptied when it ends."),
    Setting("PrivateDevices", "yes", "No disk, no terminal, no sensor."),
    Setting("ProtectKernelTunables", "yes", "Nothing of the kernel is changed, loaded or read."),
    Setting("ProtectKernelModules", "yes"),
    Setting("ProtectKernelLogs", "yes"),
    Setting("ProtectControlGroups", "yes"),
    Setting("ProtectClock", "yes", "The clock and the host's name belong to others."),
    Setting("ProtectHostname", "yes"),
    Setting("ProtectProc", "invisible", "Other processes are not seen."),
    Setting("ProcSubset", "pid"),
    Setting("RestrictNamespaces", "yes", "No containers inside."),
    Setting("RestrictRealtime", "yes"),
    Setting("RestrictSUIDSGID", "yes"),
    Setting("LockPersonality", "yes"),
    Setting("MemoryDenyWriteExecute", "yes", "Nothing here makes code while it runs."),
    Setting("RemoveIPC", "yes"),
    Setting("PrivateUsers", "yes", "Only root and the job's own user exist inside."),
    Setting("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX", "Servers of stations, S3, MongoDB; the journal."),
    Setting("SystemCallArchitectures", "native"),
    Setting("SystemCallFilter", "@system-service", "What services need, without what changes the machine."),
    Setting("SystemCallFilter", "~@privileged @resources"),
    Setting("SystemCallErrorNumber", "EPERM", "A library that tries is told no, rather than killed."),
    Setting("UMask", "0077", "What it writes is its own."),
)


def sandbox(machine: Machine) -> tuple[Setting, ...]:
    """The settings, and the one folder that may be written."""
    if machine.data_dir.parent == STATE:
        why = f"{machine.data_dir} is made for the user, and may be written."
        state = (Setting("StateDirectory", machine.data_dir.name, why), Setting("StateDirectoryMode", "0750"))
        return (*_FIXED, *state)
    return (*_FIXED, Setting("ReadWritePaths", str(machine.data_dir), "The data folder; make it for the user."))
