"""Laws that are plain from a few points: growth, and decay that outruns every exponential."""

from __future__ import annotations

import numpy as np

from bench_ovp.rates.curve import Curve

GROWTH = 10.0  # a loss that ends this many times above its lowest point, and above its start, grew
RATE_GROWTH = 1.4  # between successive steps, of the local rate of a superexponential decay
VANISHED = 1e-33  # an exact zero says the loss is below this share of its start


def grew(curve: Curve) -> str:
    """Why the curve counts as diverged; empty if it does not."""
    if curve.end == "infinite":
        return "the loss stops being finite"
    loss = curve.loss
    if loss.size >= 3 and loss[-1] > GROWTH * loss.min() and loss[-1] > 2.0 * loss[0] and loss[-1] >= 0.5 * loss.max():
        return f"the loss grew from {loss.min():.2g} to {loss[-1]:.2g}"
    return ""


def outran(curve: Curve) -> str:
    """Why the curve counts as superexponential; empty if it does not.

    The rates -Δlog L/Δt of the last steps grow by a factor each, as for an order of convergence
    above 1 (Ortega & Rheinboldt 1970, ch. 9); each step must shrink the loss by e, so that
    the escape from a plateau, whose rate grows too, does not count.
    """
    y = np.log(curve.loss)
    t = curve.time
    rates = -np.diff(y) / np.diff(t)
    drops = -np.diff(y)
    if curve.end == "zero" and curve.next_time > 0:
        last = y[-1] - (y[0] + np.log(VANISHED))
        rate = last / (curve.next_time - t[-1])  # at least
        if rates.size and rate > RATE_GROWTH * rates[-1]:
            rates, drops = np.append(rates, rate), np.append(drops, last)
    steps = 0
    while steps < rates.size - 1 and drops[-1 - steps] >= 1.0:
        if not rates[-1 - steps] > RATE_GROWTH * rates[-2 - steps] > 0:
            break
        steps += 1
    fell = float(np.sum(drops[rates.size - 1 - steps :])) if steps else 0.0
    if steps >= 2 and fell > 12.0:
        return f"the rate grew at each of the last {steps} steps, {rates[-1] / rates[-1 - steps]:.3g} times in all"
    return ""
