"""What a suite costs beside computing and fitting: every run and fit is canned, in one process, without a report.

Usage: python bench/overhead.py [PROBLEMS] [OPTIMIZERS]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench_ovp import integrate as engine
from bench_ovp import suite_run, work
from bench_ovp.registry import installed

SUITE = """\
name: overhead
problems:
  - exact-neuron: {{d: 5, sigma: {sigmas}}}
optimizers:
  - gradient-descent: {{lr: {rates}}}
seeds: 10
horizon: {{iterations: 100}}
"""


def main() -> None:
    problems, optimizers = (int(word) for word in (*sys.argv[1:], "1000", "1")[:2])
    text = SUITE.format(
        sigmas=np.round(np.linspace(0.01, 0.3, problems), 8).tolist(),
        rates=np.round(np.linspace(0.01, 0.1, optimizers), 8).tolist(),
    )
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "suite.yaml"
        file.write_text(text)
        suite, cells = suite_run.plan_suite(file, installed())
        pair = cells[0].revive(installed())
        canned = engine.integrate(*pair, suite.seeds, suite.horizon)
        rates = {run.seed: work.fit_run(run, pair[1]) for run in canned.runs}
        engine.integrate = lambda problem, optimizer, *rest, **named: replace(
            canned, problem=problem, optimizer=optimizer
        )
        work.fit_run = lambda run, *rest: replace(rates[run.seed], value=rates[run.seed].value * rng.uniform(0.9, 1.1))
        began = time.process_time()
        suite_run.run_suite(file, Path(home), executor="serial", report=False)
        spent = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{len(cells)} cells: {1e3 * spent / len(cells):.2f} ms of CPU a cell; peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
