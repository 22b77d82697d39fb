"""Methods that scale each coordinate by the gradients it has seen: w has shape (runs, n, d), k counts steps from 0.

They commute with no rotation, since the axes are theirs. With `cooling` their steps shrink like e^(−cooling·k).
"""

from __future__ import annotations

import numpy as np

from bench_ovp import StepMethod
from bench_ovp.parameters import Fraction, NonNegative, Positive


def begin_sum(w):
    """A sum over the squares of no gradients yet."""
    return (np.zeros_like(w),)


def begin_moments(w):
    """Both averages before the first gradient."""
    return np.zeros_like(w), np.zeros_like(w)


def scale_by_sum(oracle, w, state, k, lr: Positive = 0.1, eps: Positive = 1e-10):
    """Adagrad: s ← s + g², w ← w − lr g/(√s + eps), coordinate by coordinate.

    Args:
        lr: length of the first step in each coordinate.
        eps: keeps the quotient finite where no gradient was seen; in units of the gradient.

    Source: Duchi, Hazan & Singer (2011), Adaptive subgradient methods, with the diagonal matrix.
    """
    (squares,) = state
    g = oracle.grad(w)
    squares = squares + g * g
    return w - lr * g / (np.sqrt(squares) + eps), (squares,)


def scale_by_average(
    oracle, w, state, k, lr: Positive = 0.01, beta: Fraction = 0.9, eps: Positive = 1e-8, cooling: NonNegative = 0.0
):
    """RMSprop: s ← beta s + (1 − beta) g², w ← w − lr e^(−cooling·k) g/(√s + eps), coordinate by coordinate.

    Args:
        lr: length of a step in each coordinate, where gradients keep their size.
        beta: memory of the average of squares, in [0, 1).
        eps: below this size of the gradient, steps shrink with it.
        cooling: rate at which steps shrink, per iteration; 0 for steps that do not.

    Source: Tieleman & Hinton (2012), Neural Networks for Machine Learning, lecture 6.5.
    """
    (squares,) = state
    g = oracle.grad(w)
    squares = beta * squares + (1.0 - beta) * g * g
    return w - lr * np.exp(-cooling * k) * g / (np.sqrt(squares) + eps), (squares,)


def estimate_moments(
    oracle,
    w,
    state,
    k,
    lr: Positive = 0.001,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: Positive = 1e-8,
    cooling: NonNegative = 0.0,
):
    """Adam: m and s average g and g², w ← w − lr e^(−cooling·k) m̂/(√ŝ + eps), coordinate by coordinate.

    The hats divide by 1 − beta^(k+1): both averages begin at 0.

    Args:
        lr: about the length of a step in each coordinate.
        beta1: memory of the average of gradients, in [0, 1).
        beta2: memory of the average of squares, in [0, 1).
        eps: below this size of the gradient, steps shrink with it.
        cooling: rate at which steps shrink, per iteration; 0 for steps that do not.

    Source: Kingma & Ba (2015), Adam: a method for stochastic optimization, Algorithm 1.
    """
    mean, squares = state
    g = oracle.grad(w)
    mean = beta1 * mean + (1.0 - beta1) * g
    squares = beta2 * squares + (1.0 - beta2) * g * g
    size = np.sqrt(squares / (1.0 - beta2 ** (k + 1.0))) + eps
    step = lr * np.exp(-cooling * k) / (1.0 - beta1 ** (k + 1.0))
    return w - step * mean / size, (mean, squares)


ADAGRAD = StepMethod("adagrad", scale_by_sum, begin_sum)
RMSPROP = StepMethod("rmsprop", scale_by_average, begin_sum)
ADAM = StepMethod("adam", estimate_moments, begin_moments)
