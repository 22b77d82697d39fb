"""A whole suite, process by process: bench-ovp against benchopt on 3 widths × 2 methods × 5 seeds × 20,000 steps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from .rows import Line, line
from .task import Missing

FOLDER = Path(__file__).resolve().parent
SUITE = FOLDER / "suite.yaml"
BENCHMARK = FOLDER / "benchopt_neuron"
COLD_NUMPY, WARM_NUMPY = "benchopt, NumPy, cold", "benchopt, NumPy, second run"
COLD_NUMBA, WARM_NUMBA = "benchopt, numba, cold", "benchopt, numba, second run"
BARE, BARE_AGAIN = "bench-ovp, no report", "bench-ovp, no report, second run"
FULL, FULL_AGAIN = "bench-ovp, with report", "bench-ovp, with report, second run"
COMPARISONS: tuple[tuple[str, str, float | None], ...] = (
    (BARE, COLD_NUMPY, 1 / 6),
    (BARE, COLD_NUMBA, 1.0),
    (FULL, COLD_NUMPY, 1 / 3),
    (BARE_AGAIN, WARM_NUMPY, 1 / 2),
    (FULL_AGAIN, WARM_NUMPY, 1 / 2),
    (WARM_NUMBA, WARM_NUMPY, None),
)


def remove(*folders: Path) -> None:
    """Folders that need not be there."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


class Process(NamedTuple):
    """A whole process that is timed.

    Args:
        name: in the table.
        command: what is run.
        folder: where.
        forget: is called before, outside the time.
    """

    name: str
    command: list[str]
    folder: Path
    forget: Callable[[], None] = remove

    def seconds(self) -> float:
        """How long it takes; RuntimeError, with what it said last, if it fails."""
        self.forget()
        # All keep their compiled Python, whatever this shell says, and the one thread that they are bound to by now.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        began = time.perf_counter()
        done = subprocess.run(self.command, cwd=self.folder, env=environment, capture_output=True, text=True)
        spent = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(
                f"{self.name} ended with exit code {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
            )
        return spent


def ours(folder: Path) -> list[Process]:
    """bench-ovp from empty results and again, without and with a report; one process, for there is one core."""
    processes = []
    for first, again, more in ((BARE, BARE_AGAIN, ["--no-report"]), (FULL, FULL_AGAIN, [])):
        results = folder / ("report" if first == FULL else "bare")
        command = [beside(sys.executable, "bench-ovp"), "suite", str(SUITE), "--results", str(results), "--jobs", "1"]
        processes.append(Process(first, command + more, folder, partial(remove, results)))
        processes.append(Process(again, command + more, folder))
    return processes


def benchopts(folder: Path, program: str) -> list[Process]:
    """benchopt without its cache and again, with NumPy solvers and with numba's, whose code stays compiled."""
    processes = []
    for kind, first, again in (("numpy", COLD_NUMPY, WARM_NUMPY), ("numba", COLD_NUMBA, WARM_NUMBA)):
        copy = folder / kind
        shutil.copytree(BENCHMARK, copy, ignore=shutil.ignore_patterns("__pycache__", "__cache__", "outputs"))
        command = [program, "run", ".", "--config", f"{kind}.yml", "--no-display"]
        processes.append(Process(first, command, copy, partial(remove, copy / "__cache__", copy / "outputs")))
        processes.append(Process(again, command, copy))
    return processes


def beside(python: str, name: str) -> str:
    """The command `name` that belongs to a Python, else the one on PATH; raises Missing."""
    found = shutil.which(name, path=str(Path(python).absolute().parent)) or shutil.which(name)
    if found is None:
        raise Missing(f"the command {name} (pip install {name})")
    return found


def suites_table(benchopt_python: str | None, rounds: int) -> tuple[list[Line], dict[str, str], dict[str, str]]:
    """The lines, the versions, and what was skipped and why."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        processes, skipped = ours(folder), {}
        versions = {"bench-ovp": version("bench-ovp")}
        try:
            program = beside(benchopt_python or sys.executable, "benchopt")
            processes += benchopts(folder, program)
            told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
            versions["benchopt"] = told.stdout.split()[-1]
        except Missing as missing:
            skipped["benchopt"] = str(missing)
        spent = take_turns(processes, rounds)
    lines = [
        line(what, spent[what], against, spent[against], promise)
        for what, against, promise in COMPARISONS
        if against in spent
    ]
    if not lines:
        lines = [line(what, spent[what], BARE, spent[BARE]) for what in spent]
    return lines, versions, skipped


def take_turns(processes: list[Process], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, one of each round, after one that compiles and is not counted."""
    spent: dict[str, list[float]] = {process.name: [] for process in processes}
    for number in range(rounds + 1):
        print(f"suite: round {number} of {rounds}" if number else "suite: compiling", file=sys.stderr)
        for process in processes:
            if number or process.name in (BARE, FULL, COLD_NUMBA):
                seconds = process.seconds()
                if number:
                    spent[process.name].append(seconds)
    return spent
