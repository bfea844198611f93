"""The units: the nightly job, backup and drill with their timers, the scheduler, and the alert."""

from __future__ import annotations

from barograph.ops.systemd.hardening import sandbox
from barograph.ops.systemd.machine import Machine
from barograph.ops.systemd.unit import Setting, Unit


def units_of(machine: Machine) -> tuple[Unit, ...]:
    """Every unit of a machine. Either the run timer or the scheduler is to be enabled, not both."""
    day = f"*-*-* {{}}:00 {machine.timezone}"
    return (
        _job(
            machine,
            "run",
            "Nightly job of barograph: sync, then ingest",
            ("run",),
            hours=6,
            conflicts=True,
            retry=True,
        ),
        _timer(
            "run",
            "The nightly job of barograph",
            day.format(machine.run_at),
            f"Midnight on the clocks of {machine.timezone}, in summer and in winter."
            if machine.run_at == "00:00"
            else f"{machine.run_at} on the clocks of {machine.timezone}, in summer and in winter.",
        ),
        _job(machine, "backup", "Backup of barograph's store", ("backup", "create"), ("backup", "prune"), hours=4),
        _timer(
            "backup",
            "The nightly backup of barograph's store",
            day.format(machine.backup_at),
            "After the nightly job, so that no run is under way.",
        ),
        _job(machine, "drill", "Restore drill of barograph's newest backup", ("backup", "drill"), hours=4),
        _timer(
            "drill",
            "The weekly restore drill of barograph",
            f"Sun *-*-* {machine.drill_at}:00 {machine.timezone}",
            "Once a week: a backup that was never restored is a hope.",
        ),
        _scheduler(machine),
        _alert(machine),
    )


def _command(machine: Machine, *words: str) -> str:
    return " ".join((str(machine.program), f"--config={machine.config}", f"--data-dir={machine.data_dir}", *words))


def _header(description: str, *more: Setting) -> tuple[str, tuple[Setting, ...]]:
    return "Unit", (Setting("Description", description), *more)


_NETWORK = (
    Setting("Wants", "network-online.target", "Servers are asked: wait for the network after a boot."),
    Setting("After", "network-online.target time-sync.target", "And for the clock, which orders the extractions."),
)


def _who(machine: Machine) -> tuple[Setting, ...]:
    return (
        Setting("User", machine.user, "Never root; `install-service` makes the user."),
        Setting("Group", machine.user),
        Setting(
            "LoadCredential",
            f"barograph:{machine.credentials}",
            "Every file there is a secret under the name of its variable (BAROGRAPH_STORE, a token, AWS keys), "
            "readable to root alone; the job gets copies in memory that no other process sees.",
        ),
        Setting("Environment", "PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1", "Lines reach the journal at once."),
        Setting(
            "Environment",
            "POLARS_SKIP_CPU_CHECK=1",
            "polars looks at the processor with code that it makes while it runs; MemoryDenyWriteExecute forbids that.",
        ),
    )


def _job(
    machine: Machine,
    name: str,
    description: str,
    *commands: tuple[str, ...],
    hours: int,
    conflicts: bool = False,
    retry: bool = False,
) -> Unit:
    unit = [
        *_NETWORK,
        Setting(
            "OnFailure",
            "barograph-alert@%n.service",
            "Any other end than success is told: also exit 3, with which the job finishes when something was rejected "
            "or failed.",
        ),
    ]
    if conflicts:
        unit.append(Setting("Conflicts", "barograph-scheduler.service", "It does the same work: one of both."))
    service = [Setting("Type", "oneshot", "It works and ends.")]
    service += [Setting("ExecStart", _command(machine, *words)) for words in commands]
    if retry:
        unit += [
            Setting("StartLimitIntervalSec", "4h", "At most three tries in a night."),
            Setting("StartLimitBurst", "3"),
        ]
        service += [
            Setting("Restart", "on-failure", "A server that was down at midnight may be up again soon."),
            Setting("RestartSec", "15min"),
            Setting(
                "RestartPreventExitStatus",
                "2 3",
                "Not for a wrong configuration (2), nor where it has finished and found something to reject (3).",
            ),
        ]
    service += [
        *_who(machine),
        Setting("TimeoutStartSec", f"{hours}h", "A night's work; then it hangs and is ended, which loses nothing."),
        Setting("MemoryMax", machine.memory, "Its memory is bounded; should that fail, the machine goes on."),
        Setting("TasksMax", "256"),
        Setting("Nice", "5", "A database on the same machine goes first."),
        *sandbox(machine),
    ]
    return Unit(f"barograph-{name}.service", (_header(description, *unit), ("Service", tuple(service))))


def _timer(name: str, description: str, when: str, why: str) -> Unit:
    timer = (
        Setting("OnCalendar", when, why),
        Setting("Persistent", "true", "A machine that was off at that time does it when it is up again."),
        Setting("AccuracySec", "1s", "At that time, not within the next minute."),
        Setting("Unit", f"barograph-{name}.service"),
    )
    install = (Setting("WantedBy", "timers.target"),)
    return Unit(f"barograph-{name}.timer", (_header(description), ("Timer", timer), ("Install", install)))


def _scheduler(machine: Machine) -> Unit:
    unit = (*_NETWORK, Setting("OnFailure", "barograph-alert@%n.service"))
    service = (
        Setting("Type", "exec"),
        Setting("ExecStart", _command(machine, "scheduler"), "Each connection at its own times, instead of one night."),
        Setting("Restart", "always", "It is to run for ever."),
        Setting("RestartSec", "30s"),
        Setting("KillSignal", "SIGTERM", "It ends its syncs, keeps what they have landed, and goes."),
        Setting("TimeoutStopSec", "90s"),
        *_who(machine),
        Setting("MemoryMax", machine.memory, "Its memory is bounded; should that fail, the machine goes on."),
        Setting("TasksMax", "512"),
        *sandbox(machine),
    )
    install = (Setting("WantedBy", "multi-user.target"),)
    header = _header("Scheduler of barograph's connections", *unit)
    return Unit("barograph-scheduler.service", (header, ("Service", service), ("Install", install)))


def _alert(machine: Machine) -> Unit:
    service = (
        Setting("Type", "oneshot"),
        Setting(
            "ExecStart",
            _command(machine, "alert", "%i"),
            "Says in the journal, and to the address in [alert] url, which unit failed and what `status` says.",
        ),
        *_who(machine),
        Setting("TimeoutStartSec", "2min"),
        Setting("MemoryMax", "512M"),
        Setting("TasksMax", "64"),
        *sandbox(machine),
    )
    return Unit("barograph-alert@.service", (_header("Alert of barograph: %i failed"), ("Service", service)))
