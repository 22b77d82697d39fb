"""Tests over seeds: whether two samples differ by more than chance, and what many such tests are worth together.

Samples lie in the last axis and NaN marks what is absent, so that one call tests all pairs of a problem.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Two curves whose logarithms differ by less are the same: rounding, and the tolerance of integrators.
RESOLUTION = 1e-6
SPLITS = 20_000  # of two samples, up to which all are counted out


class Shift(NamedTuple):
    """A mean difference, its 95% interval and the two-sided p of no difference; arrays over the leading axes."""

    mean: Array
    low: Array
    high: Array
    p: Array

    def pick(self, row: int) -> Shift:
        """That of one row."""
        return Shift(*(part[row] for part in self))


def compare_means(differences: ArrayLike, shared: ArrayLike = 0.0) -> Shift:
    """Student's t of paired differences; p is NaN below two of them.

    Args:
        differences: shape (..., seeds).
        shared: a standard error that all seeds share, shape (...); it does not shrink with their number, and has
            RESOLUTION added.
    Source: Student (1908), Biometrika 6, 1-25.
    """
    d = np.asarray(differences, dtype=float)
    mean, square, count = _moments(d)
    return _judge(mean, square, count - 1, shared)


def compare_samples(one: ArrayLike, other: ArrayLike, shared: ArrayLike = 0.0) -> Shift:
    """Welch's t of two independent samples; p is NaN where one has less than two.

    Args:
        one, other: shapes (..., seeds) each.
        shared: as for `compare_means`.
    Source: Welch (1947), Biometrika 34, 28-35.
    """
    means, squares, counts = zip(*(_moments(np.asarray(x, dtype=float)) for x in (one, other)), strict=True)
    square = squares[0] + squares[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        df = square**2 / (squares[0] ** 2 / (counts[0] - 1) + squares[1] ** 2 / (counts[1] - 1))
    fewest = np.minimum(*counts) - 1
    df = np.where((square == 0) & (fewest > 0), fewest, df)  # samples without any scatter
    return _judge(means[0] - means[1], square, np.where(fewest > 0, df, 0), shared)


def compare_signs(plus: ArrayLike, minus: ArrayLike) -> Array:
    """Two-sided p of the exact sign test from counts; seeds without a difference are in neither.

    On a law that is there or not it is McNemar's exact test.

    Source: McNemar (1947), Psychometrika 12, 153-157; Conover (1999), Practical Nonparametric Statistics, 3.4.
    """
    from scipy.special import bdtr

    fewer, count = np.minimum(plus, minus), np.add(plus, minus)
    return np.asarray(np.minimum(1.0, 2.0 * bdtr(np.asarray(fewer, dtype=float), count, 0.5)))


def compare_counts(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Two-sided p of Fisher's exact test for (with, without) in two independent samples.

    Source: Fisher (1934), Statistical Methods for Research Workers, 21.02.
    """
    from scipy.stats import fisher_exact

    return float(fisher_exact(np.array([one, other])).pvalue)


def compare_lives(one: ArrayLike, one_ended: ArrayLike, other: ArrayLike, other_ended: ArrayLike) -> float:
    """Two-sided p of Gehan's test of two independent, right-censored samples.

    A pair of runs scores ±1 where it is known which of them was longer, 0 where it is not. Counted out under all
    ways to split the runs; beyond SPLITS of them the normal approximation with the permutation variance.

    Args:
        one, other: how long each run took, or was watched, shapes (n,) and (m,).
        one_ended, other_ended: whether it came to its end there, of the same shapes.
    Source: Gehan (1965), Biometrika 52, 203-223; Mantel (1967), Biometrics 23, 65-78.
    """
    life = np.concatenate([np.asarray(one, dtype=float), np.asarray(other, dtype=float)])
    ended = np.concatenate([np.asarray(one_ended, dtype=bool), np.asarray(other_ended, dtype=bool)])
    n, total = len(np.asarray(one)), len(life)
    if n == 0 or n == total:
        return 1.0
    # Run a outlived run b: b ended, and a was still there later, or at that moment without ending.
    outlived = ended[None, :] & ((life[:, None] > life) | ((life[:, None] == life) & ~ended[:, None]))
    scores = outlived.sum(axis=1) - outlived.sum(axis=0)
    found = abs(int(scores[:n].sum()))
    if math.comb(total, n) <= SPLITS:
        sums = np.abs(scores[_splits(total, n)].sum(axis=1))
        return float(np.mean(sums >= found))
    variance = n * (total - n) / (total * (total - 1)) * float((scores**2).sum())
    return 1.0 if variance == 0 else math.erfc(found / math.sqrt(2 * variance))


def adjust(p: ArrayLike, left_out: int = 0) -> tuple[Array, Array]:
    """Holm's adjusted p, and by how many each was multiplied; NaN is not a test and stays NaN.

    All pairs whose adjusted p is at most α may be called different, with a chance of at most α that any of
    the calls is wrong, however the tests depend on each other, or which `left_out` pairs were not looked at.

    Source: Holm (1979), Scand. J. Statist. 6, 65-70.
    """
    raw = np.asarray(p, dtype=float)
    order = np.argsort(raw)[: int(np.isfinite(raw).sum())]  # NaN is sorted last
    adjusted, factors = np.full(raw.shape, np.nan), np.full(raw.shape, np.nan)
    factors[order] = np.arange(len(order), 0, -1) + left_out
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(raw[order] * factors[order]))
    return adjusted, factors


def measure_heterogeneity(values: Sequence[float], errors: Sequence[float]) -> float:
    """I²: the share of the scatter of `values` that their standard `errors` do not explain, 0 to 1; NaN below two.

    Source: Cochran (1954), Biometrics 10, 101-129; Higgins & Thompson (2002), Statist. Med. 21, 1539-1558.
    """
    v, s = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    known = np.isfinite(v) & np.isfinite(s)
    v, s = v[known], s[known]
    if len(v) < 2:
        return math.nan
    s = np.maximum(s, RESOLUTION * np.abs(v))  # an interval without width: what is left is rounding
    if not s.all():
        return math.nan
    weight = (s.min() / s) ** 2
    q = float(np.sum(weight * (v - np.average(v, weights=weight)) ** 2)) / float(s.min()) ** 2
    return max(0.0, 1.0 - (len(v) - 1) / q) if q > 0 else 0.0


def _moments(x: Array) -> tuple[Array, Array, Array]:
    """Mean, squared standard error and number of what is there, over the last axis."""
    there = ~np.isnan(x)
    count = there.sum(axis=-1).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, x, 0.0).sum(axis=-1) / count
        left = np.where(there, x - mean[..., None], 0.0)
        square = (left**2).sum(axis=-1) / (count - 1) / count
    return mean, square, count


def _judge(mean: Array, square: Array, df: Array, shared: ArrayLike) -> Shift:
    from scipy.special import stdtr, stdtrit

    enough = np.asarray(df > 0)
    with np.errstate(invalid="ignore"):
        error = np.sqrt(square + RESOLUTION**2 + np.square(shared))
        freedom = np.where(enough, df, 1.0)
        p = np.where(enough, 2.0 * stdtr(freedom, -np.abs(mean) / error), np.nan)
        half = np.where(enough, stdtrit(freedom, 0.975) * error, np.nan)
    return Shift(np.asarray(mean), mean - half, mean + half, p)


@lru_cache(maxsize=16)
def _splits(total: int, n: int) -> NDArray[np.intp]:
    return np.array(list(combinations(range(total), n)), dtype=np.intp)
