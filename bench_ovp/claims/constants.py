"""The constant behind an O(·) or Ω(·): the worst that was met, and whether it still moves.

Q(t) = O(q(t)) says that c(t) = Q(t)/q(t) stays below some constant. No finite run can prove that; what can be seen is
whether the constant that is needed up to t, the largest c so far, still grows. It is called a trend where its
logarithm rises against log t both over the last three decades and over the last one: a start that settles is none,
and neither is a ratio that rises from below what was needed before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..problems import Array
from .claim import FAILS, HOLDS, UNDECIDED, Finding, Scale

DECADES = 3.0  # of time that a constant must be seen over
SLOPE = 0.05  # of log c against log t; a law whose exponent is off by that much is another law
ROUNDING = 1e-9  # of a decade: a horizon of 1e5 is three decades behind 1e2


class Constant(NamedTuple):
    """A constant found on one run.

    Args:
        value: the worst that was met.
        slope: of log c against log t over the last three decades, positive where it gets worse.
        late: the same over the last decade.
        decades: of time that it was seen over.
    """

    value: float
    slope: float
    late: float
    decades: float

    @property
    def trend(self) -> float:
        """The smaller of both slopes: what goes on to the end; -∞ where it is not known."""
        smaller = min(self.slope, self.late)
        return smaller if smaller == smaller else -math.inf


def find_constant(time: Array, ratio: Array, sense: int, since: float = 0.0) -> Constant:
    """The constant of c(t) on one run.

    Args:
        time: ascending, (records,).
        ratio: c(t), (records,); what is not positive and finite is left out.
        sense: 1 for O(·), where it may not grow; -1 for Ω(·), where it may not fall.
        since: the time from which on a trend would be one; the worst is looked for before it too.
    """
    usable = (time > 0) & (ratio > 0) & np.isfinite(ratio)
    x, y = np.log10(time[usable]), np.log10(ratio[usable])
    if not len(x):
        return Constant(math.nan, math.nan, math.nan, 0.0)
    y = sense * np.maximum.accumulate(sense * y)
    worst = float(10.0 ** y[-1])
    settled = 10.0**x >= since
    x, y = x[settled], y[settled]
    if len(x) < 3:
        return Constant(worst, math.nan, math.nan, 0.0)
    slope, late = (sense * _fit_slope(x[x >= x[-1] - window], y[x >= x[-1] - window]) for window in (DECADES, 1.0))
    return Constant(worst, slope, late, float(x[-1] - x[0]))


def judge_constants(
    curves: Sequence[tuple[Array, Array, float]], sense: int, *, scales: tuple[Scale, ...] = (), evidence: str = ""
) -> Finding:
    """The finding of an O(·) or Ω(·) on the runs of a case.

    Args:
        curves: time and c(t) of each run, and since when a trend would be one.
        sense: as for `find_constant`.
        scales: as for `Finding`.
        evidence: what else is to be said.
    Returns:
        The worst constant. It fails where it still moves on some run, and is undecided on less than three decades.
    """
    found = [find_constant(time, ratio, sense, since) for time, ratio, since in curves]
    known = [constant for constant in found if constant.value == constant.value]
    if not known:
        return Finding(UNDECIDED, runs=len(found), evidence=f"{evidence}nothing was recorded where it applies")
    values = tuple(constant.value for constant in known)
    value = max(values) if sense > 0 else min(values)
    worst = max(known, key=lambda constant: constant.trend)
    decades = min(constant.decades for constant in found)
    spread = f"constants {min(values):.3g} to {max(values):.3g} over {len(values)} runs"
    told = f"{evidence}{spread}, seen over {decades:.1f} decades of t"
    if math.isfinite(worst.trend):
        told += f", trend at most t^{sense * worst.trend:.3f}"
    if decades < DECADES - ROUNDING:
        verdict = UNDECIDED
        told += f"; {DECADES:.0f} decades are needed"
    else:
        verdict = FAILS if worst.trend > SLOPE else HOLDS
    return Finding(verdict, value, runs=len(known), evidence=told, constants=values, scales=scales)


def _fit_slope(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    square = float(x @ x)
    return float(x @ y) / square if square > 0.0 else 0.0
