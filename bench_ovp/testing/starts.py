"""Checks of a problem's starts."""

from __future__ import annotations

import numpy as np

from ..problems import Problem
from .check import Nonconformance
from .points import SEEDS


def check_start_shape(problem: Problem) -> None:
    """Starts are finite float64 of shape (runs, n, d)."""
    w = problem.instance.start(list(SEEDS))
    if not isinstance(w, np.ndarray) or w.ndim != 3 or len(w) != len(SEEDS) or 0 in w.shape:
        told = getattr(w, "shape", type(w).__name__)
        raise Nonconformance(
            f"start of {len(SEEDS)} seeds returns {told}; return one array of shape (runs, n, d), a run per seed"
        )
    if w.dtype != np.float64:
        raise Nonconformance(f"start returns {w.dtype}; return float64: add .astype(float)")
    if not np.all(np.isfinite(w)):
        raise Nonconformance(f"the start of seed {_first(~np.isfinite(w))} is not finite; start from finite numbers")


def check_start_seeds(problem: Problem) -> None:
    """A start is a function of its own seed alone, and seeds differ, unless `same_start` says otherwise."""
    start = problem.instance.start
    whole = np.array(start(list(SEEDS)))
    remedy = "draw each start from its own seed alone: [numpy.random.default_rng(seed).… for seed in seeds]"
    if not np.array_equal(whole, start(list(SEEDS))):
        raise Nonconformance(f"the same seeds start elsewhere at a second call; {remedy}")
    for some in ([5], [6, 1, 3], list(reversed(SEEDS)), [2, 2]):
        if not np.array_equal(whole[some], start(some)):
            raise Nonconformance(f"the starts of seeds {some} depend on which seeds are asked for with them; {remedy}")
    fresh = type(problem)(problem.definition, problem.given).instance.start(list(SEEDS))
    if not np.array_equal(whole, fresh):
        raise Nonconformance(f"two problems with the same parameters start the same seed elsewhere; {remedy}")
    different = len({run.tobytes() for run in whole})
    declared = bool(getattr(problem.definition, "same_start", False))
    if declared and different > 1:
        raise Nonconformance("same_start = True, but seeds start at different points; remove the declaration")
    if declared or (different == 1 and problem.given):
        return  # the parameters that were given may well fix the start
    if different < len(SEEDS):
        raise Nonconformance(
            f"{len(SEEDS)} seeds start at {different} different points; {remedy}; "
            "or declare `same_start = True` on the class if there is only one start"
        )


def _first(wrong: np.ndarray) -> int:
    return int(SEEDS[int(np.flatnonzero(np.any(wrong, axis=(1, 2)))[0])])
