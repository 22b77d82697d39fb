"""Where a problem is asked: its starts, and ordinary points near them."""

from __future__ import annotations

import numpy as np

from ..problems import Array, Problem

SEEDS = tuple(range(8))
SPREAD = 0.3  # of a perturbation, in units of the start's root mean square
STRETCH = 1.7


def ordinary_points(problem: Problem) -> Array:
    """Starts, perturbed starts and scaled starts of 8 seeds, shape (20, n, d): more runs than vector lanes.

    A scaled start where loss or gradient is not finite is left out: a problem may have a bounded domain.
    """
    starts = problem.start(SEEDS)
    noise = np.random.default_rng(2023).standard_normal(starts.shape)
    near = starts + SPREAD * scales(starts) * noise
    far = STRETCH * starts[:4]
    fine = np.isfinite(problem.loss(far)) & np.all(np.isfinite(problem.grad(far)), axis=(1, 2))
    return np.ascontiguousarray(np.concatenate([starts, near, far[fine]]))


def few_points(problem: Problem) -> Array:
    """Two starts, two perturbed and up to two scaled ones, for what costs more, shape (at most 6, n, d)."""
    return np.ascontiguousarray(ordinary_points(problem)[[0, 1, 8, 9, -2, -1]])


def scales(w: Array) -> Array:
    """The root mean square of each run's coordinates, 1 where all are 0, shape (runs, 1, 1)."""
    found = np.sqrt(np.mean(w * w, axis=(1, 2), keepdims=True))
    return np.where(found > 0.0, found, 1.0)
