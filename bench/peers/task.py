"""What a peer is asked to do, and the starts that all of them share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LR, BETA, SIGMA, TEACHER = 0.05, 0.9, 0.1, 1.0
SEEDS = 64


class Task(NamedTuple):
    """Steps of one method on teacher-neuron.

    Args:
        peer: the module that does it.
        n, d, runs: the shape.
        method: as bench-ovp calls it.
        slope: time the difference of two horizons, so that the start does not count.
        pace: the task whose number of steps this one takes, so that both walk the same path.
    """

    peer: str
    n: int
    d: int
    runs: int = SEEDS
    method: str = "gradient-descent"
    slope: bool = False
    pace: Task | None = None


class Missing(Exception):
    """This peer cannot run here; the message says what to install."""


def starts(n: int, d: int, runs: int) -> Array:
    """N(0, σ²) per seed, as teacher-neuron draws it, shape (runs, n, d)."""
    return np.stack([SIGMA * np.random.default_rng(seed).standard_normal((n, d)) for seed in range(runs)])
