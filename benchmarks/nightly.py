"""(a) The nightly job on the network's export files, beside a naive pandas load of the same files; and start-up."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import Final

from barograph.simulate import simulate
from benchmarks.process import ROOT, Usage, run, run_module, say
from benchmarks.report import Section, Table, Target, median, milliseconds

PROGRAM: Final = str(Path(sysconfig.get_path("scripts")) / "barograph")
BOUND: Final = 0.6
START_UP: Final = 0.4
NOTE: Final = (
    "The job is `barograph run` with a new data folder: it lands the exports, decodes them to UTC and metric units, "
    "flags, stores, and writes ledger, logs and run report. The naive load does none of that."
)


def measure(folder: Path, *, quick: bool) -> Section:
    """CPU seconds of whole processes, the median of several, taken in turns."""
    place, told = exports(folder / "exports")
    rounds = 1 if quick else 5
    job: list[Usage] = []
    naive: list[Usage] = []
    reports = 0
    say(f"(a) the job and the naive load, {rounds} times each, on {told}")
    for number in range(0 if quick else -1, rounds):
        # Round -1 fills the page cache and Python's bytecode cache and is not counted.
        ours, count = _job(place, folder / f"run{number}")
        theirs = run_module("benchmarks.naive", str(place))
        assert int(theirs.output) == count, f"the naive load found {theirs.output.strip()} rows, the job {count}"
        reports = count
        if number >= 0:
            job.append(ours)
            naive.append(theirs)
    ours_cpu, theirs_cpu = median(usage.cpu for usage in job), median(usage.cpu for usage in naive)
    ours_wall, theirs_wall = median(usage.wall for usage in job), median(usage.wall for usage in naive)
    rows = [
        ["barograph run (sync, land, decode, flag, store)", f"{ours_cpu:.2f}", f"{ours_wall:.2f}"],
        ["naive pandas load (into memory only)", f"{theirs_cpu:.2f}", f"{theirs_wall:.2f}"],
        ["ratio", f"{ours_cpu / theirs_cpu:.2f}", f"{ours_wall / theirs_wall:.2f}"],
    ]
    title = f"{reports:,} reports of {told}; seconds of a fresh process, median of {len(job)}"
    start = _start_up(3 if quick else 15)
    return Section(
        "(a) The nightly job beside a naive load",
        [Table(title, ["", "CPU s", "wall s"], rows), _start_table(start)],
        [
            Target("CPU of the whole job / CPU of the naive load", ours_cpu / theirs_cpu, BOUND, "", "less"),
            *(Target(f"start-up: {name}", median(values), START_UP, "s", "less") for name, values in start.items()),
        ],
        [NOTE],
    )


def exports(made: Path) -> tuple[Path, str]:
    """The folder of the published exports, or `made` with simulated ones of the same shape; and what they are."""
    named = os.environ.get("BAROGRAPH_REAL")
    real = Path(named) if named else ROOT.parent / "shared" / "real"
    if (real / "barograph.toml").is_file():
        return real.resolve(), "the network's published export files"
    simulate(made, days=7)
    return made, "simulated export files (the published ones are not on this machine: set BAROGRAPH_REAL)"


def _job(exports: Path, data_dir: Path) -> tuple[Usage, int]:
    config = str(exports / "barograph.toml")
    usage = run([PROGRAM, "--config", config, "--data-dir", str(data_dir), "run", "--json"])
    report = json.loads(usage.output)
    assert report["status"] == "done", report["errors"]
    return usage, report["reports"]["new"]


def _start_up(rounds: int) -> dict[str, list[float]]:
    """Wall-clock seconds of fresh processes."""
    commands = {
        "barograph --help": [PROGRAM, "--help"],
        "import barograph": [sys.executable, "-c", "import barograph"],
    }
    say(f"(a) start-up, {rounds} times")
    return {name: [run(command).wall for _ in range(rounds)] for name, command in commands.items()}


def _start_table(start: dict[str, list[float]]) -> Table:
    bare = [run([sys.executable, "-c", "pass"]).wall for _ in range(5)]
    every = {**start, "(python alone)": bare}
    rows = [[name, milliseconds(median(values)), milliseconds(min(values))] for name, values in every.items()]
    return Table("Start-up; ms of a fresh process", ["", "median", "best"], rows)
