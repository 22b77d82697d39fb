"""Gradient descent and its relatives: w has shape (runs, n, d), k counts steps from 0."""

from __future__ import annotations

import numpy as np

from bench_ovp import StepMethod
from bench_ovp.parameters import Fraction, Positive


def remember(w):
    """The state of a method with momentum: where it was a step ago."""
    return (w,)


def descend(oracle, w, state, k, lr: Positive = 0.05):
    """Gradient descent: w ← w − lr ∇L(w).

    Args:
        lr: step size, units of time per iteration.

    Source: Cauchy (1847).
    """
    return w - lr * oracle.grad(w), state


def roll(oracle, w, state, k, lr: Positive = 0.05, beta: Fraction = 0.9):
    """The heavy ball: w ← w − lr ∇L(w) + β(w − w₋), with w₋ the iterate before.

    Args:
        lr: step size, units of time per iteration.
        beta: momentum, in [0, 1).

    Source: Polyak (1964), Some methods of speeding up the convergence of iteration methods.
    """
    (before,) = state
    return w - lr * oracle.grad(w) + beta * (w - before), (w,)


def accelerate(oracle, w, state, k, lr: Positive = 0.05):
    """Nesterov's method for convex functions: y = w + (k − 1)/(k + 2)·(w − w₋), then w ← y − lr ∇L(y).

    The traces show w, not the point y where the gradient is taken.

    Args:
        lr: step size, units of time per iteration.

    Source: Nesterov (1983); with this momentum, Su, Boyd & Candès (2016).
    """
    (before,) = state
    y = w + (k - 1.0) / (k + 2.0) * (w - before)
    return y - lr * oracle.grad(y), (w,)


def polyak(oracle, w, state, k):
    """Gradient descent with Polyak's step: w ← w − L(w)/‖∇L(w)‖² ∇L(w), for a minimum of 0.

    Its clock is the iteration, for the steps grow without bound.

    Source: Polyak (1987), Introduction to Optimization, Section 5.3.2.
    """
    loss, grad = oracle.loss_and_grad(w)
    squares = np.sum(np.sum(grad * grad, axis=2), axis=1)
    return w - (loss / squares).reshape(-1, 1, 1) * grad, state


def recur_without_memory(lr):
    """w₊ − w = −lr ∇L(w)."""
    return (1.0, -1.0), (0.0, lr)


def recur_with_momentum(lr, beta):
    """w₊ − (1 + β) w + β w₋ = −lr ∇L(w)."""
    return (1.0, -(1.0 + beta), beta), (0.0, lr)


GRADIENT_DESCENT = StepMethod(
    "gradient-descent",
    descend,
    family="gradient-descent",
    isometry_equivariant=True,
    recurrence=recur_without_memory,
)
HEAVY_BALL = StepMethod(
    "heavy-ball",
    roll,
    remember,
    family="heavy-ball",
    isometry_equivariant=True,
    recurrence=recur_with_momentum,
)
NESTEROV = StepMethod("nesterov", accelerate, remember, family="nesterov", isometry_equivariant=True)
POLYAK_STEP = StepMethod("polyak-step", polyak, family="polyak", isometry_equivariant=True)
