"""Gradient descent preconditioned by the damped Gauss–Newton matrix."""

from __future__ import annotations

import numpy as np

from bench_ovp import StepMethod
from bench_ovp.parameters import NonNegative, Positive


def precondition(oracle, w, state, k, lr: Positive = 0.5, damping: Positive = 1.0, power: NonNegative = 0.5):
    """Damped Gauss–Newton: w ← w − lr (G(w) + damping·L(w)^power I)⁻¹ ∇L(w).

    The damping falls with the loss, so that directions in which the loss is flat are not held back for ever;
    with power = 0 it stays, and the flat directions decide again.

    Args:
        lr: step size, units of time per iteration; 1 is a full Gauss–Newton step.
        damping: factor of the damping, in units of G per unit of loss to that power.
        power: exponent of the loss in the damping.

    Source: after the preconditioner that Zhang, Fattahi & Zhang (2022) use for Burer–Monteiro factorisation.
    """
    n, d = w.shape[1:]
    loss, grad = oracle.loss_and_grad(w)
    matrix = oracle.gauss_newton(w)
    shift = damping * loss**power
    shift = np.where(loss > 0.0, shift, 1.0)  # at the minimum the gradient is 0 and nothing moves
    matrix[:, np.arange(n * d), np.arange(n * d)] += shift[:, None]
    move = np.full_like(w, np.nan)
    usable = np.all(np.isfinite(matrix), axis=(1, 2))
    if usable.any():
        move[usable] = solve(matrix[usable], grad[usable].reshape(-1, n * d, 1)).reshape(-1, n, d)
    return w - lr * move, state


def solve(matrices, vectors):
    """Solutions (runs, n·d, 1); NaN for a run whose matrix is singular, which would refuse the whole batch."""
    try:
        return np.linalg.solve(matrices, vectors)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full_like(vectors, np.nan)
        return np.concatenate([solve(matrices[k : k + 1], vectors[k : k + 1]) for k in range(len(matrices))])


PRECONDITIONED_GRADIENT_DESCENT = StepMethod(
    "preconditioned-gradient-descent",
    precondition,
    family="gauss-newton",
    rotation_equivariant=True,
    isometry_equivariant=True,
    compile=False,  # a factorisation per run: LAPACK's work
)
