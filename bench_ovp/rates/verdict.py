"""What one fit says of the law, and how fast."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench_ovp.rates.models import BENDING, CONSTANT, EXPONENTIAL, LEAVING, POWER, SUPER
from bench_ovp.rates.windows import solve

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LAWS = ("undecided", "power", "exponential", "superexponential", "stalled")
SAYS_NOTHING, SAYS_POWER, SAYS_EXPONENTIAL, SAYS_SUPER, SAYS_STALLED = range(5)

_LOG10 = math.log(10.0)
_STEEP = 6.0  # powers above are rare, and a short stretch of an exponential looks like one
_FOLDS = 4.0  # e-folds an exponential must show
_AT_END = 0.15  # the limit may differ from the slope at the end by this share of itself,
_BEFORE = 0.35  # and from the slopes over the last regime by this;
_DOUBT = 0.2  # a limit is believed up to this share of the drift it removes
_STEADY = 0.10  # without a limit of its own, a fit's slopes must agree to this


@njit(cache=True, error_model="numpy")
def judge(
    rows: Array,
    values: Array,
    slopes: Array,
    s: Array,
    index: Index,
    size: Index,
    family: Index,
    model: Index,
    start: Index,
    vote: Index,
    result: Array,
    doubt: Array,
) -> None:
    """What each (model, window) says: law, value, its variance, log constant, its variance.

    A fit speaks for a power if the slope -d log L/d log t it describes holds still over the
    last decade, for an exponential if -d log L/dt does over the last e-folds, and its limit
    is near the slope at the end: no fit may win by extrapolating. Time is u = t/t_end here.
    """
    points = s.size
    last = points - 1
    coef, f, g = np.empty(8), np.empty(points), np.empty(points)
    inverse, d = np.empty((8, 8)), np.empty(8)
    for pair in range(model.size):
        a, first = model[pair], start[pair]
        k, kind = size[a], family[a]
        solve(rows, index[a], k, first, coef, inverse)
        for i in range(first, points):
            f[i] = 0.0
            g[i] = 0.0
            for j in range(k):
                f[i] += coef[j] * values[i, index[a, j]]
                g[i] += coef[j] * slopes[i, index[a, j]]
        drop = f[first] - f[last]
        vote[pair] = SAYS_NOTHING
        if _flat(f, s, first, 0.5 if kind == CONSTANT else 1.0):
            vote[pair] = SAYS_STALLED
            continue
        if kind == CONSTANT:
            continue
        if _outruns(f, g, s, first):
            if kind == SUPER or kind == LEAVING or kind == BENDING:
                vote[pair] = SAYS_SUPER
            continue
        limit, ending = -coef[k - 1], -g[last]
        if kind == POWER or kind == BENDING:
            doubt[pair] = max(0.0, ending - _STEEP) / _STEEP
        law, value, drift = SAYS_NOTHING, ending, 0.0
        if kind == POWER and abs(ending - limit) <= _AT_END * limit:
            drift = _power_drift(f, g, s, first, limit, _BEFORE)
            if drift < np.inf:
                law, value = SAYS_POWER, limit
        elif (kind == EXPONENTIAL or kind == LEAVING) and abs(ending - limit) <= _AT_END * limit:
            drift = _exponential_drift(f, g, s, first, limit, _BEFORE)
            if drift < np.inf:
                law, value = SAYS_EXPONENTIAL, limit
        own = law != SAYS_NOTHING
        if not own:
            drift = _power_drift(f, g, s, first, ending, _STEADY)
            if drift < np.inf:
                law = SAYS_POWER
            elif kind == EXPONENTIAL or kind == LEAVING:
                drift = _exponential_drift(f, g, s, first, ending, _STEADY)
                if drift < np.inf:
                    law = SAYS_EXPONENTIAL
        vote[pair] = law
        if law == SAYS_NOTHING:
            result[pair, 0] = value
            continue
        for j in range(k):
            d[j] = 0.0 if own else -slopes[last, index[a, j]]
        if own:
            d[k - 1] = -1.0
        result[pair, 0] = value
        unsure = (_DOUBT if own else 0.5) * drift * value
        result[pair, 1] = _variance(inverse, d, k) + unsure**2
        # log C = log L(end) + value·(log t or t) at the end, corrections that vanish left out
        at = s[last] if law == SAYS_POWER else 1.0
        vanishing = own and law == SAYS_POWER
        result[pair, 2] = value * at
        for j in range(k):
            h = values[last, index[a, j]]
            if vanishing and j > 0 and j < k - 1:
                h = 0.0
            if vanishing and j == k - 1:
                h = 0.0
            result[pair, 2] += coef[j] * h
            d[j] = d[j] * at + h
        result[pair, 3] = _variance(inverse, d, k) + (unsure * at) ** 2


@njit(cache=True)
def _power_drift(f: Array, g: Array, s: Array, first: int, value: float, near: float) -> float:
    """Largest share by which -d log L/d log t leaves `value` in the last decade.

    inf unless it stays within `near` for a decade of t and a decade of L, to the end.
    """
    i, worst = s.size, 0.0
    while i > first:
        away = abs(-g[i - 1] - value)
        if not away <= near * value:
            break
        i -= 1
        if s[i] >= s[-1] - _LOG10:
            worst = max(worst, away)
    if i == s.size or s[-1] - s[i] < 0.99 * _LOG10 or f[i] - f[-1] < 0.99 * _LOG10:
        return np.inf
    return worst / value


@njit(cache=True)
def _exponential_drift(f: Array, g: Array, s: Array, first: int, value: float, near: float) -> float:
    """Largest share by which -d log L/du leaves `value` in the last 4 to 8 e-folds.

    inf unless it stays within `near` for half of the decay, or 8 e-folds, to the end.
    """
    i, worst = s.size, 0.0
    need = max(_FOLDS, min(2 * _FOLDS, 0.5 * (f[first] - f[-1])))
    while i > first:
        away = abs(-g[i - 1] / math.exp(s[i - 1] - s[-1]) - value)
        if not away <= near * value:
            break
        i -= 1
        if f[i] - f[-1] <= need:
            worst = max(worst, away)
    if i == s.size or f[i] - f[-1] < need:
        return np.inf
    return worst / value


@njit(cache=True)
def _outruns(f: Array, g: Array, s: Array, first: int) -> bool:
    """Whether -d log L/du still grows once a plateau is 4 e-folds behind, over 8 e-folds more."""
    i = first
    while i < s.size - 1 and f[i] > f[first] - _FOLDS:
        i += 1
    early, late = g[i] / math.exp(s[i] - s[-1]), g[-1]
    return f[i] - f[-1] >= 2 * _FOLDS and late < 1.4 * early < 0.0


@njit(cache=True)
def _flat(f: Array, s: Array, first: int, decades: float) -> bool:
    """Whether the fit stays within 5% over the last `decades`, of a window of a decade at least."""
    if s[-1] - s[first] < 0.99 * _LOG10 and first > 0:
        return False
    for i in range(first, s.size):
        if s[i] >= s[-1] - decades * _LOG10 and abs(f[i] - f[-1]) > 0.05:
            return False
    return True


@njit(cache=True)
def _variance(inverse: Array, d: Array, k: int) -> float:
    """dᵀ R⁻¹ R⁻ᵀ d."""
    total = 0.0
    for b in range(k):
        z = 0.0
        for j in range(b + 1):
            z += inverse[j, b] * d[j]
        total += z * z
    return total
