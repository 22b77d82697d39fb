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


def measure(folder: Path) -> tuple[float, float]:
    """Seconds and bytes held at most by `bench-ovp report`."""
    began = time.monotonic()
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
    return time.monotonic() - began, most


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
        seconds, held = measure(asked.results / name)
        size = (asked.results / name / "report.html").stat().st_size
        problems, optimizers, seeds = SHAPES[name]
        pairs = 4 * problems * optimizers
        print(f"{name}: {pairs} pairs x {seeds} seeds: {seconds:.1f} s, {held / 1e6:.0f} MB, page {size / 1e6:.1f} MB")
        sound &= seconds < MOST_SECONDS and held < MOST_MEMORY and size < MOST_BYTES
    sys.exit(not sound)


if __name__ == "__main__":
    main()
