"""How well the law detector does on the paper's own problems, where the law is proved.

Usage: bench-ovp suite bench/neuron.yaml      50 seeds, n = 2 to 20 (about 40 minutes of one core)
       bench-ovp suite bench/settings.yaml    other widths, starts and step sizes (25 minutes)
       python bench/neuron.py results/neuron results/settings

Reads the stored traces, finished or not, cuts them at several horizons, and prints for each how many runs were
decided, how many wrongly, how often the exact value lay inside, and how wide the intervals were.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import bench_ovp as ovp
from bench_ovp.registry import installed
from bench_ovp.store import Store
from bench_ovp.suite_run import SUITE_FILE, plan_suite

CUTS = (0.01, 0.1, 1.0)  # of the horizon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--wrong", action="store_true", help="also print each run that is wrong or not covered")
    options = parser.parse_args()
    print(
        f"{'problem x optimizer':68} {'t_end':>8} {'runs':>4} {'decided':>7} {'wrong':>5} {'covered':>7} {'width':>6}"
    )
    for folder in options.results:
        score(folder, options.wrong)


def score(folder: Path, tell: bool) -> None:
    registry = installed()
    _, cells = plan_suite(folder / SUITE_FILE, registry, folder=folder)
    with Store(folder) as store:
        for cell in cells:
            problem, optimizer = cell.revive(registry)
            theory = problem.theory(optimizer.method.family, optimizer.parameters)
            runs = store.load(cell)
            if theory is None or not runs:
                continue
            for cut in CUTS:
                decided = wrong = covered = 0
                width, ends = [], []
                for seed, (run, _, _) in runs.items():
                    time, loss = run.rows["time"], run.rows["loss"]
                    seen = time <= cut * time[-1] * (1 + 1e-9)
                    rate = ovp.fit_rate(time[seen], loss[seen], floor=run.resolution, rtol=optimizer.rtol)
                    ends.append(time[seen][-1])
                    if rate.law == "undecided":
                        continue
                    inside = rate.low <= theory.value <= rate.high
                    decided, wrong, covered = decided + 1, wrong + (rate.law != theory.law), covered + inside
                    width.append(rate.high - rate.low)
                    if tell and not (inside and rate.law == theory.law):
                        print(f"    seed {seed}: {rate.law} {rate.value:.4f} [{rate.low:.4f}, {rate.high:.4f}]")
                row = f"{cell.label:68} {np.median(ends):8.3g} {len(runs):4} {decided / len(runs):7.2f} {wrong:5}"
                share = f"{covered / decided:7.2f} {np.median(width):6.3f}" if decided else f"{'-':>7} {'-':>6}"
                print(f"{row} {share}", flush=True)


if __name__ == "__main__":
    main()
