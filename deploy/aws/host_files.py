"""The files of the EC2 instance: the drop-ins of barograph's own units, and what they need beside them.

The units themselves are not here: the instance asks the image for them (`barograph install-service`), so that they are
those of the version that runs. Needs no CDK, so that the tests can hold the result against systemd.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from deploy.aws.settings import IMAGE_USER, Settings

HOST: Final = Path(__file__).parent / "host"
SCRIPT: Final = Path(__file__).parent / "scripts" / "nightly.py"
ROOT: Final = "/srv/barograph"
LOG: Final = "/var/log/barograph/job.log"
UNITS: Final = "/etc/systemd/system"
PLACES: Final[dict[str, tuple[str, str]]] = {
    "barograph-.service.d/50-image.conf": (f"{UNITS}/barograph-.service.d/50-image.conf", "0644"),
    "barograph-run.service.d/60-job.conf": (f"{UNITS}/barograph-run.service.d/60-job.conf", "0644"),
    "barograph-drill.service.d/60-job.conf": (f"{UNITS}/barograph-drill.service.d/60-job.conf", "0644"),
    "barograph-alert@.service.d/60-job.conf": (f"{UNITS}/barograph-alert@.service.d/60-job.conf", "0644"),
    "job-secrets.service": (f"{UNITS}/job-secrets.service", "0644"),
    "job-secrets": ("/usr/local/sbin/job-secrets", "0755"),
    "cloudwatch-agent.json": ("/etc/barograph/cloudwatch-agent.json", "0644"),
    "logrotate": ("/etc/logrotate.d/barograph", "0644"),
}
_NAME: Final = re.compile(r"\$([a-z_]+)")


def enable(settings: Settings) -> str:
    """The command that wakes the timers; the job's database user can only be made once the master's secret is known.

    The backup is part of the nightly job, so its own timer stays off.
    """
    if not settings.master_secret_arn:
        return "# The timers sleep until master_secret_arn is given."
    return "systemctl enable --now barograph-run.timer" + (" barograph-drill.timer" if settings.drill else "")


def filled(name: str, values: dict[str, str]) -> str:
    """A file of the folder, with each `$name` in lower case as `values` says; KeyError where they do not."""
    return _NAME.sub(lambda match: values[match[1]], (HOST / name).read_text(encoding="utf-8"))


def values_of(settings: Settings, **given: str) -> dict[str, str]:
    """What the files ask for: from the settings, and what only the stack knows."""
    return {
        "root": ROOT,
        "log": LOG,
        "log_folder": str(Path(LOG).parent),
        "uid": IMAGE_USER,
        "region": settings.region,
        "run_at": settings.run_at,
        "timezone": settings.timezone,
        "enable": enable(settings),
        **given,
    }
