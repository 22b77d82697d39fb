"""Ranks over many problems: whether methods differ at all, and by how much two mean ranks must to be told apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def rank_blocks(places: ArrayLike) -> Array:
    """Places within each problem as ranks from 1 whose sum does not depend on ties: those that tie share their mean.

    Args:
        places: the smaller the better, shape (problems, methods).
    """
    from scipy.stats import rankdata

    ranks: Array = np.asarray(rankdata(np.asarray(places, dtype=float), axis=1), dtype=float)
    return ranks


def compare_ranks(ranks: ArrayLike) -> float:
    """p of no difference between methods: Friedman's χ², corrected for ties, as Iman & Davenport's F.

    F = (N − 1)χ²/(N(k − 1) − χ²), with k − 1 and (k − 1)(N − 1) degrees of freedom.

    Args:
        ranks: of k methods on N problems, shape (N, k), as of `rank_blocks`.
    Source: Friedman (1937), JASA 32, 675-701; Iman & Davenport (1980), Comm. Statist. A 9, 571-595.
    """
    from scipy.special import fdtrc

    r = np.asarray(ranks, dtype=float)
    problems, methods = r.shape
    if problems < 2 or methods < 2:
        return 1.0
    middle = (methods + 1) / 2
    scatter = float(((r - middle) ** 2).sum())  # N k (k² − 1)/12 without ties
    if scatter == 0.0:
        return 1.0
    chi2 = (methods - 1) * problems**2 * float(((r.mean(axis=0) - middle) ** 2).sum()) / scatter
    left = problems * (methods - 1) - chi2
    if left <= 1e-12 * chi2:
        return 0.0
    return float(fdtrc(methods - 1, (methods - 1) * (problems - 1), (problems - 1) * chi2 / left))


def critical_difference(methods: int, problems: int, level: float = 0.05) -> float:
    """Nemenyi's: mean ranks that are further apart differ, with a chance of `level` that any two are so by accident.

    CD = q √(k(k + 1)/(6N)), with q the 1 − level quantile of the studentized range of k normal variables, over √2.

    Args:
        methods: k.
        problems: N.
        level: of all pairs together.
    Source: Nemenyi (1963), Distribution-free multiple comparisons; Demšar (2006), JMLR 7, 1-30.
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1.0 - level, methods, np.inf)) / math.sqrt(2.0)
    return q * math.sqrt(methods * (methods + 1) / (6.0 * problems))


def group_ranks(means: ArrayLike, difference: float) -> list[tuple[int, int]]:
    """The largest groups of methods no two of which are apart by more than a difference, as first and last place.

    Args:
        means: ascending.
        difference: the critical one.
    Returns:
        Only groups of two and more, none within another.
    """
    m = np.asarray(means, dtype=float)
    ends = np.searchsorted(m, m + difference * (1 + 1e-12), side="right") - 1
    groups = [(first, int(last)) for first, last in enumerate(ends) if last > first]
    return [group for place, group in enumerate(groups) if place == 0 or group[1] > groups[place - 1][1]]
