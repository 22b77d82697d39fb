"""The law of a loss curve: which, how fast, how sure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from numpy.typing import ArrayLike

NAN = float("nan")


class Evidence(NamedTuple):
    """A competing model: its weight among all, and the value it would give."""

    model: str
    weight: float
    value: float


@dataclass(frozen=True)
class Rate:
    """The law a loss obeys in the last regime visible.

    power: L ~ constant · t^(-value); exponential: L ~ constant · e^(-value t);
    superexponential, stalled, diverged and undecided have no value (NaN).

    Args:
        law: one of these six words.
        value: the exponent, or the rate per unit of time.
        low, high: its bounds, at 95%.
        constant: C of the law.
        constant_low, constant_high: its bounds, at 95%.
        reason: one sentence on why, or on what is missing.
        start, end: the window of time that was read, on average over the models.
        points: that were read in all.
        evidence: the models with the largest weights.
    """

    law: str
    value: float = NAN
    low: float = NAN
    high: float = NAN
    constant: float = NAN
    constant_low: float = NAN
    constant_high: float = NAN
    reason: str = ""
    start: float = NAN
    end: float = NAN
    points: int = 0
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)


def fit_rate(time: ArrayLike, loss: ArrayLike, *, floor: float = 0.0, rtol: float = 0.0) -> Rate:
    """The law of L(t), its value and a 95% interval, from one curve.

    L ~ C t^-value or L ~ C e^(-value t), over the last regime visible.

    Args:
        time: positive, increasing; a leading 0 is dropped.
        loss: non-negative, same length; exact zeros, inf and nan end the curve.
        floor: a loss has relative uncertainty sqrt(floor / loss).
        rtol: known relative error of every loss, as of an integrator.
    Returns:
        A Rate; law "undecided" where the curve does not settle it.
    Raises:
        ValueError: lengths differ, time does not increase, a loss is negative.
    """
    # numba and the compiled kernels cost half a second to import: only where a curve is fitted
    from bench_ovp.rates.curve import read_curve
    from bench_ovp.rates.decision import decide

    return decide(read_curve(time, loss, floor, rtol))
