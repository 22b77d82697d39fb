"""Why a curve has the law it has: what was read, what was fitted, who voted for what.

Nothing is decided here: the fits are those of `average`, looked at again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from bench_ovp.rates.average import TOLERANCES, Average, Fits, estimate, weigh
from bench_ovp.rates.curve import Curve, read_curve
from bench_ovp.rates.decision import decide
from bench_ovp.rates.grounds import Contender, Explanation, Fit, Slopes, Weighing
from bench_ovp.rates.models import evaluate, library
from bench_ovp.rates.rate import Rate
from bench_ovp.rates.sample import Sample, prepare
from bench_ovp.rates.verdict import LAWS
from bench_ovp.rates.windows import LANES, append, solve, sweep, whiten

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NAN = float("nan")
HALF = 1.96  # standard deviations in half a 95% interval of normal errors
MOST = 8  # contenders told of
LEAST = 0.001  # share of the weight of one worth telling
HEARD = 0.01  # share of the votes for something else that may name the rival
LARGEST = 700.0  # of |log L| in a double; beyond it a fit is run back past its pole
NARROWEST = 7  # points in a local fit


def explain(
    time: ArrayLike, loss: ArrayLike, *, floor: float = 0.0, rtol: float = 0.0, known: Rate | None = None
) -> Explanation:
    """The law of L(t) as `fit_rate` finds it, with all that speaks for and against it.

    Args:
        time, loss, floor, rtol: as for `fit_rate`.
        known: what `fit_rate` found; it is asked, if None.
    Raises:
        ValueError: lengths differ, time does not increase, a loss is negative.
    """
    curve = read_curve(time, loss, floor, rtol)
    rate = known or decide(curve)
    t, y = np.asarray(time, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    late = t > 0
    weighing = None
    if rate.evidence:
        sample = prepare(curve)
        weighing = _weighing(rate, sample, weigh(sample), curve.time.size)
        slopes = _local_slopes(rate.law, weighing)
    else:
        slopes = _steps(curve)
    return Explanation(rate, t[late], y[late], int(curve.time.size), curve.end, slopes, weighing)


def _weighing(rate: Rate, sample: Sample, average: Average, read: int) -> Weighing:
    fits = average.fits
    law = int(np.argmax(average.shares))
    curves = _Curves(sample, average.columns)
    voters = _select(fits, fits.vote == law)
    return Weighing(
        np.exp(sample.s) * sample.time,
        sample.y + sample.log_loss,
        sample.sigma,
        sample.rho,
        sample.oscillates,
        read - int(sample.u.size),
        {name: float(share) for name, share in zip(LAWS, average.shares, strict=True)},
        _contenders(fits, sample),
        _leader(fits, law, sample, curves),
        _rival(fits, law, sample, curves),
        _sources(average, voters, law, sample) if math.isfinite(rate.value) else {},
    )


def _leader(fits: Fits, law: int, sample: Sample, curves: _Curves) -> Fit:
    """The mean of the fits for a law; fits that name none have nothing in common, and the best speaks."""
    votes = np.flatnonzero(fits.vote == law)
    if LAWS[law] == "undecided":
        votes = votes[[np.argmax(fits.weight[votes])]]
    voters = _select(fits, votes)
    best = int(voters.model[np.argmax(voters.weight)])
    return Fit(library().models[best].name, LAWS[law], _mean_start(voters, sample), *curves.mixture(voters))


def _select(fits: Fits, which: NDArray[Any]) -> Fits:
    return Fits(*(field[which] for field in fits))


def _mean_start(fits: Fits, sample: Sample) -> float:
    """Where the windows of fits begin, in t; the mean is one of log t."""
    return sample.time * math.exp(np.average(sample.s[fits.start], weights=fits.weight))


def _contenders(fits: Fits, sample: Sample) -> tuple[Contender, ...]:
    """Fits grouped by model and vote, those that weigh most."""
    lib = library()
    group = lib.name_index[fits.model] * len(LAWS) + fits.vote
    found = []
    for key in np.unique(group):
        own = _select(fits, group == key)
        weight, law = float(own.weight.sum()), LAWS[key % len(LAWS)]
        per = 1.0 if law == "power" else 1.0 / sample.time
        value, variance = _mixture(own)
        half = HALF * math.sqrt(variance)
        low, high = (value - half) * per, (value + half) * per
        start, parameters = _mean_start(own, sample), int(lib.size[own.model[0]])
        found.append(Contender(lib.names[key // len(LAWS)], law, weight, value * per, low, high, start, parameters))
    found.sort(key=lambda contender: -contender.weight)
    return tuple(contender for contender in found[:MOST] if contender.weight >= LEAST)


def _mixture(fits: Fits) -> tuple[float, float]:
    """Mean and variance of the values of fits of one vote; NaN where it has none."""
    share = fits.weight / fits.weight.sum()
    value = float(share @ fits.value)
    return value, float(share @ (fits.variance + (fits.value - value) ** 2))


def _sources(average: Average, voters: Fits, law: int, sample: Sample) -> dict[str, float]:
    """Shares of the variance of the value: what each fit owns to, what they differ by, and all the rest."""
    total = estimate(average, law, sample).sd ** 2
    own = float(np.average(voters.variance, weights=voters.weight))
    both = _mixture(voters)[1]
    parts = {"own": own, "spread": both - own, "structure": max(0.0, total - both)}
    return {name: part / sum(parts.values()) for name, part in parts.items()}


def _rival(fits: Fits, law: int, sample: Sample, curves: _Curves) -> Fit | None:
    """The best fit that says something else; where none has weight, a plain law on its own best window."""
    lib, reference = library(), int(fits.model[np.argmax(fits.weight)])
    others = np.flatnonzero(fits.vote != law)
    if fits.weight[others].sum() >= HEARD:
        i = others[np.argmax(fits.weight[others])]
        model, start, lane, says = int(fits.model[i]), int(fits.start[i]), int(fits.lane[i]), LAWS[fits.vote[i]]
        weight = curves.best(model, lane)[1]
    elif LAWS[law] == "stalled":  # any flat curve is also a power law with hardly an exponent
        return None
    else:
        lane = LANES - 2
        plain = [
            (curves.best(model, lane), model, says)
            for model, says in zip(lib.plain, ("power", "exponential"), strict=True)
            if says != LAWS[law]
        ]
        (start, weight), model, says = max(plain, key=lambda found: found[0][1])
        if weight == -math.inf:
            return None
    odds = (weight - curves.best(reference, lane)[1]) / math.log(10)
    log_loss, slope = curves.of(*(np.array([number]) for number in (model, start, lane)))
    began = sample.time * math.exp(sample.s[start])
    return Fit(lib.models[model].name, says, began, log_loss[0], slope[0], odds)


class _Curves:
    """Fits as curves over a sample, from the columns that were fitted; whitens it once."""

    def __init__(self, sample: Sample, columns: Array) -> None:
        lib = library()
        values, slopes = np.empty((2, sample.u.size, lib.kind.size))
        evaluate(sample.u, lib.kind, lib.p, lib.q, values, slopes)
        self.values, self.slopes = columns, sample.block_means(slopes)
        self.rows = np.empty((sample.s.size, lib.kind.size + 1, LANES))
        whiten(np.column_stack([self.values, sample.y]), sample.sigma, sample.rho, TOLERANCES, self.rows)
        self.level = sample.log_loss

    def of(self, model: Index, start: Index, lane: Index) -> tuple[Array, Array]:
        """log L and -d log L/d log t of every fit, shape (fits, points); NaN past a pole."""
        lib = library()
        f, g = np.empty((2, model.size, self.values.shape[0]))
        for z in np.unique(lane):
            mine = np.flatnonzero(lane == z)
            coef = np.zeros((mine.size, lib.index.shape[1]))
            row = np.ascontiguousarray(self.rows[:, :, z])
            _coefficients(row, lib.index, lib.size, model[mine], start[mine], coef)
            for place, c in zip(mine, coef, strict=True):
                columns = lib.index[model[place], : lib.size[model[place]]]
                with np.errstate(over="ignore", invalid="ignore"):
                    f[place] = self.values[:, columns] @ c[: columns.size]
                    g[place] = -self.slopes[:, columns] @ c[: columns.size]
        bad = ~(np.abs(f) < LARGEST)
        f[bad], g[bad] = NAN, NAN
        return f + self.level, g

    def mixture(self, fits: Fits) -> tuple[Array, Array]:
        """The weighted mean of fits, at each point over those whose windows hold it; a lone fit everywhere."""
        f, g = self.of(fits.model, fits.start, fits.lane)
        held = np.arange(f.shape[1]) >= fits.start[:, None] if fits.model.size > 1 else np.isfinite(f)
        weight = np.where(held & np.isfinite(f), fits.weight[:, None], 0.0)
        total = weight.sum(axis=0)
        total[total == 0.0] = NAN
        return np.sum(weight * np.nan_to_num(f), axis=0) / total, np.sum(weight * np.nan_to_num(g), axis=0) / total

    def best(self, model: int, lane: int) -> tuple[int, float]:
        """Where the best window of a model starts, and its log weight; -inf where it has none."""
        lib = library()
        log_weight = np.empty((LANES, 1, self.values.shape[0]))
        one = slice(model, model + 1)
        sweep(self.rows, lib.index[one], lib.size[one], lib.log_prior[one], log_weight)
        start = int(np.argmax(log_weight[lane, 0]))
        return start, float(log_weight[lane, 0, start])


@njit(cache=True, error_model="numpy")
def _coefficients(rows: Array, index: Index, size: Index, model: Index, start: Index, coef: Array) -> None:
    """The coefficients of every (model, window), sorted by model, then start, into the rows of `coef`."""
    points, widest = rows.shape[0], index.shape[1]
    r, x, inverse = np.zeros((widest, widest + 1)), np.empty(widest + 1), np.empty((widest, widest))
    known = points
    for pair in range(model.size - 1, -1, -1):  # windows of a model grow, one factor serves all
        a, first = model[pair], start[pair]
        if pair == model.size - 1 or model[pair + 1] != a:
            r[:, :] = 0.0
            known = points
        append(rows, index[a], size[a], first, known, r, x)
        known = first
        solve(r, size[a], coef[pair], inverse)


def _local_slopes(law: str, weighing: Weighing) -> Slopes:
    """Parabolas through a tenth of the points each: in t for an exponential, in log t for a power.

    Where the law does not say which, what holds stiller over the later half.
    """
    if law in ("exponential", "superexponential"):
        return _parabolas("rate", weighing)
    slopes = _parabolas("slope", weighing)
    if law == "undecided" and slopes.value.size:
        rates = _parabolas("rate", weighing)
        late = slice(slopes.value.size // 2, None)
        unrest = [
            np.std(found.value[late]) / (np.abs(np.mean(found.value[late])) + 1e-300) for found in (slopes, rates)
        ]
        return rates if unrest[1] < unrest[0] else slopes
    return slopes


def _parabolas(kind: str, weighing: Weighing) -> Slopes:
    """Weighted least squares in windows that overlap by half; errors grow with the misfit, and with its memory."""
    t, y, sigma, rho = weighing.time, weighing.log_loss, weighing.sigma, weighing.rho
    width = min(t.size, max(NARROWEST, t.size // 10))
    found = []
    # counted from the end, where the law is
    for last in range(t.size, width - 1, -(width // 2)):
        some = slice(last - width, last)
        weight = 1.0 / np.maximum(sigma[some], np.finfo(float).eps)
        x = np.log(t[some]) if kind == "slope" else t[some]
        middle, span = np.average(x, weights=weight**2), np.ptp(x)
        columns = np.vander((x - middle) / span, 3) * weight[:, None]
        inverse = np.linalg.pinv(columns)
        coef = inverse @ (y[some] * weight)
        misfit = float(np.sum((y[some] * weight - columns @ coef) ** 2)) / (width - 3)
        variance = float(inverse[1] @ inverse[1]) * max(1.0, misfit) * (1 + rho) / (1 - rho)
        place = math.exp(middle) if kind == "slope" else middle
        found.append((place, -coef[1] / span, HALF * math.sqrt(variance) / span))
    return Slopes(kind, *np.array(found[::-1]).reshape(-1, 3).T)


def _steps(curve: Curve) -> Slopes:
    """Rates between neighbouring points, for a curve too short or too steep to be fitted."""
    t, y = curve.time, np.log(curve.loss)
    value = -np.diff(y) / np.diff(t)
    return Slopes("rate", 0.5 * (t[1:] + t[:-1]), value, np.zeros_like(value))
