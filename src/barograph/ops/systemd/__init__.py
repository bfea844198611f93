"""systemd's units for this machine, every line with its reason, and their installation."""

from barograph.ops.systemd.install import Written, install
from barograph.ops.systemd.machine import Machine
from barograph.ops.systemd.unit import Unit
from barograph.ops.systemd.units import units_of

__all__ = ["Machine", "Unit", "Written", "install", "units_of"]
