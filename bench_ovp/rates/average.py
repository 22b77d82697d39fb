"""Every model on every window, weighed; the verdict and its interval.

Weights follow Akaike's criterion with every dropped point charged to the model that drops it,
AIC = χ² + 2k + 2 N_dropped. Source: Jay & Neil (2021), arXiv:2008.01069; Neil & Sitison (2022),
arXiv:2208.14983.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench_ovp.rates.models import Library, evaluate, library
from bench_ovp.rates.sample import Sample
from bench_ovp.rates.verdict import LAWS, SAYS_POWER, judge
from bench_ovp.rates.windows import LANES, likely, sweep, whiten

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Misfit of log L forgiven to a model. None is exact, and which is best depends on how much is
# forgiven: the verdict averages over the last three. The first, by the windows it has to give
# up, tells whether the curve has structure that no model has.
TOLERANCES = np.array([1e-5, 3e-4, 1e-3, 4e-3])
DROWNED = 20.0  # where noise is this many times the largest tolerance, all tolerances say the same
STRUCTURE, SEEN = 0.006, 2.85  # relative sd that unexplained structure puts on a value read off so many decades
PREFACTOR = 0.1  # sd of an unseen change of an exponential's log prefactor over the window
PLAIN = 0.5  # share of the distance to the plain law on its own best windows, in the sd
HALF = 2.1  # standard deviations in half an interval: 1.96, and σ is itself estimated


class Fits(NamedTuple):
    """(model, window) pairs that matter, of all tolerances; the weights add up to 1."""

    model: Index
    start: Index  # of the window, in blocks
    lane: Index  # its tolerance
    weight: Array
    vote: Index
    value: Array  # per log u for a power, per u for an exponential
    variance: Array
    log_constant: Array
    log_constant_variance: Array


class Average(NamedTuple):
    """What all fits say together."""

    shares: Array  # of the weight, by law
    fits: Fits
    plain: Fits  # the same of the two plain laws alone
    lost: float  # decades of window given up at the finest tolerance
    columns: Array  # of all models, a row per block


class Estimate(NamedTuple):
    """A value and the log of the constant with their standard deviations, in u = t/t_end."""

    value: float
    sd: float
    log_constant: float
    log_constant_sd: float
    start: float  # log u where the windows begin, on average


def weigh(sample: Sample) -> Average:
    """Fit every model on every window, and let each fit that matters say what it means."""
    lib = library()
    values, slopes = np.empty((2, sample.u.size, lib.kind.size))
    evaluate(sample.u, lib.kind, lib.p, lib.q, values, slopes)
    values, slopes = sample.block_means(values), np.ascontiguousarray(sample.block_means(slopes).T)
    rows = np.empty((sample.s.size, values.shape[1] + 1, LANES))
    whiten(np.column_stack([values, sample.y]), sample.sigma, sample.rho, TOLERANCES, rows)
    log_weight = np.empty((LANES, lib.size.size, sample.s.size))
    by_column = np.ascontiguousarray(values.T)
    sweep(rows, lib.index, lib.size, lib.log_prior, log_weight)

    told = (LANES - 1,) if sample.sigma.min() > DROWNED * TOLERANCES[-1] else range(1, LANES)
    fits, plain, reach = [], [], []
    for lane in range(LANES):
        model, start, weight = _likely(log_weight[lane])
        reach.append(float(weight @ sample.s[start] / weight.sum()))
        if lane not in told:
            continue
        row = np.ascontiguousarray(rows[:, :, lane])
        fits.append(_judged(lib, row, by_column, slopes, sample, lane, model, start, weight))
        for law in lib.plain:
            if not np.isfinite(log_weight[lane, law]).any():
                continue
            _, start, weight = _likely(log_weight[lane, law : law + 1])
            model = np.full(start.size, law)
            plain.append(_judged(lib, row, by_column, slopes, sample, lane, model, start, weight))
    together = _joined(fits)
    shares = np.bincount(together.vote, weights=together.weight, minlength=len(LAWS)).astype(np.float64)
    alone = _joined(plain) if plain else together._replace(weight=np.zeros(together.weight.size))
    return Average(shares, together, alone, (reach[0] - reach[-1]) / math.log(10), values)


def estimate(average: Average, law: int, sample: Sample) -> Estimate:
    """Value and constant of the winning law, with their errors.

    The variance is that of the mixture, and on top of it what the mixture cannot know:
    structure no model explains, which matters more the fewer the decades it was seen over; and
    how far the plain law, where it fits best, disagrees.
    """
    fits = _voting(average.fits, law)
    plain = _voting(average.plain, law)
    value, variance = _mixture(fits.weight, fits.value, fits.variance)
    start = float(np.average(sample.s[fits.start], weights=fits.weight))

    structure = STRUCTURE * (1.0 if sample.oscillates else min(1.0, max(0.0, 2 * average.lost))) * value
    if law == SAYS_POWER:
        structure *= max(1.0, (SEEN * math.log(10) / -start) ** 3)
    else:
        structure = math.hypot(structure, PREFACTOR / -math.expm1(start))
    disagreement = 0.0
    if plain.weight.size and plain.weight.sum() > 0:
        simple, spread = _mixture(plain.weight, plain.value, plain.variance)
        disagreement = PLAIN * max(0.0, abs(simple - value) - math.sqrt(spread))
    unknown = math.hypot(structure, disagreement)

    constant, constant_variance = _mixture(fits.weight, fits.log_constant, fits.log_constant_variance)
    lever = math.log(sample.time) if law == SAYS_POWER else 1.0
    return Estimate(
        value,
        math.sqrt(variance + unknown**2),
        constant + sample.log_loss,
        math.sqrt(constant_variance + (unknown * lever) ** 2),
        start,
    )


def _likely(log_weight: Array) -> tuple[Index, Index, Array]:
    """The (model, window) pairs that matter, and their weights relative to the best."""
    model, start = np.empty((2, log_weight.size), dtype=np.int64)
    weight = np.empty(log_weight.size)
    count = likely(log_weight, model, start, weight)
    return model[:count], start[:count], weight[:count]


def _judged(
    lib: Library,
    rows: Array,
    values: Array,
    slopes: Array,
    sample: Sample,
    lane: int,
    model: Index,
    start: Index,
    weight: Array,
) -> Fits:
    vote = np.zeros(model.size, dtype=np.int64)
    numbers, doubt = np.full((4, model.size), np.nan), np.zeros(model.size)
    judge(
        rows, values, slopes, sample.s, math.log(sample.time), lib.index, lib.size, lib.family,
        model, start, vote, numbers, doubt,
    )  # fmt: skip
    weight = weight * np.exp(-doubt)
    return Fits(model, start, np.full(model.size, lane), weight / weight.sum(), vote, *numbers)


def _joined(parts: list[Fits]) -> Fits:
    joined = Fits(*(np.concatenate(field) for field in zip(*parts, strict=True)))
    return joined._replace(weight=joined.weight / len(parts))


def _voting(fits: Fits, law: int) -> Fits:
    return Fits(*(field[fits.vote == law] for field in fits))


def _mixture(weight: Array, mean: Array, variance: Array) -> tuple[float, float]:
    """Mean and variance of a mixture of normal distributions."""
    share = weight / weight.sum()
    center = float(share @ mean)
    return center, float(share @ (variance + (mean - center) ** 2))
