"""Laws that are plain from a few points: growth, and decay that outruns every exponential."""

from __future__ import annotations

import numpy as np

from bench_ovp.rates.curve import Curve

GROWTH = 10.0  # a loss that ends this many times above its lowest point, and above its start, grew
RATE_GROWTH = 1.4  # between successive steps, of the local rate of a superexponential decay
LEAST_DROP, LEAST_FALL = 3.0, 12.0  # e-folds, of each such step and of all
VANISHED = 1e-33  # an exact zero says the loss is below this share of its start


def grew(curve: Curve) -> str:
    """Why the curve counts as diverged; empty if it does not."""
    if curve.end == "infinite":
        return "the loss stops being finite"
    loss = curve.loss
    if loss.size < 3:
        return ""
    grown = loss[-1] > GROWTH * loss.min() and loss[-1] > 2.0 * loss[0] and loss[-1] >= 0.5 * loss.max()
    rising = bool(np.all(np.diff(loss[-3:]) > 0)) or loss[-3:].min() >= 0.5 * loss.max()  # no lonely spike
    if grown and rising:
        return f"the loss grew from {loss.min():.2g} to {loss[-1]:.2g}"
    return ""


def outran(curve: Curve) -> str:
    """Why the curve counts as superexponential; empty if it does not.

    The rates -Δlog L/Δt of the last steps grow by a factor each, as for an order of convergence
    above 1 (Ortega & Rheinboldt 1970, ch. 9). Steps that shrink the loss by less than e³ do not
    count: there, the escape from a plateau looks the same.
    """
    y, t = np.log(curve.loss), curve.time
    drops = -np.diff(y)
    rates = drops / np.diff(t)
    if curve.end in ("zero", "floor") and rates.size:
        drop = float(y[-1] - np.log(max(curve.next_loss, VANISHED * curve.loss[0])))
        rate = drop / (curve.next_time - t[-1])  # at least
        if rate > RATE_GROWTH * rates[-1]:
            rates, drops = np.append(rates, rate), np.append(drops, drop)
    chain = 0
    while chain < rates.size and drops[-1 - chain] >= LEAST_DROP:
        if chain and not rates[-chain] > RATE_GROWTH * rates[-1 - chain]:
            break
        chain += 1
    fell = float(drops[drops.size - chain :].sum())
    # two steps are enough where they are all there is
    enough = chain >= 3 or (chain == rates.size == 2 and fell > 2 * LEAST_FALL)
    if enough and fell > max(LEAST_FALL, 0.5 * float(drops.sum())):
        return f"the rate grew at each of the last {chain} steps, {rates[-1] / rates[-chain]:.2g} times in all"
    return ""
