"""Muon: momentum whose step is made orthogonal: w has shape (runs, n, d), k counts steps from 0."""

from __future__ import annotations

import numpy as np

from bench_ovp import StepMethod
from bench_ovp.parameters import Fraction, NonNegative, Positive

from .directions import begin_at_rest

ROUNDS = 5
CUBIC, QUINTIC = -4.775, 2.0315  # beside 3.4445: steep at 0, and after 5 rounds singular values lie in 0.7 to 1.2
LINEAR = 3.4445


def roll_orthogonally(oracle, w, state, k, lr: Positive = 0.01, beta: Fraction = 0.95, cooling: NonNegative = 0.0):
    """Muon: m ← beta m + g, w ← w − lr e^(−cooling·k) √max(1, n/d) O(g + beta m), with students as rows.

    O(M) is nearly the orthogonal matrix next to M: of M/‖M‖, five rounds of X ← (aI + bA + cA²)X with A = XXᵀ.

    Args:
        lr: length of a step in every direction that the students span.
        beta: momentum, in [0, 1).
        cooling: rate at which steps shrink, per iteration; 0 for steps that do not.

    Source: Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks.
    """

    (mean,) = state
    g = oracle.grad(w)
    mean = beta * mean + g
    x = g + beta * mean
    norm = np.sqrt(np.sum(np.sum(x * x, axis=2), axis=1)).reshape(-1, 1, 1)
    x = x / np.where(norm > 0.0, norm, 1.0)
    for r in range(len(w)):
        one = np.ascontiguousarray(x[r])
        for _ in range(ROUNDS):
            a = one @ one.T
            one = LINEAR * one + (CUBIC * a + QUINTIC * (a @ a)) @ one
        x[r] = one
    step = lr * np.exp(-cooling * k) * np.sqrt(max(1.0, w.shape[1] / w.shape[2]))
    return w - step * x, (mean,)


# It mixes students, so it commutes with rotations of the d coordinates only. In fewer of them n/d is below 1 still.
MUON = StepMethod("muon", roll_orthogonally, begin_at_rest, rotation_equivariant=True)
