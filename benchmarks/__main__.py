"""`python -m benchmarks [a|b|c|d|e|f|all] [--quick] [--write FILE] [--mongodb URI]`: measure, print, keep if asked."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import access, access_time, backups, bulk, machine, nightly, syncs
from benchmarks.process import ROOT, say
from benchmarks.report import Section
from benchmarks.servers import servers, version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 when it could be measured, whether or not the targets were reached."""
    asked = _parse(arguments)
    begun, load = time.monotonic(), machine.load()
    parts = "abcdef" if asked.part == "all" else asked.part
    sections: list[Section] = []
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as name:
        folder = Path(name)
        if "a" in parts:
            sections.append(nightly.measure(folder, quick=asked.quick))
        if set(parts) - set("af"):
            with servers(asked.mongodb) as databases:
                described = machine.describe(version(databases))
                if "b" in parts:
                    sections.append(bulk.measure(folder, databases, quick=asked.quick))
                if "c" in parts:
                    sections.append(access.measure(folder, databases, quick=asked.quick))
                if "d" in parts:
                    sections.append(access_time.measure(folder, databases, quick=asked.quick))
                if "e" in parts:
                    sections.append(backups.measure(folder, databases, quick=asked.quick))
        else:
            described = machine.describe()
        if "f" in parts:
            sections.append(syncs.measure(folder / "f", quick=asked.quick))
    described.append(f"load average before {load}, after {machine.load()}; took {time.monotonic() - begun:.0f} s")
    judged = not asked.quick
    say("")
    print("\n".join([*described, "", *(section.text(judged=judged) for section in sections)]))
    if asked.write is not None:
        lines = ["# Results", "", *(f"- {line}" for line in described), ""]
        lines += [section.markdown(judged=judged) for section in sections]
        asked.write.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
        say(f"written to {asked.write}")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=["a", "b", "c", "d", "e", "f", "all"])
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=ROOT / "benchmarks" / "results.md",
        metavar="FILE",
        help="keep the results as Markdown (default benchmarks/results.md)",
    )
    parser.add_argument("--mongodb", metavar="URI", help="measure on this server instead of a replica set started here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
