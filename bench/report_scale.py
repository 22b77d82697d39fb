"""`bench-ovp report` on a hundred thousand runs: seconds, memory at most, and the size of the page.

Usage: python bench/report_scale.py [deep|broad] [--results DIR]

Two suites of as many short runs: `deep` has 100 pairs of 1000 seeds, `broad` 1000 pairs of 100 seeds. What is not
stored in DIR is run first, which takes some minutes; then the report is drawn in a process of its own, and measured.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

SUITE = """\
name: {name}
problems:
  - exact-neuron: {{d: 3, sigma: {sigmas}}}
  - toy-case-1: {{lambda1: {lambdas}}}
optimizers:
  - gradient-descent: {{lr: {rates}}}
  - heavy-ball: {{lr: {rates}}}
seeds: {seeds}
horizon: {{iterations: 1000}}
checkpoints: {{per_decade: 12}}
"""
SHAPES = {"deep": (5, 5, 1000), "broad": (25, 10, 100)}  # of each kind: problems, optimizers; and seeds
MOST_SECONDS, MOST_MEMORY, MOST_BYTES = 60, 2e9, 20e6


def spread(first: float, last: float, count: int) -> list[float]:
    return [round(first + (last - first) * k / (count - 1), 4) for k in range(count)]


def write_suite(name: str, folder: Path) -> Path:
    problems, optimizers, seeds = SHAPES[name]
    file = folder / f"{name}.yaml"
    text = SUITE.format(
        name=name,
        sigmas=spread(0.05, 0.5, problems),
        lambdas=spread(0.2, 0.8, problems),
        rates=spread(0.02, 0.2, optimizers),
        seeds=seeds,
    )
    file.write_text(text)
    return file


class Measured(NamedTuple):
    seconds: float
    processor: float  # seconds of it; on a busy machine they are fewer
    held: float  # bytes at most
    size: float  # of the page, in bytes


def measure(folder: Path) -> Measured:
    began, before = time.monotonic(), os.times()
    words = [sys.executable, "-m", "bench_ovp.cli", "report", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    status, most = Path(f"/proc/{process.pid}/status"), 0.0
    while process.poll() is None:
        # VmHWM: ru_maxrss of a child begins with what its parent held when it forked.
        for line in status.read_text().splitlines() if status.exists() else ():
            if line.startswith("VmHWM:"):
                most = max(most, 1024 * float(line.split()[1]))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"the report failed with exit code {process.returncode}")
    spent, after = time.monotonic() - began, os.times()
    processor = sum(after[2:4]) - sum(before[2:4])
    return Measured(spent, processor, most, (folder / "report.html").stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", nargs="?", choices=list(SHAPES), help="both by default")
    parser.add_argument("--results", type=Path, default=Path("results"))
    asked = parser.parse_args()
    asked.results.mkdir(parents=True, exist_ok=True)
    sound = True
    for name in [asked.shape] if asked.shape else SHAPES:
        suite = write_suite(name, asked.results)
        words = ["suite", str(suite), "--results", str(asked.results), "--no-report"]
        with open(os.devnull, "w") as nowhere:
            subprocess.run([sys.executable, "-m", "bench_ovp.cli", *words], stdout=nowhere, check=True)
        found = measure(asked.results / name)
        problems, optimizers, seeds = SHAPES[name]
        told = (
            f"{4 * problems * optimizers} pairs x {seeds} seeds: {found.seconds:.1f} s ({found.processor:.1f} s busy)"
        )
        print(f"{name}: {told}, {found.held / 1e6:.0f} MB, page {found.size / 1e6:.1f} MB")
        sound &= found.seconds < MOST_SECONDS and found.held < MOST_MEMORY and found.size < MOST_BYTES
    sys.exit(not sound)


if __name__ == "__main__":
    main()
