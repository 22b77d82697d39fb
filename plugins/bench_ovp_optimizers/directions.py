"""Methods whose steps have a length of their own, whatever the gradient's: only its direction counts.

They cannot come closer to a minimum than their steps are long, unless these shrink: with `cooling`, like
e^(−cooling·k). w has shape (runs, n, d), k counts steps from 0.
"""

from __future__ import annotations

import numpy as np

from bench_ovp import StepMethod
from bench_ovp.parameters import Fraction, NonNegative, Positive


def begin_at_rest(w):
    """No momentum before the first gradient."""
    return (np.zeros_like(w),)


def follow_unit(oracle, w, state, k, lr: Positive = 0.01, cooling: NonNegative = 0.0):
    """Normalized gradient descent: w ← w − lr e^(−cooling·k) ∇L(w)/‖∇L(w)‖, with the norm over all students.

    Args:
        lr: length of a step.
        cooling: rate at which steps shrink, per iteration; 0 for steps that do not.

    Source: Shor (1985), Minimization Methods for Non-Differentiable Functions, Chapter 2, also for the geometric steps.
    """
    g = oracle.grad(w)
    norm = np.sqrt(np.sum(np.sum(g * g, axis=2), axis=1)).reshape(-1, 1, 1)
    step = lr * np.exp(-cooling * k) / np.where(norm > 0.0, norm, 1.0)
    return w - step * g, state


def follow_sign(oracle, w, state, k, lr: Positive = 0.001, cooling: NonNegative = 0.0):
    """Sign descent: w ← w − lr e^(−cooling·k) sign ∇L(w), coordinate by coordinate.

    Args:
        lr: length of a step in each coordinate.
        cooling: rate at which steps shrink, per iteration; 0 for steps that do not.

    Source: Bernstein, Wang, Azizzadenesheli & Anandkumar (2018), signSGD, Algorithm 1.
    """
    return w - lr * np.exp(-cooling * k) * np.sign(oracle.grad(w)), state


def follow_sign_of_average(
    oracle, w, state, k, lr: Positive = 1e-4, beta1: Fraction = 0.9, beta2: Fraction = 0.99, cooling: NonNegative = 0.0
):
    """Lion: w ← w − lr e^(−cooling·k) sign(beta1 m + (1 − beta1) g), then m ← beta2 m + (1 − beta2) g.

    Args:
        lr: length of a step in each coordinate.
        beta1: weight of the momentum in a step, in [0, 1).
        beta2: memory of the momentum, in [0, 1).
        cooling: rate at which steps shrink, per iteration; 0 for steps that do not.

    Source: Chen et al. (2023), Symbolic discovery of optimization algorithms, without weight decay.
    """
    (mean,) = state
    g = oracle.grad(w)
    direction = np.sign(beta1 * mean + (1.0 - beta1) * g)
    return w - lr * np.exp(-cooling * k) * direction, (beta2 * mean + (1.0 - beta2) * g,)


NORMALIZED_GRADIENT_DESCENT = StepMethod("normalized-gradient-descent", follow_unit, isometry_equivariant=True)
SIGN_DESCENT = StepMethod("sign-descent", follow_sign)
LION = StepMethod("lion", follow_sign_of_average, begin_at_rest)
