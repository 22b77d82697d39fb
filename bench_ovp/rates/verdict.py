"""What one fit says of the law, and how fast: no fit may win by extrapolating."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench_ovp.rates.models import BENDING, CONSTANT, EXPONENTIAL, LEAVING, POWER, SUPER
from bench_ovp.rates.windows import append, solve

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LAWS = ("undecided", "power", "exponential", "superexponential", "stalled")
SAYS_NOTHING, SAYS_POWER, SAYS_EXPONENTIAL, SAYS_SUPER, SAYS_STALLED = range(5)

DECADES, FOLDS = 1.0, 4.0  # of t and L for a power, of L for an exponential: what must be seen
_AT_END = 0.15  # the limit of a fit may differ from its slope at the end by this share,
_BEFORE = 0.35  # and from its slopes over what must be seen by this
_STEADY = 0.10  # without a limit of its own, a fit's slopes must agree to this
_DOUBT, _NO_LIMIT = 0.2, 0.6  # sd of a limit in units of the drift it removes; of a slope at the end
_FLAT = 0.05  # change of log L over a decade that is no decay
_OUTRUN = 1.4  # growth of the rate -d log L/dt that no exponential has
_STEEP = 6.0  # powers above are rare, while short stretches of exponentials look like them
_LOOKS = 32  # points of a window at which a fit is looked at
_LOG10 = math.log(10.0)


@njit(cache=True, error_model="numpy")
def judge(
    rows: Array,
    values: Array,
    slopes: Array,
    s: Array,
    log_time: float,
    index: Index,
    size: Index,
    family: Index,
    model: Index,
    start: Index,
    vote: Index,
    numbers: Array,
    doubt: Array,
) -> None:
    """The vote of every (model, window), its numbers, and minus the log of its prior.

    A fit speaks for a power if the slope -d log L/d log t that it describes holds still over
    the last decade and near its limit, for an exponential if -d log L/dt does over the last
    e-folds.

    Args:
        rows: whitened columns and target, (points, columns + 1); s: log u.
        values, slopes: columns and their d/d log u, (columns, points).
        log_time: log t_end; index, size, family: of the models.
        model, start: the pairs, sorted by model, then start.
        vote: result; numbers: value, variance, log constant (up to log L_end), variance;
            doubt: of steep powers.
    """
    points = s.size
    coef, inverse = np.empty(8), np.empty((8, 8))
    r, x, known = np.zeros((8, 9)), np.empty(9), points
    look, u_of = np.empty((4, points)), np.exp(s)
    for pair in range(model.size - 1, -1, -1):  # windows of a model grow, one factor serves all
        a, first = model[pair], start[pair]
        k, kind = size[a], family[a]
        if pair == model.size - 1 or model[pair + 1] != a:
            r[:, :] = 0.0
            known = points
        append(rows, index[a], k, first, known, r, x)
        known = first
        solve(r, k, coef, inverse)
        count = _describe(values, slopes, s, u_of, index[a], k, coef, first, look)
        f, g, at, u = look[0, :count], look[1, :count], look[2, :count], look[3, :count]
        if kind == POWER or kind == BENDING:
            doubt[pair] = min(50.0, 0.7 * max(0.0, -g[-1] - _STEEP))
        law, value, drift, own = _says(kind, f, g, at, u, -coef[k - 1], first == 0)
        vote[pair] = law
        if law == SAYS_POWER or law == SAYS_EXPONENTIAL:
            _measure(law, value, drift, own, values[:, -1], slopes[:, -1], s[-1], log_time,
                     index[a], k, coef, inverse, numbers[:, pair])  # fmt: skip


@njit(cache=True)
def _describe(
    values: Array, slopes: Array, s: Array, u: Array, columns: Index, k: int, coef: Array, first: int, look: Array
) -> int:
    """log L, d log L/d log u, log u and u of a fit at points from `first` to the last; how many."""
    last = s.size - 1
    stride = 1 + (last - first) // _LOOKS
    count, i = 0, first
    after = last - (last - first - 1) // stride * stride
    while True:
        f, g = 0.0, 0.0
        for j in range(k):
            f += coef[j] * values[columns[j], i]
            g += coef[j] * slopes[columns[j], i]
        look[0, count], look[1, count], look[2, count], look[3, count] = f, g, s[i], u[i]
        count += 1
        if i == last:
            return count
        i = i + stride if i > first else after


@njit(cache=True, error_model="numpy")
def _says(
    kind: int, f: Array, g: Array, s: Array, u: Array, limit: float, whole: bool
) -> tuple[int, float, float, bool]:
    """Law, value, drift and whether the value is the fit's own limit or its slope at the end."""
    if _flat(f, s, 0.5 if kind == CONSTANT else 1.0, whole):
        return SAYS_STALLED, 0.0, 0.0, False
    if kind == CONSTANT:
        return SAYS_NOTHING, 0.0, 0.0, False
    if _outruns(f, g, u):
        law = SAYS_SUPER if kind == SUPER or kind == LEAVING or kind == BENDING else SAYS_NOTHING
        return law, 0.0, 0.0, False
    slope, rate = -g[-1], -g[-1] / u[-1]
    if kind == POWER and abs(slope - limit) <= _AT_END * limit:
        drift = _power_drift(f, g, s, limit, _BEFORE)
        if drift < np.inf:
            return SAYS_POWER, limit, drift, True
    if (kind == EXPONENTIAL or kind == LEAVING) and abs(rate - limit) <= _AT_END * limit:
        drift = _exponential_drift(f, g, u, limit, _BEFORE)
        if drift < np.inf:
            return SAYS_EXPONENTIAL, limit, drift, True
    drift = _power_drift(f, g, s, slope, _STEADY)
    if drift < np.inf:
        return SAYS_POWER, slope, drift, False
    if kind == EXPONENTIAL or kind == LEAVING:
        drift = _exponential_drift(f, g, u, rate, _STEADY)
        if drift < np.inf:
            return SAYS_EXPONENTIAL, rate, drift, False
    return SAYS_NOTHING, 0.0, 0.0, False


@njit(cache=True)
def _power_drift(f: Array, g: Array, s: Array, value: float, near: float) -> float:
    """Largest share by which -d log L/d log t leaves `value` in the last decade.

    inf unless it stays within `near` for a decade of t and a decade of L, to the end.
    """
    i, worst = s.size, 0.0
    while i > 0:
        away = abs(-g[i - 1] - value)
        if not away <= near * value:
            break
        i -= 1
        if s[i] >= s[-1] - _LOG10:
            worst = max(worst, away)
    enough = 0.99 * DECADES * _LOG10
    if i == s.size or s[-1] - s[i] < enough or f[i] - f[-1] < enough:
        return np.inf
    return worst / value


@njit(cache=True)
def _exponential_drift(f: Array, g: Array, u: Array, value: float, near: float) -> float:
    """Largest share by which -d log L/du leaves `value` in the last 4 to 8 e-folds.

    inf unless it stays within `near` for half of the decay, or 8 e-folds, to the end.
    """
    i, worst = u.size, 0.0
    need = max(FOLDS, min(2 * FOLDS, 0.5 * (f[0] - f[-1])))
    while i > 0:
        away = abs(-g[i - 1] / u[i - 1] - value)
        if not away <= near * value:
            break
        i -= 1
        if f[i] - f[-1] <= need:
            worst = max(worst, away)
    if i == u.size or f[i] - f[-1] < need:
        return np.inf
    return worst / value


@njit(cache=True)
def _outruns(f: Array, g: Array, u: Array) -> bool:
    """Whether -d log L/du still grows once a plateau is 4 e-folds behind, over 8 e-folds more."""
    i = 0
    while i < u.size - 1 and f[i] > f[0] - FOLDS:
        i += 1
    early, late = g[i] / u[i], g[-1] / u[-1]
    return bool(f[i] - f[-1] >= 2 * FOLDS and late < _OUTRUN * early < 0.0)


@njit(cache=True)
def _flat(f: Array, s: Array, decades: float, whole: bool) -> bool:
    """Whether the fit stays put over the last `decades`, of a decade at least or the whole curve."""
    if s[-1] - s[0] < 0.99 * DECADES * _LOG10 and not whole:
        return False
    for i in range(s.size):
        if s[i] >= s[-1] - decades * _LOG10 and abs(f[i] - f[-1]) > _FLAT:
            return False
    return True


@njit(cache=True, error_model="numpy")
def _measure(
    law: int,
    value: float,
    drift: float,
    own: bool,
    ends: Array,
    end_slopes: Array,
    s: float,
    log_time: float,
    columns: Index,
    k: int,
    coef: Array,
    inverse: Array,
    numbers: Array,
) -> None:
    """The variance of the value, and the log constant with its variance.

    log C is the intercept of the law; where the value is the slope at the end, the law is run
    back from there. Both are linear in the coefficients, whose covariance is R⁻¹R⁻ᵀ.
    """
    per = 1.0 if law == SAYS_POWER else math.exp(s)
    lever = log_time if law == SAYS_POWER else math.exp(s)
    if law == SAYS_POWER and not own:
        lever += s
    value_of, constant_of = np.zeros(k), np.zeros(k)
    for j in range(k):
        if not own:
            value_of[j] = -end_slopes[columns[j]] / per
        if not (own and law == SAYS_POWER):
            constant_of[j] = ends[columns[j]]
    if own:
        value_of[k - 1] = -1.0
        if law == SAYS_POWER:  # its corrections vanish
            constant_of[0] = 1.0
    unsure = (_DOUBT if own else _NO_LIMIT) * drift * value
    numbers[0] = value
    numbers[1] = _variance(inverse, value_of) + unsure**2
    numbers[2] = value * lever
    for j in range(k):
        numbers[2] += coef[j] * constant_of[j]
        value_of[j] = value_of[j] * lever + constant_of[j]
    numbers[3] = _variance(inverse, value_of) + (unsure * lever) ** 2


@njit(cache=True)
def _variance(inverse: Array, d: Array) -> float:
    """dᵀ R⁻¹ R⁻ᵀ d."""
    total = 0.0
    for b in range(d.size):
        z = 0.0
        for j in range(b + 1):
            z += inverse[j, b] * d[j]
        total += z * z
    return total
