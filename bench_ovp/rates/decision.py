"""The decision: from a curve to a Rate, with the reason in a sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench_ovp.rates.average import HALF, Average, estimate, weigh
from bench_ovp.rates.curve import Curve
from bench_ovp.rates.endings import grew, outran
from bench_ovp.rates.models import library
from bench_ovp.rates.rate import Evidence, Rate
from bench_ovp.rates.sample import Sample, prepare
from bench_ovp.rates.verdict import DECADES, FOLDS, LAWS, SAYS_NOTHING, SAYS_POWER
from bench_ovp.rates.walk import could_walk, returns

SURE = 0.9  # of the weight, for a verdict
FEWEST = 8  # points
SHORT = 24  # points of a window that say little of its noise: the whole curve is asked


def decide(curve: Curve) -> Rate:
    """The law of a curve, or undecided and what would settle it."""
    points = int(curve.time.size)
    span: dict[str, Any] = {"points": points}
    if points:
        span |= {"start": float(curve.time[0]), "end": float(curve.time[-1])}
    if why := grew(curve):
        return Rate("diverged", reason=why, **span)
    if why := outran(curve):
        return Rate("superexponential", reason=why, **span)
    if points < FEWEST:
        return Rate("undecided", reason=f"only {points} points can be read, needs {FEWEST} or more", **span)

    sample = prepare(curve)
    average = weigh(sample)
    law = int(np.argmax(average.shares))
    share = float(average.shares[law])
    evidence = _evidence(average, sample)
    if law == SAYS_NOTHING or share < SURE:
        return Rate("undecided", reason=_missing(average, sample), evidence=evidence, **span)
    if LAWS[law] not in ("power", "exponential"):
        reason = f"{share:.0%} of the weight says {LAWS[law]}"
        return Rate(LAWS[law], reason=reason, evidence=evidence, **span)

    if _walks(average, law, sample):
        told = f"{LAWS[law]} on average, but what that leaves over walks away at random; needs less noise"
        return Rate("undecided", reason=told, evidence=evidence, **span)

    found = estimate(average, law, sample)
    per = 1.0 if law == SAYS_POWER else 1.0 / sample.time
    half, log_half = HALF * found.sd, HALF * found.log_constant_sd
    span["start"] = sample.time * math.exp(found.start)
    constant, constant_low, constant_high = (_exp(found.log_constant + step) for step in (0.0, -log_half, log_half))
    return Rate(
        LAWS[law],
        found.value * per,
        (found.value - half) * per,
        (found.value + half) * per,
        constant,
        constant_low,
        constant_high,
        reason=f"{share:.0%} of the weight says {LAWS[law]}, {_extent(law, sample, found.start)}",
        evidence=evidence,
        **span,
    )


def _walks(average: Average, law: int, sample: Sample) -> bool:
    """Whether the best fit of the law leaves a random walk."""
    fits, lib = average.fits, library()
    best = int(np.argmax(np.where(fits.vote == law, fits.weight, 0.0)))
    model, start = fits.model[best], fits.start[best]
    columns = average.columns[start:, lib.index[model, : lib.size[model]]]
    u = sample.u[sample.starts[start] :]
    clock = np.log(u) if law == SAYS_POWER else u
    if sample.y.size - start < SHORT and returns(sample.s, sample.y):
        return False
    return could_walk(clock, sample.y[start:], columns, sample.sigma[start:])


def _exp(x: float) -> float:
    return math.exp(x) if x < 709.0 else math.inf


def _extent(law: int, sample: Sample, start: float) -> str:
    drop = float(np.interp(start, sample.s, sample.y) - sample.y[-1])
    if law == SAYS_POWER:
        return f"over {-start / math.log(10):.1f} decades of t and {drop / math.log(10):.1f} of loss"
    return f"over {drop:.1f} e-folds"


def _evidence(average: Average, sample: Sample) -> tuple[Evidence, ...]:
    """The models that weigh most, with the value each would give."""
    fits, lib = average.fits, library()
    says = np.isfinite(fits.value)
    per = np.where(fits.vote == SAYS_POWER, 1.0, 1.0 / sample.time)
    name, names = lib.name_index[fits.model], lib.names
    weight = np.bincount(name, weights=fits.weight, minlength=len(names))
    spoken = np.bincount(name[says], weights=fits.weight[says], minlength=len(names))
    value = np.bincount(name[says], weights=(fits.weight * fits.value * per)[says], minlength=len(names))
    return tuple(
        Evidence(names[i], float(weight[i]), float(value[i] / spoken[i]) if spoken[i] else math.nan)
        for i in np.argsort(-weight)[:8]
        if weight[i] > 0
    )


def _missing(average: Average, sample: Sample) -> str:
    """What an undecided curve lacks."""
    leading = int(np.argmax(average.shares[1:])) + 1
    share = float(average.shares[leading])
    fits = average.fits
    best = int(np.argmax(fits.weight))
    start = float(np.average(sample.s[fits.start], weights=fits.weight))
    decades = -start / math.log(10)
    folds = float(np.interp(start, sample.s, sample.y) - sample.y[-1])
    name = library().models[fits.model[best]].name
    if share >= 0.5:
        told = f"{LAWS[leading]} has {share:.0%} of the weight, short of {SURE:.0%}"
        return f"{told}; best fit {name}; needs about 0.5 more decades of t"
    if decades < DECADES and folds < FOLDS:
        return (
            f"the last regime shows only {decades:.1f} decades of t and {folds:.1f} e-folds; "
            f"needs about {max(0.3, 1.2 - decades):.1f} more decades of t"
        )
    if folds < FOLDS / 2:
        return f"the loss falls by {folds:.1f} e-folds only; needs a decade of loss"
    more = max(0.5, 1.5 - 0.5 * decades)
    return f"no law holds still to the end (best fit {name}); needs about {more:.1f} more decades of t"
