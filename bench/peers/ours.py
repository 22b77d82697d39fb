"""This project, by its public Python call, checkpoints included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bench_ovp as ovp
from bench_ovp.registry import assemble

from .task import LR, SIGMA

PACKAGES = ("bench-ovp", "numpy", "numba")
STRANGER = Path(__file__).with_name("stranger.py").resolve()


def prepare(method: str, n: int, d: int, runs: int) -> Callable[[int], object]:
    """`ovp.run` of any optimizer, the stranger's among them; every step is taken, and none carried."""
    registry = assemble((STRANGER,))
    problem = registry.problem("teacher-neuron", n=n, d=d, sigma=SIGMA)
    optimizer = registry.optimizer(method, lr=LR)
    return lambda steps: ovp.run(problem, optimizer, seeds=runs, iterations=steps, stepped=3 * steps)
