"""The command line with its peak of resident memory on stderr's last line: `python -m tests.e2e.measured ARGUMENTS…`.

VmHWM belongs to this program alone; a child's ru_maxrss would begin with the memory of the process that started it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from barograph.faces.cli.main import main

if __name__ == "__main__":
    try:
        main()
    finally:
        match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
        sys.stderr.write(f"\npeak {match[1] if match else 0} KiB\n")
