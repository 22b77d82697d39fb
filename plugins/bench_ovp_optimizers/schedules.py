"""Gradient descent with steps that are laid down beforehand: w has shape (runs, n, d), k counts steps from 0.

The clock is lr·k, the contract's, and not the sum of the steps.
"""

from __future__ import annotations

import numpy as np

from bench_ovp import StepMethod
from bench_ovp.parameters import Count, NonNegative, Positive


def descend_by_power(oracle, w, state, k, lr: Positive = 0.1, power: float = -0.5):
    """Gradient descent with steps lr (k + 1)^power: they shrink for a negative power, and grow for a positive one.

    Args:
        lr: first step, units of time per iteration.
        power: exponent of the schedule.

    Source: Robbins & Monro (1951), A stochastic approximation method.
    """
    return w - lr * (k + 1.0) ** power * oracle.grad(w), state


def descend_cooling(oracle, w, state, k, lr: Positive = 0.1, cooling: NonNegative = 1e-4):
    """Gradient descent with steps lr e^(−cooling·k), whose sum is finite.

    Args:
        lr: first step, units of time per iteration.
        cooling: rate at which steps shrink, per iteration.

    Source: Goffin (1977), On convergence rates of subgradient optimization methods.
    """
    return w - lr * np.exp(-cooling * k) * oracle.grad(w), state


def descend_by_cosine(oracle, w, state, k, lr: Positive = 0.1, steps: Count = 100_000):
    """Gradient descent with steps lr/2·(1 + cos(π k/steps)), and none from k = steps on.

    Args:
        lr: first step, units of time per iteration.
        steps: iterations until the step is 0.

    Source: Loshchilov & Hutter (2017), SGDR: stochastic gradient descent with warm restarts, without restarts.
    """
    return w - 0.5 * lr * (1.0 + np.cos(np.pi * min(k / steps, 1.0))) * oracle.grad(w), state


def descend_by_silver(oracle, w, state, k, lr: Positive = 0.1):
    """Gradient descent with the silver steps: lr (1 + (1 + √2)^(ν − 1)), with 2^ν the largest power in k + 1.

    Every other step is √2 lr. Longer and longer ones come ever more seldom, and the sum of k steps is about
    lr k^1.27. For convex functions of curvature at most 1/lr.

    Args:
        lr: step size, units of time per iteration.

    Source: Altschuler & Parrilo (2025), Acceleration by stepsize hedging II.
    """
    rest = k + 1
    factor = 1.0 / (1.0 + np.sqrt(2.0))
    while rest % 2 == 0:
        rest //= 2
        factor = factor * (1.0 + np.sqrt(2.0))
    return w - lr * (1.0 + factor) * oracle.grad(w), state


def descend_with_polyak(oracle, w, state, k, lr: Positive = 0.5, period: Count = 20):
    """Gradient descent in which every period-th step is Polyak's: L(w)/‖∇L(w)‖² instead of lr.

    The short steps lead to the floor of a ravine, the long one goes along it.

    Args:
        lr: of the short steps, units of time per iteration.
        period: one step of so many is long.

    Source: after Davis, Drusvyatskiy & Jiang (2024), Gradient descent with adaptive stepsize converges (nearly)
        linearly under fourth-order growth.
    """
    loss, g = oracle.loss_and_grad(w)
    squares = np.sum(np.sum(g * g, axis=2), axis=1)
    step = loss / np.where(squares > 0.0, squares, 1.0) if k % period == period - 1 else np.full_like(loss, lr)
    return w - step.reshape(-1, 1, 1) * g, state


POWER_SCHEDULE = StepMethod("gradient-descent-power", descend_by_power, isometry_equivariant=True)
COOLING_SCHEDULE = StepMethod("gradient-descent-cooling", descend_cooling, isometry_equivariant=True)
COSINE_SCHEDULE = StepMethod("gradient-descent-cosine", descend_by_cosine, isometry_equivariant=True)
SILVER_SCHEDULE = StepMethod("gradient-descent-silver", descend_by_silver, isometry_equivariant=True)
GRADIENT_DESCENT_POLYAK = StepMethod("gradient-descent-polyak", descend_with_polyak, isometry_equivariant=True)
